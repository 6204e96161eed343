"""What the reranker learns from: questions, each with what the retriever finds for it without it.

The questions are wordings of stored answers, and what customers asked in past chats. A question never finds itself: its
own row is left out of the index when it is looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from chatbot.chats import Asked
from finetune.examples import plain
from knowledge.errors import KnowledgeError
from knowledge.index.pooling import near_owners
from knowledge.search import read_vectors
from knowledge.types import Encoder, Entry, Matrix, Passage, Progress

_AT_ONCE = 256
"""Questions that are looked up together."""
_FEWEST = 8
_MOST_JUDGED = 1000
"""Questions that judge each epoch; the others of what is held out are the test."""
_HELD_OUT = 0.2
"""Share of the wordings, where the retriever held nothing out."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and what the retriever finds for it."""

    text: str
    """As it is encoded: in its conversation."""
    found: tuple[int, ...]
    """Places of passages, the nearest first."""
    near: tuple[float, ...]
    """How near each is: smooth maxima of cosines."""
    right: frozenset[int]
    """Places of the passages that answer it; none where nothing stored does."""

    @property
    def lead(self) -> float:
        """How much nearer the right one is than any other; below 0 where it is not first or nothing answers."""
        right = [near for near, place in zip(self.near, self.found, strict=True) if place in self.right]
        others = [near for near, place in zip(self.near, self.found, strict=True) if place not in self.right]
        return max(right, default=-1.0) - max(others, default=0.0)

    def with_right(self) -> Question:
        """It with a right answer in the last one's place, where none was found: so that there is one to learn."""
        if not self.right or self.right & set(self.found):
            return self
        return replace(self, found=(*self.found[:-1], min(self.right)))

    def first_is_right(self, order: Sequence[float]) -> bool:
        """Whether the one with the greatest of these scores answers."""
        return bool(self.found) and self.found[int(np.argmax(order))] in self.right


@dataclass(frozen=True, slots=True)
class Questions:
    """What is learned from, and what is held out in two parts."""

    passages: tuple[Passage, ...]
    learn: tuple[Question, ...]
    valid: tuple[Question, ...]
    """Judged after each epoch."""
    test: tuple[Question, ...]
    """Judged before and after."""

    @property
    def counts(self) -> dict[str, int]:
        """How many questions each part has."""
        return {"learn": len(self.learn), "valid": len(self.valid), "test": len(self.test)}


def look_up(
    entries: Iterable[Entry],
    asked: Sequence[Asked],
    held_out: Sequence[Asked],
    encoder: Encoder,
    *,
    candidates: int,
    unseen: frozenset[str] | None,
    seed: int,
    progress: Progress,
) -> Questions:
    """Look every question up.

    Args:
        entries: Of the knowledge; documents are left out, they have no wordings.
        asked: Messages of chats that the retriever learned from.
        held_out: Messages of chats that it did not.
        encoder: Of the retriever in force.
        candidates: How many are found for each.
        unseen: Wordings that the retriever did not learn from; where there are none, and no `held_out`, a fifth is held
            out here.
        seed: Chooses which, and which of the held-out ones judge the epochs.
        progress: Told what is being done.

    Raises:
        KnowledgeError: Fewer than eight stored answers.
    """
    stored = [entry for entry in entries if entry.passage.source != "document"]
    if len(stored) < _FEWEST:
        raise KnowledgeError(
            f"There are only {len(stored)} stored answers, and {_FEWEST} are the least that can be told apart. "
            "Import an FAQ with 'kefu import faq'."
        )
    rng = np.random.default_rng(seed)
    places = {(one.passage.id, one.passage.locale): place for place, one in enumerate(stored)}
    worded = [
        _Said(question, "", entry.passage.locale, place)
        for place, entry in enumerate(stored)
        for question in entry.questions
    ]
    if not held_out and not (unseen and any(one.text in unseen for one in worded)):
        unseen = frozenset(one.text for one in worded if rng.random() < _HELD_OUT)
    learned = [_said(one, places) for one in asked]
    unseen = unseen or frozenset()
    known = [one for one in worded if one.text not in unseen] + [one for one in learned if one.place >= 0]
    nothing = [one for one in learned if one.place < 0]
    fresh = [one for one in worded if one.text in unseen] + [_said(one, places) for one in held_out]
    vectors = [_vectors(part, encoder, progress=progress) for part in (known, nothing, fresh)]
    index = _Index(vectors[0], known, [entry.passage.locale for entry in stored], candidates)
    same = _same_question(stored)
    found = [
        [
            Question(one.read_as or one.text, *hits, same[one.place] if one.place >= 0 else frozenset())
            for one, hits in zip(part, index.find(part, queries, known=part is known), strict=True)
        ]
        for part, queries in zip((known, nothing, fresh), vectors, strict=True)
    ]
    order, half = rng.permutation(len(fresh)).tolist(), min(len(fresh) // 2, _MOST_JUDGED)
    return Questions(
        tuple(entry.passage for entry in stored),
        (*found[0], *found[1]),
        tuple(found[2][place] for place in order[:half]),
        tuple(found[2][place] for place in order[half:]),
    )


class _Said(NamedTuple):
    """A question before it is looked up."""

    text: str
    read_as: str
    locale: str
    place: int
    """Of the passage that answers it; -1: nothing does."""


class _Index:
    """Finds stored answers by their wordings and by what customers asked.

    Args:
        vectors: Of the texts, float32, shape (texts, dimension), L2 norm 1.
        texts: Whose they are.
        locales: Of each passage.
        candidates: How many are found.
    """

    def __init__(
        self, vectors: Matrix, texts: Sequence[_Said], locales: Sequence[str], candidates: int
    ) -> None:
        self._vectors = vectors
        self._owners = np.array([one.place for one in texts], np.int64)
        self._locales = np.array(locales)
        self._candidates = min(candidates, len(locales))

    def find(
        self, asked: Sequence[_Said], vectors: Matrix, *, known: bool
    ) -> Iterator[tuple[tuple[int, ...], tuple[float, ...]]]:
        """The nearest passages of each question, and how near they are.

        Args:
            asked: The questions.
            vectors: Theirs.
            known: Whether they are the texts of this index: then none finds itself.
        """
        for start in range(0, len(asked), _AT_ONCE):
            part = asked[start : start + _AT_ONCE]
            cosines = vectors[start : start + _AT_ONCE] @ self._vectors.T
            if known:
                cosines[np.arange(len(part)), start + np.arange(len(part))] = -1
            near = near_owners(cosines, self._owners, len(self._locales))
            near[np.array([one.locale for one in part])[:, None] != self._locales[None, :]] = -1
            best = np.argsort(-near, axis=1, kind="stable")[:, : self._candidates]
            for row, places in enumerate(best):
                yield tuple(places.tolist()), tuple(near[row, places].tolist())


def _said(one: Asked, places: Mapping[tuple[str, str], int]) -> _Said:
    place = places.get((one.answers[0], one.locale), -1) if one.answers else -1
    return _Said(one.text, one.read_as, one.locale, place)


def _vectors(part: Sequence[_Said], encoder: Encoder, *, progress: Progress) -> Matrix:
    """As the bot encodes them."""
    blocks = [np.zeros((0, encoder.dimension), np.float32)]
    for start in range(0, len(part), _AT_ONCE):
        some = part[start : start + _AT_ONCE]
        blocks.append(read_vectors(encoder, [one.text for one in some], [one.read_as for one in some]))
        progress("Looking questions up", (start + len(some)) / len(part))
    return np.concatenate(blocks)


def _same_question(stored: Sequence[Entry]) -> list[frozenset[int]]:
    """Of each entry, the places of those that answer the very same question."""
    groups: dict[tuple[str, str], list[int]] = {}
    for place, entry in enumerate(stored):
        groups.setdefault((entry.passage.locale, plain(entry.questions[0])), []).append(place)
    return [frozenset(groups[entry.passage.locale, plain(entry.questions[0])]) for entry in stored]
