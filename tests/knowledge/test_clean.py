"""Promises of the normal form of questions, of guessed languages, and of near-duplicates."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.clean import duplicate_groups, language_of, near_duplicates, normalise


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("怎么退货？", "怎么退货"),
        ("請問，怎麼退貨？？", "请问怎么退货"),
        ("怎 么 退 货", "怎么退货"),
        ("怎么退货😊", "怎么退货"),
        ("ＶＩＰ会员", "vip会员"),
        ("iPhone 怎么退", "iphone怎么退"),
        ("How do I reset  my PASSWORD?!", "how do i reset my password"),
        ("don’t panic", "don't panic"),
        ("Where\nis my\torder", "where is my order"),
        ("re\u200bset", "reset"),
        ("cafe\u0301", "café"),
        ("E‑mail", "e-mail"),
        ("￥５０", "¥50"),
    ],
)
def test_spellings_of_one_question_are_equal(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C++", "C#"),
        ("C", "C++"),
        ("3.5 折", "35 折"),
        ("50%", "50"),
        ("$5", "¥5"),
        ("怎么退货", "怎么换货"),
        ("？？", "！！"),
        ("👍", "👎"),
        ("a@b.com", "ab.com"),
    ],
)
def test_signs_that_tell_questions_apart_stay(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


@given(st.text(max_size=80))
def test_only_a_blank_text_becomes_empty(text: str) -> None:
    assert bool(normalise(text)) == bool(text.strip()) or not any(map(str.isprintable, text))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("怎么退货", "zh"),
        ("iPhone 15 Pro Max 怎么退货", "zh"),
        ("How do I return it?", "en"),
        ("What does 客服 mean?", "en"),
        ("请看 https://example.com/how-to-return-your-order", "zh"),
        ("12345", "zh"),
        ("", "zh"),
    ],
)
def test_the_language_of_a_text_is_that_of_most_of_its_words(text: str, language: str) -> None:
    assert language_of(text) == language


def test_what_holds_no_language_takes_the_default() -> None:
    assert language_of("https://example.com 12", default="en") == "en"


def test_questions_that_say_nearly_the_same_are_found() -> None:
    texts = [
        "How do I reset my password?",
        "怎么修改收货地址",
        "How do I reset my pasword",
        "請問怎麼修改收貨地址？",
        "Where is my order?",
    ]

    groups = duplicate_groups(texts, likeness=0.6)

    assert groups == [[0, 2], [1, 3]]


def test_equal_texts_are_wholly_alike() -> None:
    (pair,) = near_duplicates(["怎么退货", "x", "怎麼退貨！"])

    assert (pair.first, pair.second, pair.likeness) == (0, 2, 1.0)


@given(
    st.lists(st.text(alphabet="abc 退货", max_size=12), max_size=12),
    st.sampled_from([0.3, 0.5, 0.6, 0.75, 0.8, 0.9, 1.0]),
)
def test_the_quick_search_finds_what_comparing_all_pairs_finds(texts: list[str], likeness: float) -> None:
    def grams(text: str) -> set[str]:
        padded = f" {normalise(text)} "
        return {padded[start : start + 3] for start in range(len(padded) - 2)}

    expected = set()
    for first, second in combinations(range(len(texts)), 2):
        one, other = grams(texts[first]), grams(texts[second])
        if one and other and len(one & other) / len(one | other) >= likeness:
            expected.add((first, second))

    found = {(pair.first, pair.second) for pair in near_duplicates(texts, likeness=likeness)}

    assert found == expected


@pytest.mark.parametrize("likeness", [0.0, 1.1, -1.0])
def test_a_likeness_outside_its_range_is_refused(likeness: float) -> None:
    with pytest.raises(ValueError, match="likeness is"):
        near_duplicates([], likeness=likeness)
