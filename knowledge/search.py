"""From a query to hits: words and vectors together, one score, the best passages with reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from knowledge.fusion import OTHER_LANGUAGE, Method, Weights, fuse
from knowledge.index.snapshot import Candidates, Numbers, Query, Snapshot, read_query
from knowledge.lexical import Scores, bigram_likeness, fold
from knowledge.types import Encoder, Hit, Matrix

DEPTH = 50
"""Candidates taken by vector and by words before the scores are fused."""
NEAR_TIE = 0.02
"""Two answers whose fused scores are closer than this are told apart by little more than chance."""


class SnapshotRetriever:
    """A `Retriever` over one snapshot that never changes: for evaluation, tests and notebooks."""

    def __init__(
        self,
        snapshot: Snapshot,
        encoder: Encoder,
        *,
        method: Method = "hybrid",
        weights: Weights | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._encoder = encoder
        self._method: Method = method
        self._weights = weights

    @property
    def version(self) -> str:
        """Version of the snapshot."""
        return self._snapshot.version

    def search(self, query: str, k: int = 5, *, locale: str | None = None) -> Sequence[Hit]:
        """The best `k` hits, best first."""
        return search(
            self._snapshot,
            self._encoder,
            query,
            k=k,
            locale=locale,
            method=self._method,
            weights=self._weights,
        )


def search(
    snapshot: Snapshot,
    encoder: Encoder,
    query: str,
    *,
    k: int = 5,
    locale: str | None = None,
    method: Method = "hybrid",
    weights: Weights | None = None,
) -> list[Hit]:
    """The best `k` hits for a query in one snapshot, best first, at most one a passage.

    Args:
        snapshot: The version that answers.
        encoder: The one that made its vectors; not called for the method "bm25".
        query: A standalone question.
        k: How many hits.
        locale: The customer's language; passages of others are found only when nothing else fits.
        method: "hybrid", or one of its halves alone, for comparison.
        weights: Of stored answers, where they were fitted to this knowledge; None: as shipped.
    """
    read = read_query(query)
    if not len(snapshot) or not read.bare:
        return []
    vector = None if method == "bm25" else encoder.encode_queries([read.text])[0]
    return search_vector(snapshot, read, vector, k=k, locale=locale, method=method, weights=weights)


def search_vector(
    snapshot: Snapshot,
    query: Query,
    vector: Matrix | None,
    *,
    k: int,
    locale: str | None = None,
    method: Method = "hybrid",
    weights: Weights | None = None,
) -> list[Hit]:
    """As `search`, for a query that is already encoded; float32, shape (dimension,)."""
    found = snapshot.candidates(query, vector, depth=max(DEPTH, 4 * k), words=method != "dense")
    scores = fuse(
        found,
        asked=snapshot.asked[found.passages],
        documents=snapshot.documents[found.passages],
        noise=snapshot.noise,
        method=method,
        weights=weights,
    )
    native = _native(snapshot, found.passages, locale)
    scores = np.where(native, scores, scores * OTHER_LANGUAGE).astype(np.float32)
    scores[found.refused] = -1.0
    order = np.argsort(-scores, kind="stable")
    best = order[: k + int(found.refused.sum())]
    groups = snapshot.groups[found.passages]
    return [
        _hit(snapshot, found, scores, int(place), rank=rank, groups=groups, vector=vector, query=query)
        for rank, place in enumerate((place for place in best if scores[place] >= 0), start=1)
        if rank <= k
    ]


def _native(snapshot: Snapshot, passages: Numbers, locale: str | None) -> npt.NDArray[np.bool_]:
    if locale is None:
        return np.ones(len(passages), np.bool_)
    same: npt.NDArray[np.bool_] = snapshot.locales[passages] == locale.split("-")[0].lower()
    return same


def _hit(
    snapshot: Snapshot,
    found: Candidates,
    scores: Scores,
    place: int,
    *,
    rank: int,
    groups: Numbers,
    vector: Matrix | None,
    query: Query,
) -> Hit:
    number = int(found.passages[place])
    passage = snapshot.entries[number].passage
    matched = snapshot.matched(number, vector, query)
    asked = snapshot.asked[found.passages]
    others = scores[groups != groups[place]]
    # Another answer to the same question is a near tie, and no sign that another question was meant.
    elsewhere = scores[(groups != groups[place]) & (asked != asked[place])]
    score = float(scores[place])
    features: Mapping[str, float] = {
        "cosine_question": float(found.cosine_question[place]),
        "cosine_answer": float(found.cosine_answer[place]),
        "bm25": float(found.bm25[place]),
        "overlap": float(found.overlap[place]),
        "likeness": float(found.likeness[place]),
        "coverage": float(found.coverage[place]),
        "bigrams": bigram_likeness(query.folded, fold(matched)),
        "fused": score,
        "margin": score - max(float(others.max(initial=0.0)), 0.0),
        "question_margin": score - max(float(elsewhere.max(initial=0.0)), 0.0),
        "near_ties": float(np.count_nonzero(np.abs(others - score) < NEAR_TIE)),
        "is_faq": float(passage.source != "document"),
        "exact": float(found.exact[place]),
    }
    return Hit(passage=passage, score=score, rank=rank, matched=matched, features=features)
