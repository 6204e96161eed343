"""The smooth maximum of cosines: many near texts count more than one, and the nearest most.

log(sum(exp(40 cosine))) / 40. On 3,048 messages of held-out chats of the demo, over an answer's wordings and what it was asked
for in other chats, it is right first for 75 %; the sum of both maxima for 74 %, the wordings' maximum for 65 %. With 25
or 60 for the 40 it is 73 and 75 %.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from knowledge.types import Matrix

Numbers: TypeAlias = npt.NDArray[np.int64]

_SHARPNESS = 40.0


def nearness(cosines: Matrix) -> Matrix:
    """What is added up."""
    summable: Matrix = np.exp(_SHARPNESS * (cosines - 1))
    return summable


def pooled(summed: Matrix) -> Matrix:
    """The smooth maximum of the cosines whose `nearness` was added up; a little above 1 where several are 1."""
    smooth: Matrix = (1 + np.log(np.maximum(summed, 1e-30)) / _SHARPNESS).astype(np.float32)
    return smooth


def near_owners(cosines: Matrix, owners: Numbers, count: int) -> Matrix:
    """How near each owner of texts is: the smooth maximum over its texts.

    Args:
        cosines: Of queries with texts, float32, shape (queries, texts).
        owners: What each text belongs to, int64, shape (texts,).
        count: How many owners there are.

    Returns:
        Shape (queries, count); about -0.7 for one that has no texts.
    """
    order = np.argsort(owners, kind="stable")
    sorted_owners = owners[order]
    begins = np.flatnonzero(np.diff(sorted_owners, prepend=-1))
    out = np.zeros((len(cosines), count), np.float32)
    out[:, sorted_owners[begins]] = np.add.reduceat(nearness(cosines[:, order]), begins, axis=1)
    return pooled(out)
