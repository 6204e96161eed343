"""A message that only names something else asks the question before about it."""

from __future__ import annotations

import pytest
from understand_turns import answered, asked, turn

from chatbot.types import Decline
from chatbot.understand.acts import new_subject
from chatbot.understand.swapping import about_another, choices_of, swapped
from knowledge.sources.intents import Intent, Slot, Template

PRODUCT = Slot(
    name="product",
    type="choice",
    sticky=True,
    choices={"x5": ["Arvon X5", "X5"], "x5-pro": ["X5 Pro"], "pad": ["Arvon Pad 11", "Pad 11"]},
    ask={"zh": "哪一款？", "en": "Which one?"},
)
DEVICE = Slot(
    name="device",
    type="choice",
    sticky=True,
    choices={
        "phone": ["手机", "phone"],
        "laptop": ["笔记本", "laptop"],
        "tablet": ["平板", "tablet"],
        "earphones": ["耳机"],
    },
    ask={"zh": "什么设备？", "en": "Which device?"},
)
CHOICES = [PRODUCT, DEVICE]


@pytest.mark.parametrize(
    ("before", "text", "asks"),
    [
        ("how much is a new laptop battery", "and for a phone?", "how much is a new phone battery"),
        ("how much is a new laptop battery", "and phones?", "how much is a new phones battery"),
        ("fixing the screen of an X5?", "no wait, the X5 Pro", "fixing the screen of an X5 Pro?"),
        ("how long is the warranty on the X5", "sorry, I meant the tablet, Arvon Pad 11", "how long is the warranty on the Arvon Pad 11"),
        ("手机退货期多久", "不是手机，是耳机", "耳机退货期多久"),
        ("手机退货期多久", "打错了，我是说平板", "平板退货期多久"),
        ("手机退货期多久", "那平板呢", "平板退货期多久"),
    ],
)  # fmt: skip
def test_what_is_named_takes_the_place_of_what_was(before: str, text: str, asks: str) -> None:
    assert swapped(text, before, CHOICES) == asks


@pytest.mark.parametrize(
    ("before", "text"),
    [
        ("how much is a new laptop battery", "and does the phone charge fast?"),
        ("how much is a new laptop battery", "how much is a phone"),
        ("how much is a new laptop battery", "thanks"),
        ("how much is a new laptop battery", "the laptop"),
        ("is the laptop or the phone better", "and the tablet?"),
        ("how long is delivery", "and for a phone?"),
        ("手机退货期多久", "平板多少钱"),
        ("手机退货期多久", "平板和耳机呢"),
    ],
)
def test_a_message_that_says_more_or_names_no_other_is_left_alone(before: str, text: str) -> None:
    assert swapped(text, before, CHOICES) == ""


def test_only_a_question_that_was_looked_up_is_asked_again() -> None:
    question = "how much is a new laptop battery"

    assert about_another("and for a phone?", turn(question, Decline("no_answer")), CHOICES)
    assert about_another("and for a phone?", answered(question, "¥329."), CHOICES)
    assert about_another("and for a phone?", asked(question, "repair", "device"), CHOICES) == ""
    assert about_another("and for a phone?", None, CHOICES) == ""


def test_where_the_customer_named_nothing_of_the_kind_the_answered_question_does() -> None:
    broken = answered("the screen broke, how much", "What does a phone screen cost?")

    assert about_another("sorry, I meant the tablet", broken, CHOICES) == "What does a tablet screen cost?"
    assert about_another("sorry, I meant the tablet", answered("and then?", "How to pay?"), CHOICES) == ""


def test_choices_are_those_that_a_conversation_keeps_speaking_of() -> None:
    way = Slot(
        name="way",
        type="choice",
        sticky=False,
        choices={"mail": ["post"]},
        ask={"en": "How?", "zh": "怎么？"},
    )
    intent = Intent(
        name="repair",
        examples={"en": ["repair it"]},
        slots=[PRODUCT, way],
        templates=[Template(text={"zh": "好", "en": "ok"})],
    )

    assert choices_of([intent]) == [PRODUCT]


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("行吧。再问个别的，以旧换新怎么弄", "以旧换新怎么弄"),
        ("换个话题，手表能游泳吗", "手表能游泳吗"),
        ("something else, how many points do i get", "how many points do i get"),
        ("ok another question: do you ship to peru", "do you ship to peru"),
        ("can i ask something else", ""),
        ("是别的问题", ""),
        ("how does another topic end, tell me", ""),
    ],
)
def test_who_says_that_it_is_about_something_else_begins_anew(text: str, rest: str) -> None:
    assert new_subject(text) == rest
