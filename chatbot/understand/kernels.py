"""How alike labelled texts are: by meaning (the encoder's vectors), by words, and by any further figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from knowledge.types import Encoder, Matrix

_WORD = r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+"
"""Chinese characters one by one, other scripts by words."""


@dataclass(frozen=True, slots=True)
class Views:
    """What is known about each text of a list."""

    vectors: Matrix
    """Unit vectors of the encoder, shape (texts, dimension)."""
    terms: Any
    """TF-IDF of words, word pairs and pieces of words, sparse, rows of L2 norm 1."""
    figures: Matrix
    """Further figures, shape (texts, any), each about -1..1."""

    def __len__(self) -> int:
        return len(self.vectors)

    def rows(self, chosen: Any) -> Views:
        """Some of the texts."""
        return Views(self.vectors[chosen], self.terms[chosen], self.figures[chosen])


@dataclass(frozen=True, slots=True)
class Blend:
    """How the likenesses are mixed; chosen by cross-validation."""

    width: float
    """exp(-width * (1 - cosine)): large values look at near examples only."""
    lexical: float
    """Weight of shared words against meaning."""
    figures: float
    """Weight of the further figures."""


class Viewer:
    """Turns texts into views; made by `learn_views`, immutable."""

    def __init__(self, encoder: Encoder, terms: Any) -> None:
        self.encoder = encoder
        self._terms = terms

    def look(self, texts: Sequence[str], *, figures: Matrix | None = None) -> Views:
        """The views of texts, `figures` with a row for each if there were any in training."""
        rest = np.zeros((len(texts), 0), np.float32) if figures is None else figures
        return Views(self.encoder.encode_queries(list(texts)), self._terms.transform(texts), rest)


def learn_views(texts: Sequence[str], encoder: Encoder) -> Viewer:
    """Learn which words are rare from the training texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.preprocessing import Normalizer

    words = TfidfVectorizer(token_pattern=_WORD, ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32)
    # A piece that only one text has tells nothing about another; there are a hundred thousand of them.
    pieces = TfidfVectorizer(
        analyzer="char_wb",
        ngram_range=(2, 5),
        sublinear_tf=True,
        dtype=np.float32,
        min_df=2 if len(texts) > 50 else 1,
    )
    terms = make_pipeline(make_union(words, pieces), Normalizer(copy=False))
    return Viewer(encoder, terms.fit(texts))


def likeness(some: Views, others: Views, blend: Blend) -> Matrix:
    """The kernel between two lists of texts, shape (some, others); positive semi-definite on one list."""
    mixed: Matrix = some.vectors @ others.vectors.T
    mixed -= 1
    mixed *= blend.width
    np.exp(mixed, out=mixed)
    if blend.lexical:
        mixed += blend.lexical * shared_words(some, others)
    if blend.figures and some.figures.shape[1]:
        mixed += blend.figures * (some.figures @ others.figures.T)
    return mixed


def shared_words(some: Views, others: Views) -> Matrix:
    """Cosine of the TF-IDF rows, shape (some, others)."""
    product: Matrix = np.asarray((some.terms @ others.terms.T).todense(), np.float32)
    return product


def typical_distance(views: Views) -> float:
    """Median of 1 - cosine between texts: encoders differ by a factor of five in it."""
    step = max(1, len(views) // 500)
    sample = views.vectors[::step]
    distances = 1 - (sample @ sample.T)[np.triu_indices(len(sample), 1)]
    return max(float(np.median(distances)), 1e-3) if len(distances) else 1.0
