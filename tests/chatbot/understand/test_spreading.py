"""Labels spread from examples along near texts, not by the straight distance."""

from __future__ import annotations

import numpy as np

from chatbot.understand.spreading import spread
from knowledge.types import Matrix


def arc(start: float, end: float, count: int) -> Matrix:
    """Unit vectors along a stretch of a circle, degrees."""
    angles = np.radians(np.linspace(start, end, count))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_a_label_reaches_the_far_end_of_its_own_chain() -> None:
    # The end of the long chain, at 96 degrees, is nearer to the other label's example than to its own.
    long, short = arc(0, 96, 97), arc(115, 130, 16)
    examples = np.concatenate([long[:1], short[:1]])

    labels, shares = spread(examples, np.array([0, 1]), np.concatenate([long[1:], short[1:]]))

    assert labels.tolist() == [0] * 96 + [1] * 15
    assert ((shares > 0.5) & (shares <= 1)).all()


def test_what_no_label_reaches_has_no_share() -> None:
    near, far = arc(0, 5, 12), arc(170, 175, 12)

    _, shares = spread(near[:2], np.array([0, 1]), np.concatenate([near[2:], far]))

    assert (shares[:10] > 0).all()
    assert (shares[10:] == 0).all()


def test_nothing_to_label_gives_nothing() -> None:
    labels, shares = spread(arc(0, 90, 2), np.array([0, 1]), np.zeros((0, 2), np.float32))

    assert (labels.shape, shares.shape) == ((0,), (0,))
