"""Past chats: read from a file, and each message with what it is read after."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatbot.chats import Asked, Chat, asked_in, in_context, read_chats, said_in, titles_of, write_chats
from chatbot.types import (
    AnswerFrom,
    AskSlot,
    Decision,
    Decline,
    Message,
    Reply,
    Several,
    Turn,
    Understanding,
    UseTemplate,
)
from knowledge.errors import KnowledgeError
from knowledge.sources.intents import Intent, Template
from knowledge.types import Entry, Hit, Passage

MACAO = Passage("faq:macao", "¥30.", "What does delivery to Macao cost?", "faq", "en")
TIME = Passage("faq:time", "2-4 days.", "How long does delivery take?", "faq", "en")
STATUS = Intent(
    name="order_status", examples={"en": ["where is my order"]}, templates=[Template(text={"en": "ok"})]
)
TITLES = titles_of([Entry(MACAO, ("cost to Macao",)), Entry(TIME, ("how long",))], [STATUS])


def chat(*messages: tuple[str, tuple[str, ...] | None]) -> Chat:
    said = [{"text": text, "answers": answers} for text, answers in messages]
    return Chat.model_validate({"locale": "en", "messages": said})


def turn(text: str, decision: Decision, reply: str = "") -> Turn:
    hits = [Hit(passage, 0.9, rank) for rank, passage in enumerate((MACAO, TIME), 1)]
    message = Message("c", text, datetime(2026, 1, 5, tzinfo=UTC))
    return Turn("t", message, Understanding(text, "en"), hits, decision, Reply(reply), {}, {})


def test_a_message_is_read_after_what_answered_before_and_what_was_asked() -> None:
    asked = asked_in(chat(("to macao?", ("faq:macao",)), ("and how long", ("faq:time",))), TITLES)

    assert asked == [
        Asked("to macao?", "", "en", ("faq:macao",)),
        Asked("and how long", "What does delivery to Macao cost? < to macao?", "en", ("faq:time",)),
    ]
    assert in_context("and how long", asked[1].after).startswith("and how long < What does")


def test_thanks_are_no_question_and_what_nothing_answered_leaves_the_topic() -> None:
    talk = chat(("to macao?", ("faq:macao",)), ("thx", None), ("by drone?", ()), ("how long", ("faq:time",)))

    asked = asked_in(talk, TITLES)

    assert [one.text for one in asked] == ["to macao?", "by drone?", "how long"]
    assert asked[2].after == "What does delivery to Macao cost? < by drone?"


def test_an_answer_that_is_no_longer_known_is_not_asked_for() -> None:
    assert asked_in(chat(("cash?", ("faq:gone",)), ("how long", ("faq:time",))), TITLES) == [
        Asked("how long", "cash?", "en", ("faq:time",))
    ]


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (AnswerFrom(("faq:macao",), verbatim=True), "What does delivery to Macao cost? < hm"),
        (UseTemplate("order_status"), "where is my order < hm"),
        (AskSlot("order_status", "order_id"), "where is my order < hm"),
        (AskSlot("order_status", "order_id", passage_id="faq:time"), "How long does delivery take? < hm"),
        (
            Several((AnswerFrom(("faq:macao",), verbatim=True), UseTemplate("order_status"))),
            "where is my order < hm",
        ),
        (AnswerFrom(("faq:macao",), verbatim=False), "It is ¥30. < hm"),
        (Decline("no_answer"), "hm"),
    ],
)
def test_turns_are_read_as_the_chats_that_were_learned(decision: Decision, said: str) -> None:
    assert said_in([turn("hm", decision, "It is ¥30.")], TITLES) == said


def test_a_decline_keeps_what_was_told_before_it() -> None:
    turns = [
        turn("to macao?", AnswerFrom(("faq:macao",), verbatim=True)),
        turn("by drone?", Decline("no_answer")),
    ]

    assert said_in(turns, TITLES) == "What does delivery to Macao cost? < by drone?"
    assert said_in([], TITLES) == ""


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    chats = [chat(("to macao?", ("faq:macao",)), ("thx", None)), chat(("去澳门", ()))]

    write_chats(chats, tmp_path / "chats.jsonl")

    assert read_chats(tmp_path / "chats.jsonl") == chats


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            '{"locale": "en", "messages": [{"text": "x", "answers": null}]}\n{"locale": "en"}',
            "line 2: messages",
        ),
        ("no json", "line 1"),
        ("\n", "holds no chats"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "chats.jsonl").write_text(text)

    with pytest.raises(KnowledgeError, match=problem):
        read_chats(tmp_path / "chats.jsonl")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="cannot be read"):
        read_chats(tmp_path / "none.jsonl")
