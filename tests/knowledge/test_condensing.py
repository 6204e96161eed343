"""What is found without a text needs no text; what would be mixed up does."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from knowledge.index.condensing import needed_to_find

NORTH, EAST = [1.0, 0.0], [0.0, 1.0]
BETWEEN = [0.70710678, 0.70710678]


def needed(vectors: list[list[float]], owners: list[int], *, given: int, groups: list[int]) -> list[bool]:
    found = needed_to_find(
        np.array(vectors, np.float32), np.array(owners), given=given, groups=np.array(groups)
    )
    return [bool(value) for value in found]


def test_a_text_at_its_owners_is_not_needed_and_one_at_anothers_is() -> None:
    stored = [NORTH, EAST]

    assert needed([*stored, NORTH], [0, 1, 0], given=2, groups=[0, 0]) == [False]
    assert needed([*stored, EAST], [0, 1, 0], given=2, groups=[0, 0]) == [True]
    assert needed([*stored, BETWEEN], [0, 1, 0], given=2, groups=[0, 0]) == [True]


def test_other_languages_are_never_mixed_up() -> None:
    assert needed([NORTH, EAST, BETWEEN], [0, 1, 0], given=2, groups=[0, 1]) == [False]


def test_an_owner_without_texts_needs_some() -> None:
    assert needed([NORTH, EAST], [0, 1], given=1, groups=[0, 0]) == [True]


@given(st.integers(1, 40), st.integers(0, 2**16))
def test_what_is_left_out_is_found_by_what_stays(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count + 3, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    owners = np.concatenate([np.arange(3), rng.integers(0, 3, count)])

    mask = needed_to_find(vectors, owners, given=3, groups=np.zeros(3, np.int64))

    # All fit into one batch, so each was held against the stored ones alone.
    nearest = (vectors[3:] @ vectors[:3].T).argmax(axis=1)
    assert all(nearest[~mask] == owners[3:][~mask])
