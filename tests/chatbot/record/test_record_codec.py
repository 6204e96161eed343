"""Turns survive JSON, also those that earlier versions wrote."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_cases import a_message, a_turn

from chatbot.record.codec import as_read, decode_turn, encode_turn, write_turn
from chatbot.types import AnswerFrom, AskSlot, Clarify, Decision, Decline, Handoff, Option, UseTemplate
from knowledge.errors import StoreError

_words = st.text(max_size=20)
_slots = st.dictionaries(_words, _words, max_size=3)
_decisions: st.SearchStrategy[Decision] = st.one_of(
    st.builds(UseTemplate, _words, _slots),
    st.builds(AnswerFrom, st.lists(_words).map(tuple), st.booleans()),
    st.builds(AskSlot, _words, _words, _slots, st.integers(1, 5)),
    st.builds(
        Clarify, st.lists(st.builds(Option, _words, st.none() | _words, st.none() | _words)).map(tuple)
    ),
    st.builds(Decline, st.sampled_from(["out_of_scope", "no_answer", "unsafe"])),
    st.builds(Handoff, st.sampled_from(["requested", "intent", "unhappy"]), st.none() | _words),
)


@given(decision=_decisions, text=_words, reply=_words)
def test_any_turn_comes_back_equal(decision: Decision, text: str, reply: str) -> None:
    turn = a_turn(a_message(text=text, key="k1"), decision=decision, reply=reply)

    assert decode_turn(json.loads(json.dumps(encode_turn(turn)))) == turn


def test_a_row_of_an_earlier_version_takes_the_defaults_of_what_came_later() -> None:
    old = {
        "id": "t1",
        "message": {"conversation_id": "c1", "text": "hello", "sent_at": "2025-01-01T00:00:00Z", "mood": "?"},
        "sequence": 7,
        "invented_later": True,
    }

    turn = decode_turn(old)

    assert (turn.sequence, turn.message.text, turn.understanding.query) == (7, "hello", "hello")
    assert turn.decision == Decline("no_answer")
    assert turn.reply.finish == "complete"


def test_a_row_with_values_of_a_later_version_is_named() -> None:
    row = encode_turn(a_turn(a_message())) | {"id": "t9", "decision": {"kind": "telepathy"}}

    with pytest.raises(StoreError, match=r"'t9' cannot be read: decision.*another version of Kefu"):
        decode_turn(row)


@given(decision=_decisions, text=_words, reply=_words)
def test_a_turn_that_is_remembered_is_the_one_that_would_be_read(
    decision: Decision, text: str, reply: str
) -> None:
    turn = a_turn(a_message(text=text, key="k1"), decision=decision, reply=reply)
    loose = replace(turn, hits=list(turn.hits), reply=replace(turn.reply, quick_replies=["yes"]))

    read = decode_turn(json.loads(write_turn(loose)))

    assert as_read(loose) == read
    assert as_read(read) is read
