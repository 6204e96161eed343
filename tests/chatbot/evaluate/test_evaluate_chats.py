"""Chats played through the bot: what became of each message."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chatbot.chats import Chat
from chatbot.evaluate.chats import Outcome, measure_chats, outcome_of
from chatbot.types import (
    AnswerFrom,
    AskSlot,
    Citation,
    Clarify,
    Decision,
    Decline,
    Handoff,
    Message,
    Option,
    Reply,
    Several,
    Turn,
    Understanding,
    UseTemplate,
)


def turn(decision: Decision, *cited: str) -> Turn:
    message = Message("c", "hm", datetime(2026, 1, 5, tzinfo=UTC))
    citations = [Citation(name, "t", "x", "faq") for name in cited]
    return Turn("t", message, Understanding("hm", "en"), (), decision, Reply("r", citations), {}, {})


GIVEN = AnswerFrom(("faq:a",), verbatim=True)
OFFERED = AnswerFrom(("faq:a", "faq:b"), verbatim=True, sure=False)
ASKED = Clarify((Option("a", passage_id="faq:a"), Option("s", intent="status")))


@pytest.mark.parametrize(
    ("decision", "answers", "outcome"),
    [
        (GIVEN, ["faq:a", "faq:c"], "right"),
        (GIVEN, ["faq:b"], "wrong"),
        (GIVEN, [], "wrong"),
        (OFFERED, ["faq:b"], "offered"),
        (OFFERED, ["faq:c"], "wrong"),
        (OFFERED, [], "wrong"),
        (ASKED, ["intent:status"], "offered"),
        (ASKED, ["faq:c"], "unanswered"),
        (ASKED, [], "right"),
        (AskSlot("status", "order_id", passage_id="faq:a"), ["faq:a"], "right"),
        (UseTemplate("status"), ["intent:status"], "right"),
        (Several((GIVEN, UseTemplate("status"))), ["intent:status"], "right"),
        (Decline("no_answer"), ["faq:a"], "unanswered"),
        (Decline("no_answer"), [], "right"),
        (Handoff("no_answer"), ["faq:a"], "unanswered"),
    ],
)
def test_what_became_of_a_message(decision: Decision, answers: list[str], outcome: Outcome) -> None:
    assert outcome_of(turn(decision), answers) == outcome


def test_a_composed_answer_gives_what_it_cites() -> None:
    composed = AnswerFrom(("faq:a", "faq:b"), verbatim=False)

    assert outcome_of(turn(composed, "faq:b"), ["faq:b"]) == "right"
    assert outcome_of(turn(composed), ["faq:b"]) == "wrong"


def test_shares_by_place_and_language_and_whole_chats() -> None:
    chats = [
        Chat.model_validate(
            {
                "locale": locale,
                "messages": [
                    {"text": "one", "answers": ["faq:a"]},
                    {"text": "thanks", "answers": None},
                    {"text": "two", "answers": second},
                ],
            }
        )
        for locale, second in (("en", ["faq:a"]), ("zh", ["faq:b"]))
    ]
    turns = [turn(GIVEN), turn(Decline("no_answer")), turn(GIVEN)]

    figures = measure_chats([(chat, turns) for chat in chats])

    assert (figures["chats"], figures["messages"]) == (2, 4)
    assert (figures["chats_good"], figures["chats_without_wrong"]) == (0.5, 0.5)
    assert figures["all"] == {"right": 0.75, "offered": 0.0, "unanswered": 0.0, "wrong": 0.25}
    assert figures["zh"]["wrong"] == figures["follow_up"]["wrong"] == 0.5
    assert figures["first"]["right"] == 1.0
    assert figures["remarks"] == {"heard": 0.0, "answered": 0.0, "not_understood": 1.0}


@pytest.mark.parametrize(
    ("decision", "heard"),
    [
        (UseTemplate("smalltalk.acknowledge"), 1.0),
        (Handoff("requested"), 1.0),
        (Decline("unhappy"), 1.0),
        (Decline("no_answer"), 0.0),
        (Handoff("no_answer"), 0.0),
        (UseTemplate("order_status"), 0.0),
        (GIVEN, 0.0),
    ],
)
def test_a_remark_is_heard_by_small_talk_or_a_person(decision: Decision, heard: float) -> None:
    said = Chat.model_validate({"locale": "en", "messages": [{"text": "my order, finally", "answers": None}]})

    assert measure_chats([(said, [turn(decision)])])["remarks"]["heard"] == heard
