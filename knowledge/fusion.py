"""One score out of several: cosines, BM25 and shared words, weighed by what was measured.

Each part lies in 0..1 before it is weighed. Cosines are counted from the encoder's own noise (the cosine of
unrelated texts), so that weights hold for an encoder whose cosines sit between 0.80 and 0.92 as for one that
uses the whole range. The sum keeps the margin between answers, which ranks alone would throw away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from knowledge.index.snapshot import Candidates
from knowledge.lexical import Scores
from knowledge.types import Matrix

Method: TypeAlias = Literal["hybrid", "dense", "bm25"]


@dataclass(frozen=True, slots=True)
class Weights:
    """What each part counts; they sum to 1."""

    question: float
    answer: float
    bm25: float
    likeness: float
    coverage: float


FAQ = Weights(question=0.45, answer=0.2, bm25=0.15, likeness=0.15, coverage=0.05)
DOCUMENT = Weights(question=0.1, answer=0.6, bm25=0.2, likeness=0.0, coverage=0.1)

OTHER_LANGUAGE = 0.85
"""Factor for a passage in another language than the customer's: found when nothing else fits."""
EXACT = 0.95
"""Least score of a passage that has the query among its wordings, word for word."""


def fuse(found: Candidates, *, documents: npt.NDArray[np.bool_], noise: float, method: Method) -> Scores:
    """Scores of candidates, 0..1.

    Args:
        found: n candidates.
        documents: True where a candidate is a piece of a document; shape (n,).
        noise: Cosine of unrelated texts under the encoder.
        method: Which parts take part.
    """
    question = above_noise(found.cosine_question, noise)
    answer = above_noise(found.cosine_answer, noise)
    if method == "bm25":
        scores = found.bm25 * np.maximum(found.coverage, 0.05)
    elif method == "dense":
        scores = np.where(documents, _mean(question, answer, DOCUMENT), _mean(question, answer, FAQ)).astype(
            np.float32
        )
    else:
        scores = np.where(
            documents,
            _sum(found, question, answer, DOCUMENT),
            _sum(found, question, answer, FAQ),
        ).astype(np.float32)
    lifted: Scores = np.where(found.exact, EXACT + (1 - EXACT) * scores, scores).astype(np.float32)
    return np.clip(lifted, 0.0, 1.0)


def above_noise(cosines: Matrix, noise: float) -> Matrix:
    """0 for a cosine like that of unrelated texts, 1 for equal ones."""
    scaled: Matrix = np.clip((cosines - noise) / (1 - noise), 0.0, 1.0).astype(np.float32)
    return scaled


def _sum(found: Candidates, question: Matrix, answer: Matrix, weights: Weights) -> Matrix:
    parts = np.stack([question, answer, found.bm25, found.likeness, found.coverage], axis=1)
    shares = [weights.question, weights.answer, weights.bm25, weights.likeness, weights.coverage]
    summed: Matrix = parts @ np.array(shares, np.float32)
    return summed


def _mean(question: Matrix, answer: Matrix, weights: Weights) -> Matrix:
    share = np.float32(weights.question / (weights.question + weights.answer))
    mean: Matrix = share * question + (1 - share) * answer
    return mean
