"""The language, script and tidied form of short noisy messages."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.understand.language import (
    Tongue,
    language_in,
    language_of_locale,
    script_of,
    tidy,
    tongue_of,
)
from knowledge.lexical import simplify


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("我的订单到哪了", "zh"),
        ("where is my order", "en"),
        ("iPhone 15 Pro Max 有货吗", "zh"),
        ("华为 Mate 60 Pro Plus 多少钱", "zh"),
        ("Do you ship to 上海?", "en"),
        ("My page shows 已签收 but I got nothing", "en"),
        ("123", None),
        ("👍", None),
        ("ok", None),
        ("KF20260311", None),
        ("kefu@example.com", None),
        ("refund", "en"),
        ("Galaxy", None),
        ("où est ma commande", "en"),
        ("注文はどこですか", "en"),
        ("где мой заказ", "en"),
        ("請問怎麼退貨", "zh"),
    ],
)
def test_a_message_speaks_the_language_that_most_of_it_is_written_in(text: str, language: str | None) -> None:
    assert language_in(text, known_english=frozenset({"refund"})) == language


def test_what_a_message_leaves_open_is_answered_by_the_conversation_then_the_page_then_the_setting() -> None:
    english = Tongue("en", "Latn", certain=True)

    in_conversation = tongue_of("123", language=None, previous=english, locale="zh-CN", default="zh")
    on_page = tongue_of("123", language=None, previous=None, locale="en-GB", default="zh")
    by_setting = tongue_of("👍", language=None, previous=None, locale=None, default="zh")

    assert (in_conversation.language, on_page.language, by_setting.language) == ("en", "en", "zh")
    assert not by_setting.certain


def test_a_traditional_reader_stays_one_when_a_message_does_not_tell() -> None:
    traditional = Tongue("zh", "Hant", certain=True)

    same_in_both = tongue_of("你好", language="zh", previous=traditional, locale=None, default="zh")
    code = tongue_of("KF20260311", language=None, previous=traditional, locale=None, default="zh")
    first = tongue_of("你好", language="zh", previous=None, locale="zh-TW", default="zh")
    mainland = tongue_of("你好", language="zh", previous=None, locale=None, default="zh")

    assert [tongue.script for tongue in (same_in_both, code, first, mainland)] == [
        "Hant",
        "Hant",
        "Hant",
        "Hans",
    ]


def test_pinyin_is_chinese_in_latin_letters() -> None:
    tongue = tongue_of("wo yao tuihuo", language="zh", previous=None, locale=None, default="en")

    assert (tongue.language, tongue.script) == ("zh", "Latn")


@pytest.mark.parametrize(
    ("text", "script"),
    [("發票怎麼開", "Hant"), ("发票怎么开", "Hans"), ("你好", None), ("hello", "Latn"), ("!!", None)],
)
def test_the_script_is_told_by_characters_that_only_one_script_has(text: str, script: str | None) -> None:
    assert script_of(text) == script


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        ("ＡＢＣ１２３　退\u200b货\ufeff", "ABC123 退货"),
        ("  where   is\tmy order ", "where is my order"),
        ("我的滑鼠壞了", "我的鼠标坏了"),
        ("乾隆", "乾隆"),
        ("\x00\u202e", ""),
    ],
)
def test_a_tidied_message_has_one_form_for_all_ways_to_type_it(text: str, tidied: str) -> None:
    assert tidy(text) == tidied


@given(st.text(max_size=60))
def test_tidying_twice_changes_nothing_more(text: str) -> None:
    once = tidy(text)

    assert tidy(once) == once


def test_retrieval_encodes_the_very_text_that_was_classified(shared_data: Path) -> None:
    with (shared_data / "faq/bank_zh/queries.csv").open(encoding="utf-8-sig") as file:
        queries = [row["query"] for row in csv.DictReader(file)]

    changed = [query for query in map(tidy, queries) if simplify(query) != query]

    assert changed == []


def test_a_locale_of_any_other_language_reads_english() -> None:
    assert [language_of_locale(tag) for tag in ("zh_TW", "yue", "en", "fr-FR", "", None)] == [
        "zh",
        "zh",
        "en",
        "en",
        None,
        None,
    ]
