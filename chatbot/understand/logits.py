"""Scores to probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from knowledge.types import Matrix


def softmax(scores: Matrix) -> Matrix:
    """Rows that sum to 1; shape (rows, classes)."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Matrix = raised / raised.sum(axis=1, keepdims=True)
    return shares


def sigmoid(values: npt.NDArray[np.floating[Any]]) -> Matrix:
    """0..1, of the same shape."""
    shares: Matrix = (1 / (1 + np.exp(-np.clip(values, -30, 30)))).astype(np.float32)
    return shares
