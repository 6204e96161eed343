"""What is found is read again, question and answer together, by a fine-tuned encoder (`kefu train reranker`).

Its score is one more figure of each hit: what it counts beside the others is fitted with them, by `kefu calibrate`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from knowledge.encode.direct import cores
from knowledge.encode.states import PairEncoder
from knowledge.encode.weights import Weights
from knowledge.types import Hit, Matrix, Passage, Retriever

SHARPNESS_OF_TOKENS = 300.0
"""What the learned weight of the tokens' likeness is multiplied with: likenesses lie near to each other."""
_KEPT = 1024
"""Answers whose lower layers are kept: 100 KB each at most (64 tokens, 384 wide)."""


class Reranker:
    """Scores answers for a question; may be called from several threads at once.

    Args:
        encoder: With what the model learned.
        head: File of the weights that make one number of both texts.
    """

    def __init__(self, encoder: PairEncoder, head: Path) -> None:
        self._encoder = encoder
        weights = Weights(head)
        self._weight, self._bias = weights.tensor("weight")[0], float(weights.tensor("bias")[0])
        # Models from before the tokens' likeness counted have no weight for it.
        self._alike = SHARPNESS_OF_TOKENS * float(weights.tensor("alike")) if "alike" in weights else 0.0
        self._passage = functools.lru_cache(_KEPT)(functools.partial(encoder.below, stored=True))
        self._workers = ThreadPoolExecutor(cores(), thread_name_prefix="rerank")

    def scores(self, question: str, passages: Sequence[Passage]) -> list[float]:
        """Log-odds of each against "nothing stored answers", as far as the model knows."""
        asked = self._encoder.below(question, stored=False)
        return list(self._workers.map(lambda passage: self._score(asked, text_of(passage)), passages))

    def _score(self, asked: Matrix, text: str) -> float:
        tokens, others = self._encoder.together(asked, self._passage(text))
        one, other = tokens.mean(axis=0), others.mean(axis=0)
        means = np.concatenate([one, other, one * other])
        likest = (_units(tokens) @ _units(others).T).max(axis=1)
        return float(means @ self._weight + self._bias + self._alike * likest.mean())


@dataclass(frozen=True, slots=True)
class RerankedRetriever:
    """A retriever whose stored answers bear the reranker's score; their order is left to the calibration."""

    inner: Retriever
    reranker: Reranker

    @property
    def version(self) -> str:
        """The inner retriever's."""
        return self.inner.version

    def search(
        self, query: str, k: int = 5, *, locale: str | None = None, read_as: str = ""
    ) -> Sequence[Hit]:
        """As the inner one; hits but those of documents have the features `reranked` and `reranked_margin`."""
        hits = self.inner.search(query, k, locale=locale, read_as=read_as)
        stored = [place for place, hit in enumerate(hits) if hit.passage.source != "document"]
        scores = self.reranker.scores(read_as or query, [hits[place].passage for place in stored])
        found = list(hits)
        for place, score in zip(stored, scores, strict=True):
            rest = max((other for at, other in zip(stored, scores, strict=True) if at != place), default=0.0)
            figures = {"reranked": score, "reranked_margin": score - max(rest, 0.0)}
            found[place] = replace(found[place], features={**found[place].features, **figures})
        return found


def text_of(passage: Passage) -> str:
    """What is read of an answer."""
    return f"{passage.title} | {passage.text}"


def _units(tokens: Matrix) -> Matrix:
    units: Matrix = tokens / np.maximum(np.linalg.norm(tokens, axis=1, keepdims=True), 1e-12)
    return units
