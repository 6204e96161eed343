"""One verdict for a message that asks several things."""

from __future__ import annotations

from chatbot.several import together
from chatbot.types import AnswerFrom, AskSlot, Decision, Decline, Several, UseTemplate, Verdict

FEE, DAYS = AnswerFrom(("fee",), verbatim=True), AnswerFrom(("days",), verbatim=True)
ASK = AskSlot("order_status", "order_id")
NOTHING = Decline("no_answer")


def joined(whole: Decision, *parts: Decision) -> Decision:
    return together(Verdict(whole, "whole"), [Verdict(part, "part") for part in parts]).decision


def test_each_question_is_answered_and_what_has_to_be_asked_comes_last() -> None:
    assert joined(NOTHING, ASK, FEE, DAYS) == Several((FEE, DAYS, ASK))


def test_only_one_thing_is_asked_of_the_customer() -> None:
    assert joined(NOTHING, ASK, AskSlot("repair", "repair_id"), FEE) == Several((FEE, ASK))


def test_questions_with_the_same_answer_or_without_one_leave_it_to_the_whole_message() -> None:
    template = UseTemplate("hours")

    assert joined(template, FEE, FEE) == joined(template, FEE, NOTHING) == template


def test_one_answer_is_better_than_none() -> None:
    offered = AnswerFrom(("days",), verbatim=True, sure=False)

    assert joined(NOTHING, offered, FEE) == FEE
    assert joined(NOTHING, NOTHING, NOTHING) == NOTHING
