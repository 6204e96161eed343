"""How a customer feels."""

from __future__ import annotations

import pytest

from chatbot.types import UNHAPPY
from chatbot.understand.sentiment import sentiment_of


@pytest.mark.parametrize(
    "text",
    [
        "太差了！！！",
        "你们是骗子",
        "垃圾客服，气死我了",
        "this is terrible!!",
        "WHERE IS MY ORDER THIS IS RIDICULOUS",
        "😡",
        "fuck you",
    ],
)
def test_anger_is_strongly_negative(text: str) -> None:
    assert sentiment_of(text) <= -0.6


@pytest.mark.parametrize("text", ["非常满意", "很好，谢谢", "I love it", "great, thanks a lot", "👍"])
def test_praise_is_positive(text: str) -> None:
    assert sentiment_of(text) >= 0.4


@pytest.mark.parametrize("text", [
        "怎么退货", "where is my order", "KF20260311", "", "我的订单到哪了",
        "tell me a joke while im here", "sorry wrong one, i mean the camera",
    ],
)  # fmt: skip
def test_a_plain_question_is_neutral(text: str) -> None:
    assert sentiment_of(text) == 0.0


@pytest.mark.parametrize(
    ("praise", "denied"), [("好用", "不好用"), ("this is good", "this is not good"), ("满意", "不满意")]
)
def test_a_denied_praise_is_a_complaint(praise: str, denied: str) -> None:
    assert sentiment_of(denied) < 0 < sentiment_of(praise)


def test_what_is_called_a_joke_or_wrong_is_a_complaint() -> None:
    assert sentiment_of("your support is a joke") <= UNHAPPY
    assert sentiment_of("this is all wrong") < 0


def test_not_bad_is_no_complaint() -> None:
    assert sentiment_of("not bad") >= 0


def test_exclamation_makes_anger_stronger() -> None:
    assert sentiment_of("太慢了！！！") < sentiment_of("太慢了")
