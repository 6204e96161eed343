"""One version of the knowledge, arranged for search; immutable, so a request sees one version throughout."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.index.faiss import Rows
from knowledge.index.pooling import nearness, pooled
from knowledge.index.texts import EncodedTexts, Worded, text_of
from knowledge.items import FAQ_PREFIX
from knowledge.lexical import TOKENIZER_VERSION, Bm25, Ids, Scores, bare, bare_of, fold, simplify, tokenize
from knowledge.types import Entry, Matrix

_NOTHING = np.zeros(0, np.float32), np.zeros(0, np.int64)
_DEEPER = 4
"""Times so many rows are looked at where messages of chats are among them."""

Numbers = npt.NDArray[np.int64]
"""Positions of passages in a snapshot; int64, shape (n,)."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry and the rows of its texts."""

    entry: Entry
    questions: tuple[int, ...]
    """At least one."""
    text: int
    negatives: tuple[int, ...]
    asked: tuple[int, ...] = ()

    @property
    def rows(self) -> tuple[int, ...]:
        """All of them."""
        return (*self.questions, self.text, *self.negatives, *self.asked)


@dataclass(frozen=True, slots=True)
class Query:
    """A customer's question, read once."""

    text: str
    """Width and script folded: what is encoded."""
    folded: str
    bare: str
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Passages that may answer a query, with what speaks for each; all arrays have shape (n,)."""

    passages: Numbers
    cosine_question: Matrix
    """Best over the wordings; 0 without a vector."""
    cosine_asked: Matrix
    """Best over what was asked in past chats; 0 where nothing was."""
    nearness: Matrix
    """Of wordings and what was asked together: their smooth maximum; `cosine_question` where no chats are known."""
    cosine_answer: Matrix
    bm25: Scores
    """Divided by the best of the index; 0..1."""
    overlap: Scores
    """Share of the query's words, weighted by rarity, that the best wording has; 0..1."""
    likeness: Scores
    """The same share of both, query and wording (Dice); 0..1."""
    coverage: Scores
    """Share of the query's words that wordings and text have together; 0..1."""
    exact: npt.NDArray[np.bool_]
    refused: npt.NDArray[np.bool_]
    """Nearer to a negative question than to the questions."""


def read_query(text: str) -> Query:
    """Fold and tokenize a query."""
    simple = simplify(text)
    folded = simple.casefold()
    return Query(simple, folded, bare_of(folded), tuple(tokenize(text)))


def passage_id_of(kind: str, item: str) -> str:
    """Passage that a row of the change log is about; "" for intents, which are not searched."""
    return {"faq": FAQ_PREFIX + item, "passage": item}.get(kind, "")


def place(worded: Worded, texts: EncodedTexts) -> Placed:
    """Look up the rows of an entry whose texts are all encoded."""
    own = tuple(dict.fromkeys(map(texts.row, worded.questions)))
    return Placed(
        worded.entry,
        own,
        texts.row(worded.text),
        tuple(dict.fromkeys(map(texts.row, worded.negatives))),
        tuple(row for row in dict.fromkeys(map(texts.row, worded.asked)) if row not in own),
    )


def digest_of(placed: Iterable[Placed], texts: EncodedTexts, *, encoder: str) -> str:
    """Names what answers: equal for the same passages, wordings, encoder and tokenizer."""
    keys = list(texts.rows)
    summed = hashlib.sha256(f"{encoder}\0{TOKENIZER_VERSION}\0".encode())
    for item in sorted(placed, key=lambda item: item.entry.passage.id):
        summed.update(item.entry.passage.id.encode() + b"\0")
        for row in item.rows:
            summed.update(keys[row])
    return summed.hexdigest()


class Snapshot:
    """Entries over encoded texts."""

    def __init__(self, placed: Iterable[Placed], texts: EncodedTexts, *, version: str, noise: float) -> None:
        self.placed = {item.entry.passage.id: item for item in placed}
        self.texts = texts
        self.version = version
        self.noise = noise
        self.entries = tuple(item.entry for item in self.placed.values())
        items = list(self.placed.values())
        self._questions, self._question_start = _ragged([item.questions for item in items])
        self._negatives, self._negative_start = _ragged([item.negatives for item in items])
        self._in_chats, self._in_chats_start = _ragged([item.asked for item in items])
        self._text = np.fromiter((item.text for item in items), np.int64, len(items))
        every, count = np.arange(len(items)), len(texts.vectors)
        asking = np.repeat(every, np.diff(self._in_chats_start))
        rows = np.concatenate([self._questions, self._text, self._in_chats])
        owners = np.concatenate([np.repeat(every, np.diff(self._question_start)), every, asking])
        self._owners, self._owner_start = _owned(rows, owners, count)
        """Passages of each row: those it is a question or the text of, or a message that they answered."""
        self._askers, self._asker_start = _owned(self._in_chats, asking, count)
        """Those that it is a message of."""
        self._words, self._word_start = self._words_of_rows()
        self.bm25 = Bm25([self._document(item) for item in items], len(texts.vocabulary))
        self._row_weight = self._shared(
            np.arange(len(texts.vectors)), np.append(self.bm25.idf, np.float32(0))
        )
        self._folded = _Folded()
        self.locales = np.array([entry.passage.locale.split("-")[0].lower() for entry in self.entries])
        self.documents = np.array([entry.passage.source == "document" for entry in self.entries], np.bool_)
        self.groups = _groups(self._folded[entry.passage.text] for entry in self.entries)
        """Passages with the same text have the same number; int64, shape (passages,)."""
        self.asked = _groups(self._folded[_standard_question(entry)] for entry in self.entries)
        """Answers to the same standard question have the same number; int64, shape (passages,)."""
        self._by_bare = self._wordings()

    def __len__(self) -> int:
        return len(self.entries)

    def dead_rows(self) -> int:
        """Rows that no entry uses any more."""
        used = np.unique(np.concatenate([self._questions, self._negatives, self._in_chats, self._text]))
        return len(self.texts.vectors) - len(used)

    def candidates(
        self, query: Query, vector: Matrix | None, *, depth: int, words: bool = True
    ) -> Candidates:
        """Passages found by vector, by words or word for word, each with all its features.

        Args:
            query: What `read_query` made.
            vector: Its unit vector, float32, shape (dimension,); None searches words only.
            depth: Rows and passages taken from either method.
            words: False leaves out passages found by words alone.
        """
        known, unknown = self._known(query.tokens)
        scores = self.bm25.scores(known)
        exact = np.asarray(self._by_bare.get(query.bare, ()), np.int64)
        found = [exact, *([_best(scores, depth)] if words else [])]
        near = _NOTHING
        if vector is not None:
            # Much was asked of few passages: the same depth would find fewer of them.
            near = self.texts.vectors.search(vector, _DEEPER * depth if len(self._in_chats) else depth)
            found.append(_pick(self._owners, self._owner_start, near[1])[0])
        passages = np.unique(np.concatenate(found))
        return self._describe(passages, scores, known, unknown, vector, near, exact)

    def folded(self, wording: str) -> str:
        """`fold` of a text of this snapshot, remembered."""
        return self._folded[wording]

    def matched(self, passage: int, vector: Matrix | None, query: Query) -> str:
        """The wording of a passage that is most like the query."""
        entry = self.entries[passage]
        wordings = [wording for wording in entry.questions if wording.strip()]
        if len(wordings) < 2:
            return wordings[0] if wordings else entry.passage.title
        if passage in self._by_bare.get(query.bare, ()):
            return next(wording for wording in wordings if bare(wording) == query.bare)
        rows = np.fromiter((self.texts.row(text_of("question", wording)) for wording in wordings), np.int64)
        if vector is not None:
            return wordings[int(np.argmax(self.texts.vectors.vectors(rows) @ vector))]
        asked = set(query.tokens)
        return max(wordings, key=lambda wording: len(asked.intersection(tokenize(wording))))

    def _describe(
        self,
        passages: Numbers,
        scores: Scores,
        known: Ids,
        unknown: int,
        vector: Matrix | None,
        found: tuple[Matrix, Numbers],
        exact: Numbers,
    ) -> Candidates:
        count = len(passages)
        rows, starts = _pick(self._questions, self._question_start, passages)
        weights = np.zeros(len(self.bm25.idf) + 1, np.float32)
        weights[known] = self.bm25.idf[known]
        whole = float(weights.sum()) + unknown * self.bm25.unknown_idf or 1.0
        shared = self._shared(rows, weights)
        dice = (2 * shared / np.maximum(whole + self._row_weight[rows], 1e-6)).astype(np.float32)
        text = np.minimum(self._shared(self._text[passages], weights), whole)
        overlap = _best_of(shared, starts) / whole
        zeros = np.zeros(count, np.float32)
        question, answer, asked, near, refused = zeros, zeros, zeros, zeros, np.zeros(count, np.bool_)
        if vector is not None and count:
            cosines = self.texts.vectors.vectors(np.concatenate([rows, self._text[passages]])) @ vector
            wordings, answer = cosines[: len(rows)], cosines[len(rows) :]
            question = near = _best_of(wordings, starts)
            refused = self._refused(passages, question, vector)
            if len(self._in_chats):
                near, asked = self._with_chats(passages, nearness(wordings), starts, found)
        is_exact = np.isin(passages, exact)
        return Candidates(
            passages=passages,
            cosine_question=question,
            cosine_asked=asked,
            nearness=near,
            cosine_answer=answer,
            bm25=scores[passages] / max(float(scores.max(initial=0.0)), 1e-6),
            overlap=overlap,
            likeness=_best_of(dice, starts),
            coverage=np.maximum(overlap, text / whole),
            exact=is_exact,
            refused=refused & ~is_exact,
        )

    def _with_chats(
        self, passages: Numbers, near: Matrix, starts: Numbers, found: tuple[Matrix, Numbers]
    ) -> tuple[Matrix, Matrix]:
        """How near passages are by wordings and what was asked in chats together, and the best cosine of the latter.

        Only the rows that were found take part: what is farther adds nothing, and its cosine is at most the least of
        theirs.
        """
        summed = np.add.reduceat(near, starts)
        asked = np.full(len(passages), found[0].min(initial=1.0), np.float32)
        owners, cosines = _pick_with(self._askers, self._asker_start, found[1], found[0])
        places = np.searchsorted(passages, owners)
        np.add.at(summed, places, nearness(cosines))
        np.maximum.at(asked, places, cosines)
        return pooled(summed), asked

    def _refused(self, passages: Numbers, question: Matrix, vector: Matrix) -> npt.NDArray[np.bool_]:
        refused = np.zeros(len(passages), np.bool_)
        having = np.flatnonzero(self._negative_start[passages + 1] > self._negative_start[passages])
        if len(having):
            rows, starts = _pick(self._negatives, self._negative_start, passages[having])
            nearest = _best_of(self.texts.vectors.vectors(rows) @ vector, starts)
            refused[having] = nearest > question[having]
        return refused

    def _shared(self, rows: Rows, weights: Scores) -> Scores:
        """Sum of the weights of each row's words; float32, shape (len(rows),)."""
        if not len(rows):
            return np.zeros(0, np.float32)
        words, starts = _pick(self._words, self._word_start, rows)
        summed: Scores = np.add.reduceat(weights[words], starts)
        return summed

    def _known(self, tokens: Sequence[str]) -> tuple[Ids, int]:
        """Numbers of the query's known words, each once, and how many it has that no entry has."""
        distinct = set(tokens)
        known = self.texts.vocabulary.find(distinct)
        known = known[known < len(self.bm25.idf)]  # the vocabulary may have grown since
        return known, len(distinct) - len(known)

    def _document(self, item: Placed) -> Ids:
        rows = [*item.questions, item.text]
        return np.concatenate([self.texts.tokens[row] for row in rows])

    def _words_of_rows(self) -> tuple[Numbers, Numbers]:
        """Distinct tokens of each row, and one that weighs nothing, so that no row is empty."""
        nothing = len(self.texts.vocabulary)
        tokens = self.texts.tokens
        lengths = np.fromiter((len(row) for row in tokens), np.int64, len(tokens))
        flat = np.concatenate([*tokens, np.zeros(0, np.int32)]).astype(np.int64)
        everywhere = np.arange(len(tokens), dtype=np.int64) * (nothing + 1)
        cells = np.sort(np.concatenate([np.repeat(everywhere, lengths) + flat, everywhere + nothing]))
        cells = cells[np.diff(cells, prepend=-1) != 0]  # np.unique is ten times as slow
        counts = np.bincount(cells // (nothing + 1), minlength=len(tokens))
        return cells % (nothing + 1), np.concatenate([[0], np.cumsum(counts)])

    def _wordings(self) -> Mapping[str, tuple[int, ...]]:
        found = defaultdict[str, list[int]](list)
        for number, entry in enumerate(self.entries):
            for wording in dict.fromkeys(bare_of(self._folded[question]) for question in entry.questions):
                if wording:
                    found[wording].append(number)
        return {wording: tuple(numbers) for wording, numbers in found.items()}


def _standard_question(entry: Entry) -> str:
    """What an entry answers; the pieces of a document share a heading and answer different things."""
    passage = entry.passage
    return passage.id if passage.source == "document" else passage.title or passage.id


class _Folded(dict[str, str]):
    """Texts with what `fold` makes of them; a standard question is a wording, too, and folded once."""

    def __missing__(self, text: str) -> str:
        folded = self[text] = fold(text)
        return folded


def _groups(folded: Iterable[str]) -> Numbers:
    numbers: dict[str, int] = {}
    return np.fromiter((numbers.setdefault(text, len(numbers)) for text in folded), np.int64)


def _ragged(lists: Sequence[Sequence[int]]) -> tuple[Numbers, Numbers]:
    """Lists end to end, and where each begins (one more: the end)."""
    flat = np.fromiter((item for items in lists for item in items), np.int64)
    lengths = np.fromiter((len(items) for items in lists), np.int64, len(lists))
    return flat, np.concatenate([[0], np.cumsum(lengths)])


def _owned(rows: Numbers, owners: Numbers, count: int) -> tuple[Numbers, Numbers]:
    """The owners of each of `count` rows, end to end, and where each begins."""
    begins = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))])
    return owners[np.argsort(rows, kind="stable")], begins


def _pick_with(flat: Numbers, start: Numbers, which: Numbers, values: Matrix) -> tuple[Numbers, Matrix]:
    """The lists at `which`, end to end, and the value of its list with each."""
    return _pick(flat, start, which)[0], np.repeat(values, start[which + 1] - start[which])


def _pick(flat: Numbers, start: Numbers, which: Numbers) -> tuple[Numbers, Numbers]:
    """The lists at `which`, end to end, and where each begins among them."""
    lengths = start[which + 1] - start[which]
    begins = np.cumsum(lengths) - lengths
    places = np.arange(int(lengths.sum())) + np.repeat(start[which] - begins, lengths)
    return flat[places], begins


def _best_of(values: Matrix, starts: Numbers) -> Matrix:
    """Maximum of each list; none is empty."""
    if not len(starts):
        return np.zeros(0, np.float32)
    best: Matrix = np.maximum.reduceat(values, starts)
    return best


def _best(scores: Scores, count: int) -> Numbers:
    """Positions of the best positive scores."""
    found = np.flatnonzero(scores > 0)
    if len(found) > count:
        found = found[np.argpartition(-scores[found], count)[:count]]
    return found
