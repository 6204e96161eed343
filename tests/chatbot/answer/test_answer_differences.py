"""What two answers to one question are said to contradict each other in."""

from __future__ import annotations

import csv
import re
from importlib.resources import files

import pytest

from chatbot.answer.differences import differences


def told(one: str, other: str) -> list[str]:
    return [f"{differs.about}: {differs}" for differs in differences(one, other)]


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (
            "You can return it within 15 days.",
            "Items go back to us within 7 days of delivery.",
            "duration: 15 days / 7 days",
        ),
        ("签收后15天内可以退货。", "收到货7天内都能退。", "duration: 15天 / 7天"),
        ("Delivery takes 3-5 days.", "It arrives after 7 to 9 days.", "duration: 3-5 days / 7 to 9 days"),
        ("It takes 3 days.", "It takes 3 business days.", "duration: 3 days / 3 business days"),
        ("Delivery takes 2-4 days.", "Delivery takes 2-8 days.", "duration: 2-4 days / 2-8 days"),
        ("运费10元。", "快递费是 ¥12。", "price: 10元 / ¥12"),
        ("Wrapping costs $3.", "A present is wrapped for €3.", "price: $3 / €3"),
        ("打九折，即优惠10%。", "会员优惠百分之十五。", "share: 10% / 百分之十五"),
        (
            "You can store 5 addresses.",
            "At most 10 addresses are kept.",
            "number: 5 addresses / 10 addresses",
        ),
        ("The sale ends on 1 July.", "The sale runs until July 8.", "date: 1 July / July 8"),
        ("We are open from 9:00 to 18:00.", "Open 9 am to 8 pm.", "time: 18:00 / 8 pm"),
        ("Open Monday to Friday.", "Open Monday to Sunday.", "weekday: Friday / Sunday"),
        ("Call 400-800-1234.", "Our number is 400-800-5678.", "phone: 400-800-1234 / 400-800-5678"),
        ("Write to a@shop.example.", "Write to b@shop.example.", "email: a@shop.example / b@shop.example"),
    ],
)
def test_values_that_differ_are_named_side_by_side(one: str, other: str, said: str) -> None:
    assert told(one, other) == [said]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("You have 30 days.", "You have one month, that is 30 days."),
        ("保修一年。", "The warranty is 365 days."),
        ("It takes 48 hours.", "It takes two days."),
        ("Delivery takes 3-5 days.", "Delivery takes 4 days."),
        ("运费¥10。", "运费十元。"),
        ("Within 15 days, for free.", "Within 15 days. A refund takes 3 days."),
        ("Open from 9:00 to 18:00.", "Call us from 9 am to 6 pm."),
        ("1. Open 'My orders'. 2. Choose 'Return'.", "1. Log in. 2. Open the order. 3. Choose 'Return'."),
        ("Yes, within 15 days.", "You can, for 15 days."),
        ("No problem, just write to us.", "Yes, write to us."),
        ("没问题，直接联系客服。", "可以，直接联系客服。"),
        ("Returned items are checked.", "Opened items cannot be sold again."),
        ("发货前可以取消订单。", "发货后不能取消订单。"),
        (
            "Items can be returned. Opened headphones cannot be returned.",
            "Opened headphones cannot be returned.",
        ),
        ("", ""),
    ],
)
def test_what_may_both_be_true_is_no_contradiction(one: str, other: str) -> None:
    assert told(one, other) == told(other, one) == []


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ("Yes, for 3 days.", "No.", "yes_no: Yes / No"),
        ("可以，在订单页申请。", "不可以。", "yes_no: 可以 / 不可以"),
        ("您好，可以的，亲。", "很抱歉，暂不支持货到付款。", "yes_no: 可以的 / 暂不支持货到付款"),
        ("Hi, of course!", "Unfortunately, we do not.", "yes_no: of course / Unfortunately"),
    ],
)
def test_a_yes_beside_a_no_is_said_whatever_politeness_stands_before(one: str, other: str, said: str) -> None:
    assert told(one, other) == [said]
    assert len(told(other, one)) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Opened headphones can be returned.", "You cannot return opened headphones."),
        ("发货后可以取消订单。", "发货后无法取消订单。"),
        ("We ship to Canada.", "We don't ship to Canada."),
    ],
)
def test_a_sentence_that_the_other_answer_denies_is_a_contradiction(one: str, other: str) -> None:
    [differs] = differences(one, other)
    [back] = differences(other, one)

    assert differs.about == "negation"
    assert {differs.one, differs.other} == {back.one, back.other}


def test_long_sentences_are_cut_and_long_lists_too() -> None:
    one = "We can send parcels with furniture, lamps and carpets to every island in the northern sea."
    other = "We can not send parcels with furniture, lamps and carpets to every island in the northern sea."
    [denied] = differences(one, other)
    [many] = differences("1 kg, 2 kg, 3 kg, 4 kg", "5 kg")

    assert max(len(denied.one), len(denied.other)) <= 48
    assert denied.one.endswith("…")
    assert many.one == "1 kg, 2 kg, 3 kg"


DEMO = [
    {
        row["id"].removesuffix(f"-{locale}"): row["answer"]
        for row in csv.DictReader(
            files("knowledge").joinpath(f"data/demo/faq_{locale}.csv").read_text("utf-8").splitlines()
        )
    }
    for locale in ("en", "zh")
]
COUNTED = re.compile(r"\d+(?= (?:days|hours|minutes)\b| ?(?:天|小时|分钟))")


def test_an_answer_and_its_translation_hardly_ever_contradict_each_other() -> None:
    english, chinese = DEMO

    odd = [name for name in english if differences(english[name], chinese[name])]

    assert len(english) > 100
    assert len(odd) <= 0.02 * len(english)


@pytest.mark.parametrize("answers", DEMO, ids=["en", "zh"])
def test_an_answer_in_which_a_term_was_exchanged_contradicts_what_it_was(answers: dict[str, str]) -> None:
    exchanged = {
        text: COUNTED.sub(lambda match: str(int(match.group()) * 3 + 1), text)
        for text in answers.values()
        if COUNTED.search(text)
    }

    missed = [text for text, other in exchanged.items() if not differences(text, other)]

    assert len(exchanged) > 50
    assert len(missed) <= 0.05 * len(exchanged), missed
