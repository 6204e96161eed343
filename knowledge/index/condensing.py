"""Which of many texts are needed to find what they belong to, beside those that are there anyway."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from knowledge.index.pooling import Numbers, near_owners
from knowledge.types import Matrix

_MARGIN = 0.05
"""Lead of the right owner's smooth maximum, in cosine, from which a text adds nothing. Of 12,132 messages of the demo's chats
64 % are needed with it, and of 759 messages of other chats 78.0 % are found first, 77.3 % by all; with 0.02 44 % are needed
and 77.1 % found, with none 32 and 75.1 %."""
_AT_ONCE = 512
"""Texts that are judged by the same others."""


def needed_to_find(vectors: Matrix, owners: Numbers, *, given: int, groups: Numbers) -> npt.NDArray[np.bool_]:
    """Go through the texts, and need each whose owner does not lead by a margin without it.

    Args:
        vectors: Of the texts that are there anyway, then of the others; float32, shape (texts, dimension), L2 norm 1.
        owners: What each text belongs to; int64, shape (texts,).
        given: How many are there anyway.
        groups: Of each owner: only owners of the same group (a language) are mixed up.

    Returns:
        For each of the others, whether it is needed; shape (texts - given,).
    """
    needed = np.zeros(len(owners) - given, np.bool_)
    order = np.random.default_rng(0).permutation(len(needed)) + given
    for start in range(0, len(order), _AT_ONCE):
        rows = order[start : start + _AT_ONCE]
        by = np.concatenate([np.arange(given), np.flatnonzero(needed) + given])
        near = near_owners(vectors[rows] @ vectors[by].T, owners[by], len(groups))
        own = owners[rows]
        near[groups[own][:, None] != groups[None, :]] = -1
        each = np.arange(len(rows))
        right = near[each, own]
        near[each, own] = -1
        needed[rows - given] = right - near.max(axis=1) < _MARGIN
    return needed
