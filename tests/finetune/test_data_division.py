"""A conversation is in one split, near-duplicates are together, and nothing is learned from the future."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from data_cases import START
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune.data.division import LIKENESS, Division, check_leaks, divide
from finetune.data.values import DataError, LeakError, Pair, Row
from knowledge.clean import near_duplicates

WORDS = [
    "parcel",
    "refund",
    "lamp",
    "kettle",
    "address",
    "invoice",
    "coupon",
    "delivery",
    "warranty",
    "battery",
    "screen",
    "colour",
    "price",
    "shop",
]


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """Questions of few words, so that many are nearly the same, in conversations of which half have a date."""
    found: list[Row] = []
    for number in range(draw(st.integers(3, 25))):
        at = START + timedelta(hours=draw(st.integers(0, 40))) if draw(st.booleans()) else None
        for _ in range(draw(st.integers(1, 3))):
            question = " ".join(draw(st.lists(st.sampled_from(WORDS), min_size=2, max_size=6)))
            found.append(Pair(question, "faq:1", "en", f"c{number}", "log", (), f"c{number}", at))
    return found


@settings(max_examples=60, deadline=None)
@given(rows(), st.integers(0, 3), st.sampled_from([0.05, 0.1, 0.3]))
def test_no_conversation_is_in_two_splits_no_near_duplicate_crosses_and_time_is_kept(
    found: list[Row], seed: int, held_out: float
) -> None:
    division = divide({"retriever": found}, held_out=held_out, seed=seed)

    homes = {row.conversation_id: division.of(row) for row in found}
    assert all(homes[row.conversation_id] == division.of(row) for row in found)
    for pair in near_duplicates([row.key for row in found], likeness=LIKENESS):
        assert division.of(found[pair.first]) == division.of(found[pair.second])
    if division.valid_from:
        assert all(row.at < division.valid_from for row in found if row.at and division.of(row) == "train")
    check_leaks({"retriever": found}, division)


@settings(max_examples=20, deadline=None)
@given(rows(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(found: list[Row], random: object) -> None:
    mixed = list(found)
    random.shuffle(mixed)  # type: ignore[attr-defined]

    assert divide({"a": found}, held_out=0.1, seed=1) == divide({"a": mixed}, held_out=0.1, seed=1)


def many(count: int = 100) -> list[Row]:
    return [
        Pair(f"{number:b} {WORDS[number % 14]} {number * 7919 % 1000}", "faq:1", "en", f"c{number}", "log", (), f"c{number}", START + timedelta(days=number))
        for number in range(count)
    ]  # fmt: skip


def test_the_newest_are_the_test_and_those_before_them_the_validation() -> None:
    found = many()

    division = divide({"retriever": found}, held_out=0.1, seed=0)

    splits = [division.of(row) for row in found]
    assert splits == sorted(splits, key=["train", "valid", "test"].index)
    assert [splits.count(split) for split in ("train", "valid", "test")] == [80, 10, 10]


def test_without_dates_about_the_share_is_held_out_and_the_seed_decides_which() -> None:
    found: list[Row] = [replace(row, at=None) for row in many() if isinstance(row, Pair)]

    first, again, other = (divide({"retriever": found}, held_out=0.1, seed=seed).splits for seed in (0, 0, 1))

    assert first == again != other
    assert list(first.values()).count("test") == 10


def test_a_conversation_is_in_the_same_split_of_all_datasets() -> None:
    pairs = many(30)
    others: Sequence[Row] = [
        replace(row, question=f"{row.question} again and again")
        for row in pairs[::2]
        if isinstance(row, Pair)
    ]

    division = divide({"retriever": pairs, "intents": others}, held_out=0.2, seed=0)

    check_leaks({"retriever": pairs, "intents": others}, division)
    assert {division.of(row) for row in others} == {"train", "valid", "test"}


def test_a_near_duplicate_in_two_splits_is_a_loud_error() -> None:
    twins: list[Row] = [
        Pair(text, "faq:1", "en", unit, "log")
        for text, unit in (("where is my blue lamp", "a"), ("where is my blue lamp?", "b"))
    ]

    with pytest.raises(LeakError, match="nearly"):
        check_leaks({"retriever": twins}, Division({"a": "train", "b": "test"}, None, None))


def test_a_conversation_in_two_splits_is_a_loud_error() -> None:
    torn: list[Row] = [
        Pair("return the lamp", "faq:1", "en", "a", "log", (), "c1"),
        Pair("invoice for a kettle", "faq:2", "en", "b", "log", (), "c1"),
    ]

    with pytest.raises(LeakError, match="'c1' is in train and in test"):
        check_leaks({"retriever": torn}, Division({"a": "train", "b": "test"}, None, None))


def test_learning_from_the_future_is_a_loud_error() -> None:
    late: list[Row] = [Pair("return the lamp", "faq:1", "en", "a", "log", (), "a", START + timedelta(days=9))]

    with pytest.raises(LeakError, match="after 2026-01-05"):
        check_leaks({"retriever": late}, Division({"a": "train"}, START, None))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_a_share_that_leaves_nothing_to_learn_from_is_refused(share: float) -> None:
    with pytest.raises(DataError, match="twice"):
        divide({"retriever": many(5)}, held_out=share, seed=0)
