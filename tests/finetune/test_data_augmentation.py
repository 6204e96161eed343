"""Varied questions are what other customers would have typed; what the answer turns on stays."""

from __future__ import annotations

import random
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune.data.augmentation import Kind, varied, vary
from finetune.data.division import LIKENESS
from finetune.data.values import Example, Labelled, Pair
from knowledge.clean import near_duplicates

KINDS: tuple[Kind, ...] = get_args(Kind)
ZH, EN = "你好，LM2026010033 可以改地址吗？", "How do I cancel order LM2026010033 for my phone?"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("text", "locale"), [(ZH, "zh"), (EN, "en")])
def test_the_order_number_stays_whatever_is_varied(kind: Kind, text: str, locale: str) -> None:
    for seed in range(20):
        changed = vary(text, kind, locale, random.Random(seed))

        folded = "".join(chr(ord(one) - 0xFEE0) if "！" <= one <= "～" else one for one in changed)
        assert "LM2026010033" in folded


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.sampled_from(KINDS), st.sampled_from(["zh", "en", "fr"]), st.integers(0, 99))
def test_any_text_can_be_varied_and_a_seed_gives_one_result(
    text: str, kind: Kind, locale: str, seed: int
) -> None:
    assert vary(text, kind, locale, random.Random(seed)) == vary(text, kind, locale, random.Random(seed))


def test_placeholders_and_addresses_stay_in_every_kind() -> None:
    text = "我的电话是[phone]，邮箱 help@shop.example，订单怎么取消？"
    for kind in KINDS:
        changed = vary(text, kind, "zh", random.Random(1))

        assert "[phone]" in changed
        assert "help@shop.example" in changed


def test_each_kind_does_what_its_name_says() -> None:
    draw = random.Random(3)

    assert vary("怎么取消订单？", "pinyin", "zh", draw) == "zen me qu xiao ding dan?"
    assert vary("怎么取消订单？", "traditional", "zh", draw) == "怎麼取消訂單？"
    assert vary("cancel my order", "width", "en", draw) == "ｃａｎｃｅｌ ｍｙ ｏｒｄｅｒ"
    assert "order" in vary("订单在哪", "code_switch", "zh", draw)
    assert vary("How do I pay?", "paraphrase", "en", draw) != "How do I pay?"
    assert len(vary("cancel my order", "typo", "en", draw)) in (14, 15)


def pairs(count: int = 40) -> list[Pair]:
    return [
        Pair(f"how do I return item {number} with a broken cover", "faq:1", "en", f"w{number}", "faq")
        for number in range(count)
    ]


def test_copies_are_of_the_wanted_share_and_the_same_again_for_a_seed() -> None:
    rows = pairs(200)

    half, again, other = (varied(rows, seed=seed, share=0.5) for seed in (0, 0, 1))

    assert half == again != other
    assert 70 < len(half) < 130
    assert all(copy.source.startswith("faq~") and copy.answer_id == "faq:1" for copy in half)


def test_the_answer_and_the_earlier_messages_of_an_example_are_never_touched() -> None:
    messages = (("user", "hello, my lamp"), ("assistant", "Yes?"), ("user", "how do I return my order?"))
    row = Example("a", "en", "compose", messages, "Within 30 days.", "c", "log")

    [copy] = varied([row], seed=0)

    assert copy.answer == row.answer
    assert copy.messages[:2] == row.messages[:2]
    assert copy.messages[2] != row.messages[2]
    assert copy.id != row.id


def test_a_copy_that_comes_near_to_what_is_held_out_is_thrown_away() -> None:
    rows = [Labelled("how do i cancel my order for the blue lamp", "cancel", "en", "a", "log")]
    copies = varied(rows, seed=0)

    kept = varied(rows, seed=0, held_out=[copies[0].text])

    assert copies
    assert not kept
    assert (
        near_duplicates([copies[0].text, rows[0].text], likeness=LIKENESS) or copies[0].text != rows[0].text
    )
