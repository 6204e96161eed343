"""Chinese typed in Latin letters, and misspelt English."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from pypinyin import lazy_pinyin

from chatbot.understand.language import ENGLISH_FUNCTION_WORDS
from chatbot.understand.pinyin import PinyinReader
from chatbot.understand.spelling import Speller

WORDINGS = [
    "我要退款",
    "怎么退货",
    "我的订单到哪了",
    "女士手表多少钱",
    "西安能送吗",
    "订单号是多少",
    "快递太慢了",
    "我要转人工",
]


@pytest.fixture(scope="module")
def reader() -> PinyinReader:
    return PinyinReader(WORDINGS, english=ENGLISH_FUNCTION_WORDS | {"change", "language", "can"})


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("wo yao tui kuan", "我要退款"),
        ("zenme tuihuo?", "怎么退货?"),
        ("wodedingdandaonale", "我的订单到哪了"),
        ("nvshi shoubiao duoshao qian", "女士手表多少钱"),
        ("xi'an neng song ma", "西安能送吗"),
        ("wo de dingdanhao shi KF20260311", "我的订单号是KF20260311"),
        ("ZENME TUIHUO", "怎么退货"),
    ],
)
def test_pinyin_becomes_the_characters_that_the_company_uses(
    reader: PinyinReader, typed: str, read: str
) -> None:
    assert reader.read(typed) == read


@pytest.mark.parametrize(
    "typed",
    [
        "where is my order",
        "change language",
        "can",
        "de",
        "KF20260311",
        "",
        "你好",
        "wo " * 80,
        "xyz wo",
        "kuang zhuang shuai",
    ],
)
def test_what_is_not_pinyin_of_the_company_s_words_is_left_alone(reader: PinyinReader, typed: str) -> None:
    assert reader.read(typed) is None


def test_a_reader_without_chinese_wordings_reads_nothing() -> None:
    assert PinyinReader(["only English"]).read("wo yao tui kuan") is None


def test_most_real_questions_survive_pinyin_and_english_ones_are_not_touched(shared_data: Path) -> None:
    wordings = _column(shared_data / "faq/bank_zh/faq.csv", "question")
    reader = PinyinReader(wordings, english=ENGLISH_FUNCTION_WORDS)
    queries = [
        query for query in _column(shared_data / "faq/bank_zh/queries.csv", "query")[:300] if len(query) < 20
    ]
    english = _column(shared_data / "intents/banking77/test.csv", "text")[:1000]

    recognised = [reader.read(" ".join(lazy_pinyin(query))) for query in queries]
    mistaken = [text for text in english if reader.read(text)]

    assert sum(read is not None for read in recognised) >= 0.95 * len(queries)
    assert mistaken == []


def _column(path: Path, name: str) -> list[str]:
    with path.open(encoding="utf-8-sig") as file:
        return [row[name] for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def speller() -> Speller:
    return Speller(
        [
            "where is my order",
            "the order is late",
            "I want a refund",
            "return the headphones",
            "approve the loan",
        ]
    )


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("wher is my oder", "where is my order"),
        ("I want a refnud", "I want a refund"),
        ("Refudn please", "Refund please"),
        ("my headphnoess", "my headphones"),
    ],
)
def test_a_slip_in_a_word_that_the_company_uses_is_mended(speller: Speller, typed: str, meant: str) -> None:
    assert speller.correct(typed) == meant


@pytest.mark.parametrize(
    "typed",
    [
        "my IPHONE and OnePlus",
        "KF20260311 oder@example.com",
        "small items",
        "orders ordered",
        "a new load",
        "approved",
        "meant",
    ],
)
def test_names_codes_and_other_words_stay_as_they_are(speller: Speller, typed: str) -> None:
    assert speller.correct(typed) == typed


@pytest.mark.parametrize("typed", ["my boot", "in cash", "the weather", "it is a touch screen"])
def test_good_english_that_the_company_never_writes_stays(typed: str) -> None:
    speller = Speller(["boost the volume", "it crashed", "whether it is torch", "the screens"])

    assert speller.correct(typed) == typed


def test_a_speller_without_english_wordings_changes_nothing() -> None:
    assert Speller([]).correct("wher is my oder") == "wher is my oder"
