"""What messages and conversations say about slots."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from understand_turns import asked, told, turn

from chatbot.understand.choices import place_in_list
from chatbot.understand.slots import (
    carried,
    day_of,
    fill,
    known_values,
    resembles,
    stated_values,
    telling_values,
    values_in,
)
from knowledge.sources.intents import Intent, Slot, Template

TODAY = date(2026, 3, 11)
ASK = {"zh": "请告诉我订单号，例如 KF20260001。", "en": "Your order number?"}
ORDER = Slot(name="order_id", type="pattern", pattern=r"KF\d{8}", ask=ASK)
REASON = Slot(name="reason", type="text", ask=ASK, sticky=False)
COLOUR = Slot(
    name="colour",
    type="choice",
    choices={"black": ["黑色", "黑"], "dark_red": ["dark red", "深红"], "red": ["red", "红色"]},
    labels={"black": {"zh": "曜石黑"}},
    ask=ASK,
)
RETURN = Intent(name="return_goods", slots=[ORDER, REASON, COLOUR], templates=[Template(text={"zh": "好"})])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("订单KF20260311到哪了", ["KF20260311"]),
        ("my order is kf20260311.", ["KF20260311"]),
        ("KF 2026 0311", ["KF20260311"]),
        ("kf-2026-0311", ["KF20260311"]),
        ("KF20260311和KF20260312", ["KF20260311", "KF20260312"]),
        ("not KF20260311 but KF20260312", ["KF20260312"]),
        ("不是KF20260311，是KF20260312", ["KF20260312"]),
        ("XKF202603119", []),
        ("20260311", []),
    ],
)
def test_a_pattern_is_found_however_it_is_typed_and_not_when_denied(text: str, found: list[str]) -> None:
    assert values_in(ORDER, text, today=TODAY) == found


def test_digits_alone_are_the_order_number_only_when_the_bot_asked_for_it() -> None:
    assert values_in(ORDER, "20260311", today=TODAY, asked=True) == ["KF20260311"]
    assert values_in(ORDER, "2026", today=TODAY, asked=True) == []


def test_a_pattern_without_a_fixed_prefix_and_in_mixed_case_is_kept_as_typed() -> None:
    slot = Slot(name="code", type="pattern", pattern=r"^[A-Za-z]\d{3}$", ask=ASK)

    assert values_in(slot, "code a123", today=TODAY) == ["a123"]
    assert values_in(slot, "123", today=TODAY, asked=True) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("我要黑色的", ["black"]),
        ("曜石黑", ["black"]),
        ("a dark red one", ["dark_red"]),
        ("Reds please", ["red"]),
        ("not black, red", ["red"]),
        ("credit", []),
    ],
)
def test_a_choice_is_found_by_its_words_and_the_longest_wins(text: str, found: list[str]) -> None:
    assert values_in(COLOUR, text, today=TODAY) == found


@pytest.mark.parametrize(
    ("text", "found"), [("1", ["black"]), ("第二个", ["dark_red"]), ("blakc", ["black"]), ("whatever", [])]
)
def test_a_choice_may_be_picked_by_place_or_misspelt_when_asked(text: str, found: list[str]) -> None:
    assert values_in(COLOUR, text, today=TODAY, asked=True) == found
    assert values_in(COLOUR, text, today=TODAY) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("2", 1),
        ("第二个", 1),
        ("the second one", 1),
        ("最后一个", 2),
        ("option 3", 2),
        ("last", 2),
        ("选1", 0),
        ("5", None),
        ("two shirts", None),
    ],
)
def test_a_place_in_a_list_is_read_from_numbers_and_ordinals(text: str, place: int | None) -> None:
    assert place_in_list(text, 3) == place


def test_a_number_counts_unasked_only_when_it_is_the_only_one() -> None:
    slot = Slot(name="count", type="number", ask=ASK)

    assert values_in(slot, "我要3个", today=TODAY) == ["3"]
    assert values_in(slot, "between 3 and 5", today=TODAY) == []
    assert values_in(slot, "between 3 and 5", today=TODAY, asked=True) == ["3", "5"]
    assert values_in(slot, "两个吧", today=TODAY, asked=True) == ["2"]
    assert values_in(slot, "不知道", today=TODAY, asked=True) == []


@pytest.mark.parametrize(
    ("type_", "text", "found"),
    [
        ("date", "明天送", ["2026-03-12"]),
        ("email", "write to Li.Lei+1@Example.com", ["li.lei+1@example.com"]),
        ("phone", "我的手机 138 0013 8000", ["13800138000"]),
        ("phone", "+86-13800138000", ["13800138000"]),
        ("phone", "call +1 415-555-2671", ["+14155552671"]),
        ("phone", "座机 010-62781234", ["01062781234"]),
        ("phone", "order 20260311", []),
    ],
)
def test_dates_addresses_and_phones_are_found(type_: str, text: str, found: list[str]) -> None:
    slot = Slot.model_validate({"name": "value", "type": type_, "ask": ASK})

    assert values_in(slot, text, today=TODAY) == found


def test_free_text_is_a_value_only_when_asked_for() -> None:
    assert values_in(REASON, "because the screen is broken.", today=TODAY, asked=True) == [
        "the screen is broken"
    ]
    assert values_in(REASON, "the screen is broken", today=TODAY) == []
    assert values_in(REASON, "。", today=TODAY, asked=True) == []


def test_the_conversation_remembers_every_value_and_the_latest_mention_is_last() -> None:
    history = [
        asked("退货", "return_goods", "order_id"),
        turn("KF20260311 or KF20260312", act="inform"),
        told("KF20260311", "return_goods", order_id="KF20260311"),
    ]

    assert known_values(history, ORDER) == ["KF20260312", "KF20260311"]


def test_examples_in_the_bot_s_question_are_nobody_s_values() -> None:
    history = [told("KF20260001?", "return_goods")]

    assert known_values(history, ORDER) == []


def test_free_text_is_remembered_only_where_it_was_understood_as_such() -> None:
    history = [turn("broken screen"), told("it is broken", "return_goods", reason="it is broken")]

    assert known_values(history, REASON) == ["it is broken"]


def test_sticky_slots_are_carried_to_another_intent_and_others_are_not() -> None:
    history = [told("查订单", "order_status", order_id="KF20260311", reason="late")]

    assert carried(RETURN, history, continues=False) == {"order_id": "KF20260311"}


def test_everything_said_for_a_task_holds_while_it_goes_on() -> None:
    history = [asked("退货", "return_goods", "order_id", reason="late")]

    held = fill(RETURN, "KF20260311 black", history, today=TODAY, asked="order_id", continues=True)

    assert held == {"order_id": "KF20260311", "reason": "late", "colour": "black"}


def test_nothing_is_held_at_the_start() -> None:
    assert fill(RETURN, "你好", [], today=TODAY) == {}


def test_tomorrow_starts_at_the_customer_s_midnight() -> None:
    late = datetime(2026, 3, 11, 20, tzinfo=UTC)

    assert day_of(late, ZoneInfo("Asia/Shanghai")) == date(2026, 3, 12)
    assert day_of(late, None) == date(2026, 3, 11)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("KF20260311 and KF20260312, when does the first one arrive?", "KF20260311"),
        ("KF20260311和KF20260312，第二个到哪了", "KF20260312"),
        ("KF20260311、KF20260312，前一个发了吗", "KF20260311"),
        ("KF20260311 or KF20260312? the latter", "KF20260312"),
        ("I have KF20260311, no, KF20260312", "KF20260312"),
    ],
)
def test_of_two_numbers_the_one_whose_place_is_named_is_meant(text: str, value: str) -> None:
    assert fill(RETURN, text, [], today=TODAY)["order_id"] == value


def test_of_two_choices_the_first_is_meant_unless_the_last_takes_it_back() -> None:
    assert fill(RETURN, "red or black?", [], today=TODAY)["colour"] == "red"
    assert fill(RETURN, "mostly red, but black at the bottom", [], today=TODAY)["colour"] == "black"


@pytest.mark.parametrize(
    ("text", "named"),
    [("and the 14?", "boreal-14"), ("what about tarn", "tarn-book"), ("how many 16s are left", "boreal-16"), ("how much is it over a year", None), ("and the boreal", None)],
)  # fmt: skip
def test_a_word_that_only_one_choice_has_names_it_where_a_choice_was_spoken_of(
    text: str, named: str | None
) -> None:
    choices = {"boreal-14": ["Boreal 14"], "boreal-16": ["Boreal 16"], "tarn-book": ["Tarn Book", "over-ear"]}
    product = Slot(name="product", type="choice", choices=choices, ask=ASK)
    stock = Intent(name="stock", slots=[product], templates=[Template(text={"zh": "有"})])

    assert telling_values(stock, {"product": "boreal-16"}, text).get("product") == named
    assert telling_values(stock, {}, text) == {}


def test_a_message_that_names_nothing_is_about_the_choice_that_was_named_last() -> None:
    choices = {"boreal-14": ["Boreal 14"], "hush-one": ["Hush One"]}
    product = Slot(name="product", type="choice", choices=choices, ask=ASK)
    price = Intent(name="price", slots=[product], templates=[Template(text={"zh": "有"})])
    history = [
        turn("is the boreal 14 loud"),
        turn("and do the hush one work on planes"),
        turn("with an empty battery?"),
    ]

    assert fill(price, "price?", history, today=TODAY, brief=True) == {"product": "hush-one"}
    assert fill(price, "price of the lamp?", history, today=TODAY) == {}
    assert fill(price, "is the boxed one cheaper", history[:2], today=TODAY) == {"product": "hush-one"}
    assert fill(price, "and the 14?", history, today=TODAY, brief=True) == {"product": "boreal-14"}
    once = price.model_copy(update={"slots": [product.model_copy(update={"sticky": False})]})
    assert fill(once, "price?", history, today=TODAY, brief=True) == {}


def test_what_the_customer_stated_is_listed_in_its_first_order() -> None:
    history = [turn("KF20260311 and KF20260312"), turn("KF20260311 again")]

    assert stated_values(history, ORDER) == ["KF20260311", "KF20260312"]


@pytest.mark.parametrize(("text", "is_one"), [("KF2026031", True), ("kf202603111。", True), ("KF", False), ("my KF2026031", False), ("XY2026031", False)])  # fmt: skip
def test_a_number_with_a_digit_too_few_or_too_many_is_recognised_as_one(text: str, *, is_one: bool) -> None:
    assert resembles(ORDER, text) is is_one
