"""What is unsure is read for first; what is sure, and what no passage can change, is not."""

from datetime import UTC, datetime

import pytest

from chatbot.decide.reading import read_first
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
    Turn,
    Understanding,
    UseTemplate,
    Verdict,
    told_in,
)
from knowledge.types import Hit, Passage


def hit(name: str, score: float) -> Hit:
    return Hit(Passage(name, "text", "title", "faq", "en"), score, 1)


HITS = (hit("near", 0.4), hit("told", 0.3), hit("far", 0.1))
UNSURE: list[Decision] = [
    Decline("no_answer"),
    Clarify((Option("a", passage_id="a"), Option("b", passage_id="b"))),
    Handoff("no_answer"),
    AnswerFrom(("near",), verbatim=True, sure=False),
    AnswerFrom(("told",), verbatim=True),
]
SURE: list[Decision] = [
    AnswerFrom(("near",), verbatim=True),
    AskSlot("order", "id"),
    UseTemplate("order"),
    Handoff("requested"),
    Handoff("unhappy"),
]


def turn(decision: Decision, *citations: Citation) -> Turn:
    message = Message("c", "text", datetime(2026, 1, 5, tzinfo=UTC))
    understood = Understanding(query="text", language="en")
    return Turn("t", message, understood, (hit("told", 0.9),), decision, Reply("reply", citations), {}, {})


LAST = turn(AnswerFrom(("told",), verbatim=True))


def read(decision: Decision, *hits: Hit, last: Turn | None = LAST, follows: bool = True) -> Decision:
    return read_first(Verdict(decision, "Why."), hits, last, follows=follows, near_from=0.2, most=3).decision


@pytest.mark.parametrize("decision", UNSURE, ids=str)
def test_what_is_unsure_is_read_for_in_what_was_told_and_then_in_what_is_near(decision: Decision) -> None:
    assert read(decision, *HITS) == AnswerFrom(("told", "near"), verbatim=False, otherwise=decision)  # type: ignore[arg-type]


@pytest.mark.parametrize("decision", SURE, ids=str)
def test_what_is_sure_stays(decision: Decision) -> None:
    assert read(decision, *HITS) is decision


def test_nothing_is_read_where_nothing_is_near() -> None:
    assert read(Decline("out_of_scope"), hit("far", 0.1), follows=False) == Decline("out_of_scope")


def test_a_composed_reply_told_what_it_cites() -> None:
    composed = AnswerFrom(("told", "near"), verbatim=False, otherwise=Decline("no_answer"))

    assert told_in(turn(composed, Citation("near", "t", "text", "faq"))) == {"near"}


def test_a_template_that_was_just_said_is_not_said_again_unread() -> None:
    status = UseTemplate("order", {"id": "1"})

    assert read(status, *HITS, last=turn(status)) == AnswerFrom(
        ("near", "told"), verbatim=False, otherwise=status
    )
    assert read(status, *HITS, last=turn(UseTemplate("order", {"id": "2"}))) is status
    assert read(status, *HITS, last=None) is status
    assert read(Decline("no_answer"), last=turn(status)) == AnswerFrom(
        (), verbatim=False, otherwise=Decline("no_answer")
    )
