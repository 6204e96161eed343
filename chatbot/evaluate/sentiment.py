"""How well feelings are recognised: the head over the encoder, with the lexicon's score beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chatbot.understand.head import Head, fit_head
from chatbot.understand.sentiment import sentiment_of
from knowledge.types import Encoder, Matrix, Progress


def fit_sentiment(
    texts: Sequence[str],
    labels: Sequence[str],
    encoder: Encoder,
    *,
    seed: int,
    progress: Progress | None = None,
) -> Head:
    """The head; how much the lexicon counts in it, if anything, is chosen by cross-validation."""
    return fit_head(texts, labels, encoder, seed=seed, figures=lexicon_scores(texts), progress=progress)


def measure_sentiment(head: Head, texts: Sequence[str], labels: Sequence[str]) -> dict[str, Any]:
    """`sentiment_figures` of the head, and how much the lexicon counts in it."""
    views = head.viewer.look(texts, figures=lexicon_scores(texts))
    said = [head.names[place] for place in head.fit.scores(views).argmax(axis=1)]
    return {**sentiment_figures(labels, said), "lexicon_weight": head.fit.recipe.blend.figures}


def sentiment_figures(labels: Sequence[str], said: Sequence[str]) -> dict[str, Any]:
    """Accuracy, macro F1, and precision, recall and F1 of each label.

    Args:
        labels: The right one of each text.
        said: What the model said.
    """
    from sklearn.metrics import classification_report

    found = classification_report(labels, said, output_dict=True, zero_division=0)
    names = sorted(set(labels))
    return {
        "accuracy": sum(a == b for a, b in zip(labels, said, strict=True)) / len(said),
        "macro_f1": float(np.mean([found[name]["f1-score"] for name in names])),
        "labels": {name: found[name] for name in names},
    }


def lexicon_scores(texts: Sequence[str]) -> Matrix:
    """The lexicon's feeling of each text, -1..1, shape (texts, 1)."""
    return np.array([[sentiment_of(text)] for text in texts], np.float32)
