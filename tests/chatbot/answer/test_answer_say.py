from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from answer_cases import EN, ZH, FakeChat, hits, texts

from chatbot.answer.say import Speaker
from chatbot.answer.texts import say
from chatbot.answer.webhook import Fetched
from chatbot.settings import GenerationSettings, ProjectSettings
from chatbot.types import (
    AnswerFrom,
    AskSlot,
    Availability,
    Clarify,
    Decision,
    Decline,
    Delta,
    Handoff,
    Message,
    Option,
    Reply,
    Turn,
    Understanding,
    UseTemplate,
)
from knowledge.sources.intents import Intent, Slot, Template, Webhook
from knowledge.types import Passage

FAQ = Passage(
    "f1",
    "订单满 199 元免运费。 <b>&amp;</b>\n\n- 偏远地区除外  ",
    "运费多少？",
    "faq",
    "zh",
    quick_replies=("查订单",),
)
ORDER = Slot(
    name="order_id", type="pattern", pattern=r"LM\d{4}", ask={"zh": "请问订单号？", "en": "Which order?"}
)
REASON = Slot(
    name="reason",
    type="choice",
    choices={"size": ["size"], "broken": ["broken"]},
    labels={"size": {"zh": "尺寸", "en": "Size"}},
    ask={"zh": "原因？", "en": "Why?"},
)
INTENTS = {
    intent.name: intent
    for intent in (
        Intent(
            name="order_status",
            starter=True,
            examples={"en": ["Where is my order?"], "zh": ["我的订单到哪了？"]},
            slots=[ORDER],
            webhook=Webhook(url="/orders/{order_id}", fills=["status", "eta", "total"], not_found={"zh": "没有订单 {order_id}。", "en": "No order {order_id}."}),
            templates=[Template(when={"status": "sent"}, text={"zh": "订单 {order_id} 已发货。", "en": "Order {order_id} is on its way."})],
            details=[
                Template(text={"zh": "预计 {eta} 送到。", "en": "It should come on {eta}."}),
                Template(when={"status": "lost"}, text={"en": "We are looking for it."}),
                Template(text={"en": "Its total is {total}."}),
            ],
            quick_replies={"en": ["Return it"]},
            handoff="offer",
        ),
        Intent(name="return", slots=[REASON, Slot(name="count", type="number", ask={"en": "How many?"})], templates=[Template(text={"en": "Return because of {reason} at {company}."})]),
        Intent(name="care.emergency", templates=[Template(text={"zh": "请先拨打急救电话。", "en": "Please call an ambulance first."})], handoff="always"),
        Intent(name="smalltalk.capabilities", templates=[Template(text={"en": "I can do much."})], quick_replies={"en": ["Where is my order?"], "zh": ["我的订单到哪了？"]}),
        Intent(name="complaint", handoff="always"),
        Intent(name="hours", templates=[Template(text={"en": "{bot_name} is here {hours}."}), Template(text={"en": "Ask later."})]),
    )
}  # fmt: skip


class Desk:
    def __init__(self, there: Availability | None) -> None:
        self.there = there

    def availability(self, at: datetime) -> Availability:
        if self.there is None:
            raise OSError
        return self.there

    def open(self, turn: Turn) -> None: ...


OPEN = Availability(open_now=True, hours="", contact="help@lumo.example")
CLOSED = Availability(open_now=False, hours="Mon-Fri 09:00-18:00", contact="help@lumo.example")


def reply(
    decision: Decision,
    *passages: Passage,
    language: str = "en",
    script: Any = "Latn",
    query: str = "how much is express delivery",
    slots: Mapping[str, str] | None = None,
    model: FakeChat | None = None,
    fetched: Fetched | None = None,
    there: Availability | None = OPEN,
    compose_when: Any = "always",
    sentiment: float = 0.0,
    before: Reply | None = None,
) -> Reply:
    speaker = Speaker(
        intents=lambda: INTENTS,
        model=model,
        generation=GenerationSettings(deadline_s=5, compose_when=compose_when),
        project=ProjectSettings(name="Lumo", bot_name="Lu"),
        webhook=lambda webhook, slots: fetched or Fetched("failed", {}, "refused"),
        desk=Desk(there),
        clock=lambda: datetime(2026, 3, 5, tzinfo=UTC),
    )
    understanding = Understanding(query, language, script, slots=slots or {}, sentiment=sentiment)
    message = Message("c", query, datetime(2026, 3, 5, tzinfo=UTC))
    history = [Turn("t", message, understanding, (), decision, before, {}, {})] if before else []
    pieces = list(speaker.answer(decision, understanding, hits(*passages), history))
    whole = pieces[-1]
    assert isinstance(whole, Reply)
    assert all(isinstance(piece, Delta) for piece in pieces[:-1])
    assert whole.text == texts(pieces)
    return whole


def test_a_stored_answer_is_sent_byte_for_byte_with_its_source_and_its_quick_replies() -> None:
    for script in ("Hans", "Latn"):
        said = reply(AnswerFrom(("f1",), verbatim=True), EN[0], FAQ, language="zh", script=script)

        assert said.text.encode() == FAQ.text.encode()
        assert [(c.passage_id, c.title, c.source) for c in said.citations] == [("f1", "运费多少？", "faq")]
        assert said.quick_replies == ("查订单",)
        assert said.finish == "complete"


def test_a_traditional_reader_is_answered_in_traditional_characters() -> None:
    said = reply(AnswerFrom(("f1",), verbatim=True), FAQ, language="zh", script="Hant")

    assert "訂單滿 199 元免運費" in said.text
    assert said.quick_replies == ("查訂單",)


def test_an_answer_in_another_language_says_so_first() -> None:
    said = reply(AnswerFrom(("f1",), verbatim=True), FAQ)
    assert said.text == f"This is only available in Chinese so far:\n{FAQ.text}"

    said = reply(AnswerFrom(("shipping",), verbatim=True), EN[1], language="zh")
    assert said.text == f"这条信息目前只有英文版：\n{EN[1].text}"

    said = reply(AnswerFrom(("f1",), verbatim=True), replace(FAQ, locale="fr-CA"))
    assert said.text.startswith("This is not available in English so far")

    said = reply(AnswerFrom(("f1",), verbatim=True), replace(FAQ, locale="zh-Hans-CN"), language="zh")
    assert said.text == FAQ.text


def test_a_passage_that_is_gone_is_declined_honestly() -> None:
    said = reply(AnswerFrom(("gone",), verbatim=True), EN[0])

    assert "person" in said.text
    assert said.citations == ()


def test_a_composed_answer_numbers_its_sources() -> None:
    model = FakeChat(pieces=["Express delivery costs $12.90. We do not deliver to ", "PO boxes."])
    decision = AnswerFrom(("warranty", "shipping"), verbatim=False)

    said = reply(decision, *EN, model=model)

    assert said.text == "Express delivery costs $12.90. [1] We do not deliver to PO boxes. [1]"
    assert [citation.passage_id for citation in said.citations] == ["shipping"]
    assert (said.finish, said.refused) == ("complete", ())


@pytest.mark.parametrize(
    "pieces", [["Express delivery is free."], [RuntimeError("boom")], ["ignore <script>"], []]
)
def test_when_nothing_passes_the_stored_words_are_sent(pieces: list[Any]) -> None:
    said = reply(
        AnswerFrom(("shipping",), verbatim=False),
        EN[1],
        query="do you ship to po boxes",
        model=FakeChat(pieces=pieces),
    )

    assert said.text == "We do not deliver to PO boxes."
    assert said.text in EN[1].text
    assert said.finish == "withheld"
    assert [citation.passage_id for citation in said.citations] == ["shipping"]
    assert len(said.refused) >= min(1, len(pieces))


def test_without_a_model_the_stored_words_that_answer_are_sent() -> None:
    said = reply(
        AnswerFrom(("配送",), verbatim=False), ZH[1], language="zh", script="Hans", query="加急配送多少钱"
    )

    assert said.text == "加急配送需要1到2个工作日，费用为25元。"
    assert said.finish == "complete"


def test_the_model_is_asked_only_when_no_stored_sentence_clearly_answers() -> None:
    model = FakeChat(pieces=["Express delivery costs $12.90."])
    decision = AnswerFrom(("shipping",), verbatim=False)

    sure = reply(decision, EN[1], query="do you ship to po boxes", model=model, compose_when="unsure")
    assert (sure.text, model.asked) == ("We do not deliver to PO boxes.", [])

    unsure = reply(decision, EN[1], query="is it fast", model=model, compose_when="unsure")
    assert unsure.text == "Express delivery costs $12.90. [1]"
    assert len(model.asked) == 1


def test_a_short_passage_is_never_rewritten() -> None:
    model = FakeChat(pieces=["Points expire after 12 months."])
    short = Passage("s", "Points expire after 12 months.", "Points", "document", "en")

    said = reply(AnswerFrom(("s",), verbatim=False), short, model=model)

    assert said.text == short.text
    assert model.asked == []


def test_a_customer_who_leaves_stops_the_model() -> None:
    model = FakeChat(pieces=["Express delivery costs $12.90. ", *([0.01, "x "] * 500)])
    speaker = Speaker(intents=dict, model=model, generation=GenerationSettings(compose_when="always"), project=ProjectSettings(), webhook=lambda w, s: Fetched("failed", {}), desk=Desk(OPEN))  # fmt: skip
    answer = speaker.answer(
        AnswerFrom(("shipping",), verbatim=False),
        Understanding("express delivery costs", "en"),
        hits(EN[1]),
        (),
    )
    next(answer)

    answer.close()  # type: ignore[attr-defined]

    assert model.closed.wait(2)


def test_a_template_is_filled_from_slots_and_service() -> None:
    said = reply(
        UseTemplate("order_status", {"order_id": "LM1234"}), fetched=Fetched("found", {"status": "sent"})
    )

    assert said.text == "Order LM1234 is on its way."
    assert said.quick_replies == ("Return it", "Talk to a person")


def test_a_customer_s_slot_is_neither_markup_nor_a_template() -> None:
    said = reply(
        UseTemplate("order_status", {"order_id": "<img src=x>{company}"}),
        fetched=Fetched("found", {"status": "sent"}),
    )

    assert said.text == "Order img src=x company is on its way."


def test_an_unknown_order_is_told_in_the_intent_s_words() -> None:
    said = reply(
        UseTemplate("order_status", {"order_id": "LM9"}), language="zh", fetched=Fetched("not_found", {})
    )

    assert said.text == "没有订单 LM9。"
    assert "转人工" in said.quick_replies


@pytest.mark.parametrize("fetched", [None, Fetched("found", {"status": "strange"}), Fetched("found", {})])
def test_a_service_that_fails_or_says_something_unknown_is_admitted(fetched: Fetched | None) -> None:
    said = reply(UseTemplate("order_status", {"order_id": "LM1234"}), fetched=fetched)

    assert "not answering" in said.text
    assert said.quick_replies == ("Talk to a person",)


def test_choices_are_shown_by_their_labels_and_the_company_by_its_name() -> None:
    assert reply(UseTemplate("return", {"reason": "size"})).text == "Return because of Size at Lumo."


def test_an_intent_that_was_deleted_meanwhile_does_not_break_the_turn() -> None:
    assert "not answering" in reply(UseTemplate("gone")).text
    assert "not answering" in reply(AskSlot("return", "gone")).text
    assert "not answering" in reply(AskSlot("gone", "gone")).text


def test_a_slot_is_asked_for_and_the_second_time_explained() -> None:
    first = reply(AskSlot("order_status", "order_id"))
    second = reply(AskSlot("order_status", "order_id", attempt=2))

    assert (first.text, first.quick_replies) == ("Which order?", ())
    assert second.text.endswith("Which order? It looks like LM1234.")
    assert second.quick_replies == ("Talk to a person",)


def test_choices_are_quick_replies() -> None:
    first = reply(AskSlot("return", "reason"))
    second = reply(AskSlot("return", "reason", attempt=2), language="zh")

    assert first.quick_replies == ("Size", "broken")
    assert second.text.endswith("请从这些里选一个：尺寸、broken。")
    assert reply(AskSlot("return", "count", attempt=2)).text.endswith("for example 2.")


def test_a_clarification_numbers_its_options() -> None:
    said = reply(Clarify((Option("Return a phone", passage_id="a"), Option("Return <b>", intent="return"))))

    assert said.text.splitlines()[1:] == ["1. Return a phone", "2. Return b"]
    assert said.quick_replies == ("Return a phone", "Return b", "None of these")


@pytest.mark.parametrize("reason", ["out_of_scope", "no_answer", "unsafe"])
def test_declining_says_what_can_be_done_and_offers_a_person(reason: Any) -> None:
    said = reply(Decline(reason))

    assert say("offer_person", "en") in said.text
    assert "Lumo" in said.text
    assert said.quick_replies == ("Where is my order?", "Talk to a person")


@pytest.mark.parametrize("reason", ["requested", "intent", "no_answer", "unhappy", "urgent"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_nobody_is_said_to_come_when_nobody_is_there(reason: Any, language: str) -> None:
    there = reply(Handoff(reason), language=language, there=OPEN).text
    away = reply(Handoff(reason), language=language, there=CLOSED).text
    unknown = reply(Handoff(reason), language=language, there=None).text

    assert say("handoff_open", language) in there
    assert say("handoff_open", language) not in away + unknown
    assert "Mon-Fri 09:00-18:00" in away
    assert "help@lumo.example" in away
    assert say("handoff_closed", language) in unknown


def test_in_danger_the_intent_s_own_words_come_first() -> None:
    said = reply(Handoff("urgent", intent="care.emergency"))

    assert said.text.startswith("Please call an ambulance first.")
    assert reply(Handoff("intent", intent="complaint")).text.startswith("A colleague needs")
    assert reply(Handoff("intent", intent="order_status")).text.startswith("A colleague needs")


def test_a_list_is_shown_under_its_heading() -> None:
    text = "1. Gift cards and software keys that were sent by e-mail to you;\n2. engraved goods and goods made to your wishes;\n3. display models marked as clearance.\n\nLenses can be returned if the glass is clean."
    passage = Passage("l", text, "Returns > 3. Goods that cannot be returned", "document", "en")

    said = reply(AnswerFrom(("l",), verbatim=False), passage, query="can I return engraved goods")

    assert said.text.splitlines()[0] == "Goods that cannot be returned:"
    assert said.text.splitlines()[1:] == text.splitlines()[:3]


def test_the_hours_in_a_template_are_those_of_the_desk() -> None:
    assert reply(UseTemplate("hours")).text == "Lu is here around the clock."
    assert reply(UseTemplate("hours"), there=CLOSED).text == "Lu is here Mon-Fri 09:00-18:00."
    assert reply(UseTemplate("hours"), there=None).text == "Ask later."
