"""What is said where a conversation went before, or a message asks more than one thing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_answer_say import FAQ, reply

from chatbot.answer import fixed
from chatbot.answer.talk import put_right
from chatbot.answer.webhook import Fetched
from chatbot.types import AnswerFrom, AskSlot, Clarify, Decline, Handoff, Option, Several, UseTemplate
from knowledge.sources.intents import Slot
from knowledge.types import Passage


def test_the_rule_is_told_word_for_word_before_the_own_case_is_asked_for() -> None:
    said = reply(AskSlot("order_status", "order_id", passage_id="f1"), FAQ, language="zh")

    assert said.text == f"{FAQ.text}\n\n如果要看您自己的情况：请问订单号？"
    assert [source.passage_id for source in said.citations] == ["f1"]
    assert said.quick_replies == ("查订单",)


def test_several_questions_are_answered_one_by_one_with_all_sources() -> None:
    both = Several((AnswerFrom(("f1",), verbatim=True), AskSlot("order_status", "order_id")))

    said = reply(both, FAQ, language="zh")

    assert said.text == f"{FAQ.text}\n\n请问订单号？"
    assert [source.passage_id for source in said.citations] == ["f1"]


def test_a_template_that_was_just_said_is_called_all_that_is_known() -> None:
    use = UseTemplate("order_status", {"order_id": "LM1234"})
    found = Fetched("found", {"status": "sent"})
    first = reply(use, fetched=found)

    again = reply(use, fetched=found, before=first)

    assert again.text == f"This is all I can see about it:\n{first.text}"
    assert reply(use, fetched=found, before=again).text == again.text


def test_asked_again_it_tells_what_more_the_service_knows() -> None:
    use = UseTemplate("order_status", {"order_id": "LM1234"})
    found = Fetched("found", {"status": "sent", "eta": "24 November"})
    first = reply(use, fetched=found)

    again = reply(use, fetched=found, before=first)

    # Neither what holds for another state nor half a sentence.
    assert first.text == "Order LM1234 is on its way."
    assert again.text == f"This is all I can see about it:\n{first.text}\nIt should come on 24 November."
    assert reply(use, fetched=found, before=again).text == again.text


def test_an_angry_customer_reads_a_word_of_regret_once() -> None:
    told = reply(AnswerFrom(("f1",), verbatim=True), FAQ, language="zh", sentiment=-0.8)
    declined = reply(Decline("no_answer"), sentiment=-0.8)
    person = reply(Handoff("requested"), sentiment=-0.8)

    assert told.text == f"非常抱歉给您添麻烦了。{FAQ.text}"
    assert declined.text.lower().count("sorry") == 1
    assert "sorry" not in person.text.lower()


def test_when_there_is_nothing_more_the_bot_says_so_and_offers_a_person() -> None:
    said = reply(Decline("nothing_more"))

    assert said.text.startswith("Beyond what I said above")
    assert said.quick_replies == ("Talk to a person",)


def test_declining_what_is_nearly_known_offers_the_nearest_questions_of_the_customers_language() -> None:
    english = Passage("f2", "We do.", "Do you rent phones?", "faq", "en")
    document = Passage("d1", "Rent.", "Renting", "document", "en")

    near = reply(Decline("no_answer"), document, english, FAQ)
    strange = reply(Decline("out_of_scope"), english)

    assert near.quick_replies == ("Do you rent phones?", "Talk to a person")
    assert "one of them may be yours" in near.text
    assert "Do you rent phones?" not in strange.quick_replies


def test_a_single_option_is_confirmed_in_one_sentence() -> None:
    said = reply(Clarify((Option("Where is my order?", intent="order_status"),)))

    assert said.text == "Do you mean “Where is my order?”?"
    assert said.quick_replies == ("Where is my order?", "Talk to a person")


def test_a_value_put_right_is_confirmed_before_the_question_is_asked_again() -> None:
    slot = Slot(name="condition", ask={"zh": "成色怎么样？", "en": "What condition?"})

    said = [
        fixed.ask(slot, language, again=False, seed="", corrected=["Boreal 13", "Berlin"]).text
        for language in ("zh", "en")
    ]

    assert said == ["好的，Boreal 13、Berlin。成色怎么样？", "All right, Boreal 13, Berlin. What condition?"]


def test_what_was_told_instead_of_an_order_number_is_not_called_unclear() -> None:
    order = Slot(
        name="order_id",
        ask={"zh": "订单号是多少？", "en": "Which order?"},
        type="pattern",
        pattern="LM\\d{10}",
    )
    kind = Slot(name="kind", ask={"en": "What happened?"}, type="choice", choices={"lost": ["lost"]})

    told = [fixed.ask(order, language, again=True, told=True, seed="").text for language in ("zh", "en")]
    unclear = fixed.ask(order, "en", again=True, seed="").text
    chosen = fixed.ask(kind, "en", again=True, told=True, seed="").text

    assert told[0].split("。")[0] in ("好的，这些我知道了", "明白了")
    assert "I see. Which order? It looks like LM" in told[1]
    assert "I see." not in unclear
    assert "I see." not in chosen


def test_what_was_put_right_is_what_was_held_with_another_value() -> None:
    before = AskSlot("trade_in", "condition", {"device": "a", "city": "x"})
    now = AskSlot("trade_in", "condition", {"device": "b", "city": "x", "new": "y"})

    assert put_right(now, before) == {"device": "b"}
    assert put_right(now, AskSlot("other", "condition", {"device": "a"})) == {}
    assert put_right(now, UseTemplate("trade_in", {"device": "a"})) == put_right(now, None) == {}


PAID = Passage(
    "t1", "No, only to the balance (1 day) or a bank card (3 days).", "Is it paid by PayPal?", "faq", "en"
)


@pytest.mark.parametrize(
    ("query", "title", "text", "under_it"),
    [
        ("how long does the bank card take", PAID.title, PAID.text, True),
        ("钱打到银行卡要多久", "能打到微信吗？", "不能，只能到余额（1 天）或银行卡（3 天）。", True),
        ("can i get it by paypal", PAID.title, PAID.text, False),
        ("what about paypal", PAID.title, PAID.text, False),
        ("how long does it take", "How long does a card take?", "No longer than 3 days.", False),
        ("how long does the bank card take", PAID.title, "A bank card takes 3 days.", False),
    ],
)
def test_yes_or_no_to_an_open_question_stands_under_the_question_that_it_answers(
    query: str, title: str, text: str, under_it: bool
) -> None:
    language = "zh" if "银行" in query else "en"
    passage = replace(PAID, title=title, text=text, locale=language)

    said = reply(AnswerFrom(("t1",), verbatim=True), passage, language=language, query=query)

    heading = f"关于“{title}”：\n" if language == "zh" else f"On “{title}”:\n"
    assert said.text == (f"{heading}{text}" if under_it else text)
    assert [source.passage_id for source in said.citations] == ["t1"]
