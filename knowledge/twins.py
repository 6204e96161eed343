"""Entries that ask nearly the same: found over the vectors that an index has, so nothing is encoded.

Which cosine means "the same question" depends on the encoder and on how a company writes, so the measure is read
off the knowledge itself: two entries are twins when the wordings of each are as near to those of the other as to
the other wordings of their own entry, so that a customer who asks in such words may get either answer.

Measured with the bundled encoder on the demo's 415 English entries, which are siblings on purpose, a hundred of
them cut in two. One bar for all (the median of the likeness within an entry, reached by the nearest two wordings)
lists 990 pairs, of which 8 % are such halves. This measure lists 34, of which 65 % are, and with three wordings
cut off 64, of which 72 % are and which hold 46 of the hundred; uncut it lists 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.fusion import above_noise
from knowledge.index.snapshot import Placed, Snapshot
from knowledge.index.texts import text_of
from knowledge.types import Entry, Matrix

Numbers = npt.NDArray[np.int64]

NEAREST = 3
"""Each of two twins is among so many nearest entries of the other."""
BAR = 0.7
"""Likeness that an entry's only wording must have to another's: it has none of its own to be held against.
Among the COVID-19 questions of deepset, each an entry of its own, it is reached by
243 pairs, 80 % of them labelled as one question directly or through others; 43 % of those labelled are found."""
_SEVERAL = 3
"""A third of the other's wordings cannot be near to most of them; then only as many of these count."""
_LEAST = 0.1
"""Likeness that an entry's own wordings are taken to have at least; some have nothing in common."""
_FOUND = 64
"""Rows looked at around a wording: those of its own entry, of the other language and answers are among them."""
_OWNERS = 16
"""Entries looked at for one and the same wording; what more of them share tells nothing apart."""


@dataclass(frozen=True, slots=True)
class Twin:
    """Two entries that ask nearly the same."""

    one: Entry
    other: Entry
    likeness: float
    """How near the wordings of each are to the other's, as a share of how near they are to their own entry's."""
    wordings: tuple[str, str]
    """One of each: the two that are nearest."""


@dataclass(frozen=True, slots=True)
class Twins:
    """What was found."""

    pairs: tuple[Twin, ...]
    """Most alike first."""
    entries: int
    """How many were compared."""


def find_twins(snapshot: Snapshot, *, locale: str | None = None) -> Twins:
    """Pairs of stored answers of one language whose questions are nearly the same.

    Pieces of documents are left out: they share headings and answer different things. A pair is left out, too,
    where one entry names a wording of the other as a negative question: the company tells them apart already.

    Args:
        snapshot: Any; it is only read.
        locale: Compare entries of this language alone ("zh", "en").
    """
    spoken = dict[str, list[Placed]]()
    for item, language in zip(snapshot.placed.values(), map(str, snapshot.locales), strict=True):
        if item.entry.passage.source != "document" and language == (locale or language):
            spoken.setdefault(language, []).append(item)
    pairs = list[Twin]()
    for items in spoken.values():
        asked = _Asked.of(items, snapshot)
        pairs += (twin for one, other in asked.near() if (twin := asked.compare(one, other)))
    pairs.sort(key=lambda twin: (-twin.likeness, twin.one.passage.id, twin.other.passage.id))
    return Twins(tuple(pairs), sum(map(len, spoken.values())))


@dataclass(frozen=True, slots=True)
class _Asked:
    """The wordings of n entries of one language, entry after entry."""

    items: Sequence[Placed]
    snapshot: Snapshot
    rows: Numbers
    """Of the wordings in the index, shape (wordings,); several entries may have one."""
    start: Numbers
    """Where each entry's begin, and the end; shape (n + 1,)."""
    matrix: Matrix
    """Their unit vectors, shape (wordings, dimension)."""

    @classmethod
    def of(cls, items: Sequence[Placed], snapshot: Snapshot) -> _Asked:
        lengths = np.fromiter((len(item.questions) for item in items), np.int64, len(items))
        rows = np.fromiter((row for item in items for row in item.questions), np.int64)
        start = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return cls(items, snapshot, rows, start, snapshot.texts.vectors.vectors(rows))

    def near(self) -> list[tuple[int, int]]:
        """Pairs of entries that are among each other's nearest, by the two nearest of their wordings."""
        unique, place = np.unique(self.rows, return_inverse=True)
        scores, found = self.snapshot.texts.vectors.neighbours(unique, _FOUND)
        entries = np.repeat(np.arange(len(self.items)), np.diff(self.start))
        order = np.argsort(self.rows, kind="stable")
        sorted_rows, owners = self.rows[order], entries[order]
        flat = found[place].ravel()
        first = np.searchsorted(sorted_rows, flat, "left")  # rows that are no wording here have no owner
        counts = np.minimum(np.searchsorted(sorted_rows, flat, "right") - first, _OWNERS)
        begins = np.cumsum(counts) - counts
        one = np.repeat(np.repeat(entries, found.shape[1]), counts)
        other = owners[np.arange(len(one)) + np.repeat(first - begins, counts)]
        cosine = np.repeat(scores[place].ravel(), counts)
        kept = one != other
        return _nearest_pairs(one[kept], other[kept], cosine[kept])

    def compare(self, one: int, other: int) -> Twin | None:
        """The pair, where it is one and is not told apart already."""
        cosines = self._of(one) @ self._of(other).T
        likeness = min(
            self._as_near(cosines.max(axis=1), self._of(one), cosines.shape[1]),
            self._as_near(cosines.max(axis=0), self._of(other), cosines.shape[0]),
        )
        if likeness < 1 or self._told_apart(one, other) or self._told_apart(other, one):
            return None
        left, right = np.unravel_index(int(np.argmax(cosines)), cosines.shape)
        first, second = self.items[one], self.items[other]
        wordings = self._wording(first, int(left)), self._wording(second, int(right))
        return Twin(first.entry, second.entry, likeness, wordings)

    def _as_near(self, nearest: Matrix, own: Matrix, others: int) -> float:
        """How near wordings are to another entry, as a share of how near they are to their own.

        Args:
            nearest: Cosine of each wording and the nearest of the other entry's, shape (wordings,).
            own: The wordings' vectors, shape (wordings, dimension).
            others: How many wordings the other entry has.
        """
        noise = self.snapshot.noise
        near, expected = above_noise(nearest, noise), np.full(len(own), BAR, np.float32)
        if len(own) > 1:
            cosines = own @ own.T
            np.fill_diagonal(cosines, -1)
            expected = np.maximum(above_noise(cosines.max(axis=1), noise), _LEAST)
        shares = np.sort(near / expected)[::-1]
        return float(np.median(shares[:others] if len(own) > _SEVERAL * others else shares))

    def _of(self, one: int) -> Matrix:
        return self.matrix[self.start[one] : self.start[one + 1]]

    def _told_apart(self, one: int, other: int) -> bool:
        refused = {text_of("question", text).key for text in self.items[one].entry.negative_questions}
        wordings = self.items[other].entry.questions
        return any(text_of("question", wording).key in refused for wording in wordings)

    def _wording(self, item: Placed, number: int) -> str:
        row, texts = item.questions[number], self.snapshot.texts
        wordings = (wording for wording in item.entry.questions if wording.strip())
        named = (wording for wording in wordings if texts.row(text_of("question", wording)) == row)
        return next(named, item.entry.passage.title)


def _nearest_pairs(one: Numbers, other: Numbers, cosine: Matrix) -> list[tuple[int, int]]:
    """Entries that are among each other's nearest; shape (found,) each."""
    order = np.lexsort((-cosine, other, one))
    one, other, cosine = one[order], other[order], cosine[order]
    best = np.ones(len(one), np.bool_)
    best[1:] = (one[1:] != one[:-1]) | (other[1:] != other[:-1])
    one, other, cosine = one[best], other[best], cosine[best]
    order = np.lexsort((-cosine, one))
    one, other = one[order], other[order]
    kept = np.arange(len(one)) - np.searchsorted(one, one, "left") < NEAREST
    directed = set(zip(one[kept].tolist(), other[kept].tolist(), strict=True))
    return sorted(pair for pair in directed if pair[0] < pair[1] and pair[::-1] in directed)
