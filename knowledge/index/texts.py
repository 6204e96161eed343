"""Encoded texts: each wording and each answer once, with its vector and its words.

A text is known by a hash of itself, so an index is never wrong about what it has: whatever the database says
now is looked up by content, and only what is new is encoded. Two FAQs with the same question share a row.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from knowledge.index.faiss import VectorIndex
from knowledge.lexical import Ids, Vocabulary, simplify, tokenize
from knowledge.settings import RetrievalSettings
from knowledge.types import Encoder, Entry, Matrix, Progress

Role: TypeAlias = Literal["question", "text"]

KEYS, TOKENS, VOCABULARY = "keys.npy", "tokens.npz", "vocabulary.txt"
BATCH = 256
"""Texts encoded between two reports of progress."""


class Text(NamedTuple):
    """A text in its role: a question is encoded as customers' queries are, an answer as a passage."""

    role: Role
    text: str

    @property
    def key(self) -> bytes:
        """16 bytes that name role and text."""
        return hashlib.blake2b(f"{self.role}\0{self.text}".encode(), digest_size=16).digest()


def text_of(role: Role, text: str) -> Text:
    """A text as it is encoded: width and script folded."""
    return Text(role, simplify(text))


class Worded(NamedTuple):
    """An entry and its texts as they are encoded."""

    entry: Entry
    questions: Sequence[Text]
    text: Text
    negatives: Sequence[Text]
    asked: Sequence[Text]
    """In chats."""

    @property
    def texts(self) -> Iterator[Text]:
        """All of them."""
        return itertools.chain(self.questions, [self.text], self.negatives, self.asked)


def worded(entry: Entry) -> Worded:
    """Questions, text, negative questions of an entry, and what was asked in chats, as they are encoded.

    A piece of a document is encoded under its heading, without which it often does not say what it is about.
    """
    passage = entry.passage
    wordings = [wording for wording in entry.questions if wording.strip()] or [passage.title or passage.text]
    body = f"{passage.title}\n{passage.text}" if passage.source == "document" else passage.text
    return Worded(
        entry,
        [text_of("question", wording) for wording in wordings],
        text_of("text", body),
        [text_of("question", wording) for wording in entry.negative_questions if wording.strip()],
        [text_of("question", message) for message in entry.asked],
    )


def all_texts(entries: Iterable[Worded]) -> list[Text]:
    """Everything of these entries that is encoded."""
    return [text for one in entries for text in one.texts]


@dataclass(frozen=True, slots=True)
class EncodedTexts:
    """Rows of vectors and tokens, found by the key of their text; immutable but for its growing vocabulary."""

    rows: Mapping[bytes, int]
    vectors: VectorIndex
    tokens: Sequence[Ids]
    """Token numbers of each row, in the order of the text, repetitions kept."""
    vocabulary: Vocabulary

    @classmethod
    def build(
        cls,
        texts: Iterable[Text],
        encoder: Encoder,
        *,
        settings: RetrievalSettings,
        progress: Progress | None = None,
        known: EncodedTexts | None = None,
    ) -> EncodedTexts:
        """Index exactly these texts; what `known` has is not encoded again."""
        wanted = {text.key: text for text in texts}
        old = [key for key in wanted if known and key in known.rows]
        new = [text for key, text in wanted.items() if not known or key not in known.rows]
        vocabulary, tokens = Vocabulary(), list[Ids]()
        matrix = np.empty((len(wanted), encoder.dimension), np.float32)
        if known and old:
            rows = np.fromiter((known.rows[key] for key in old), np.int64)
            matrix[: len(old)] = known.vectors.vectors(rows)
            names = known.vocabulary.tokens
            tokens += (vocabulary.learn(names[number] for number in known.tokens[row]) for row in rows)
        matrix[len(old) :] = encode(new, encoder, progress=progress)
        tokens += (vocabulary.learn(tokenize(text.text)) for text in new)
        keys = [*old, *(text.key for text in new)]
        numbered = {key: row for row, key in enumerate(keys)}
        return cls(numbered, VectorIndex.build(matrix, settings), tokens, vocabulary)

    def grown(self, texts: Iterable[Text], encoder: Encoder) -> EncodedTexts:
        """These and more texts; only what is new is encoded."""
        new = list({text.key: text for text in texts if text.key not in self.rows}.values())
        if not new:
            return self
        rows = dict(self.rows) | {text.key: len(self.rows) + number for number, text in enumerate(new)}
        tokens = [*self.tokens, *(self.vocabulary.learn(tokenize(text.text)) for text in new)]
        return EncodedTexts(rows, self.vectors.extended(encode(new, encoder)), tokens, self.vocabulary)

    def row(self, text: Text) -> int:
        """Row of a text that is here."""
        return self.rows[text.key]

    def save(self, folder: Path) -> list[str]:
        """Write everything into a folder and return the names of the files."""
        keys = np.frombuffer(b"".join(self.rows), np.uint8).reshape(-1, 16)
        np.save(folder / KEYS, keys, allow_pickle=False)
        lengths = np.fromiter((len(tokens) for tokens in self.tokens), np.int32, len(self.tokens))
        flat = np.concatenate([*self.tokens, np.zeros(0, np.int32)])
        np.savez(folder / TOKENS, flat=flat, lengths=lengths)
        (folder / VOCABULARY).write_text("\n".join(self.vocabulary.tokens), "utf-8")
        return [self.vectors.save(folder), KEYS, TOKENS, VOCABULARY]

    @classmethod
    def load(cls, folder: Path) -> EncodedTexts:
        """Read what `save` wrote; the caller has checked the files' SHA-256."""
        keys = np.load(folder / KEYS, allow_pickle=False)
        rows = {key.tobytes(): row for row, key in enumerate(keys)}
        with np.load(folder / TOKENS, allow_pickle=False) as arrays:
            flat, lengths = arrays["flat"], arrays["lengths"]
        tokens = np.split(flat, np.cumsum(lengths)[:-1]) if len(lengths) else []
        words = (folder / VOCABULARY).read_text("utf-8")
        vocabulary = Vocabulary(words.split("\n") if words else [])
        return cls(rows, VectorIndex.load(folder), tokens, vocabulary)


class KnowingEncoder:
    """An encoder that looks up what an index has encoded already; implements Encoder.

    Args:
        encoder: The one that made the index.
        texts: Of the index.
    """

    def __init__(self, encoder: Encoder, texts: EncodedTexts) -> None:
        self._encoder, self._texts = encoder, texts

    @property
    def fingerprint(self) -> str:
        """Of the encoder."""
        return self._encoder.fingerprint

    @property
    def dimension(self) -> int:
        """Of the encoder."""
        return self._encoder.dimension

    def encode_queries(self, texts: Sequence[str]) -> Matrix:
        """What customers ask; float32, shape (len(texts), dimension), L2 norm 1."""
        return self._encode("question", texts)

    def encode_passages(self, texts: Sequence[str]) -> Matrix:
        """What the company wrote; float32, shape (len(texts), dimension), L2 norm 1."""
        return self._encode("text", texts)

    def _encode(self, role: Role, texts: Sequence[str]) -> Matrix:
        rows = [self._texts.rows.get(text_of(role, text).key, -1) for text in texts]
        known = np.array([row >= 0 for row in rows], np.bool_)
        matrix = np.empty((len(texts), self.dimension), np.float32)
        if known.any():
            matrix[known] = self._texts.vectors.vectors(np.array([row for row in rows if row >= 0], np.int64))
        if not known.all():
            new = [Text(role, text) for text, row in zip(texts, rows, strict=True) if row < 0]
            matrix[~known] = encode(new, self._encoder)
        return matrix


def encode(texts: Sequence[Text], encoder: Encoder, *, progress: Progress | None = None) -> Matrix:
    """Vectors of texts by their roles; float32, shape (len(texts), dimension).

    Texts of about the same length are encoded together: a batch is as slow as its longest text.
    """
    matrix = np.empty((len(texts), encoder.dimension), np.float32)
    done = 0
    for role, method in (("question", encoder.encode_queries), ("text", encoder.encode_passages)):
        numbers = sorted(
            (number for number, text in enumerate(texts) if text.role == role),
            key=lambda number: len(texts[number].text),
        )
        for start in range(0, len(numbers), BATCH):
            batch = numbers[start : start + BATCH]
            matrix[batch] = method([texts[number].text for number in batch])
            done += len(batch)
            if progress:
                progress("encode texts", done / len(texts))
    return matrix


def noise_of(encoder: Encoder) -> float:
    """Mean cosine of unrelated sentences of one language: what a cosine is worth nothing below."""
    means = []
    for sentences in _UNRELATED:
        vectors = encoder.encode_queries(sentences)
        cosines = vectors @ vectors.T
        means.append(float(cosines[~np.eye(len(vectors), dtype=bool)].mean()))
    return float(np.mean(means))


_UNRELATED = (
    (
        "The museum is closed on Mondays.",
        "How many eggs do I need for the cake?",
        "She plays the violin in an orchestra.",
        "What is the height of the mountain?",
        "The train left ten minutes ago.",
        "Please water the plants while I am away.",
        "Who painted this portrait?",
        "Heavy rain is expected in the north tomorrow.",
    ),
    (
        "博物馆星期一不开门。",
        "做这个蛋糕需要几个鸡蛋？",
        "她在乐团里拉小提琴。",
        "这座山有多高？",
        "火车十分钟前开走了。",
        "我不在的时候请帮我浇花。",
        "这幅肖像是谁画的？",
        "明天北方有大雨。",
    ),
)
