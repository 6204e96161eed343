"""Builds past turns for the tests of this folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from chatbot.types import (
    Act,
    AnswerFrom,
    AskSlot,
    Decision,
    Decline,
    Message,
    Reply,
    Turn,
    Understanding,
    UseTemplate,
)
from knowledge.types import Hit, Passage

WEDNESDAY = datetime(2026, 3, 11, 10, tzinfo=UTC)


def message(text: str, *, locale: str | None = None) -> Message:
    return Message("c1", text, WEDNESDAY, locale=locale)


def turn(
    text: str,
    decision: Decision | None = None,
    *,
    query: str | None = None,
    act: Act = "ask",
    language: str = "zh",
    slots: Mapping[str, str] | None = None,
    intent: str | None = None,
    confidence: float = 0.0,
    reply: str = "",
    quick_replies: Sequence[str] = (),
    hits: Sequence[Hit] = (),
) -> Turn:
    understanding = Understanding(
        query=query or text,
        language=language,
        act=act,
        intent=intent,
        confidence=confidence,
        slots=slots or {},
    )
    return Turn(
        id=text,
        message=message(text),
        understanding=understanding,
        hits=hits,
        decision=decision or Decline("no_answer"),
        reply=Reply(reply, quick_replies=quick_replies),
        seconds={},
        versions={},
    )


def asked(text: str, intent: str, slot: str, **slots: str) -> Turn:
    """The bot asked for a slot."""
    return turn(
        text, AskSlot(intent, slot, slots), intent=intent, confidence=0.9, slots=slots, reply="请告诉我订单号"
    )


def told(text: str, intent: str, **slots: str) -> Turn:
    """The bot answered with a template."""
    return turn(text, UseTemplate(intent, slots), intent=intent, confidence=0.9, slots=slots, reply="在路上")


def answered(
    text: str, title: str, *, verbatim: bool = True, reply: str = "answer", shown: Sequence[str] = ()
) -> Turn:
    """The bot answered from a passage; `shown` are titles of further hits, offered as quick replies."""
    passages = [Passage(f"p{at}", "text", each, "faq", "zh") for at, each in enumerate([title, *shown])]
    hits = [Hit(passage, 0.9, at + 1) for at, passage in enumerate(passages)]
    return turn(text, AnswerFrom(("p0",), verbatim=verbatim), hits=hits, reply=reply, quick_replies=shown)
