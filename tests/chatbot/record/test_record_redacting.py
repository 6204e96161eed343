"""The store behind sees masked turns; the conversation goes on with the live ones."""

from __future__ import annotations

from dataclasses import replace

import pytest
from record_cases import a_message, a_turn

from chatbot.record.redacting import RedactingStore
from chatbot.record.redaction import contacts
from chatbot.types import AskSlot, Citation, Rating, Reply, Turn, UseTemplate
from fakes import FakeStore
from knowledge.types import Hit, Passage


@pytest.fixture
def inner() -> FakeStore:
    return FakeStore()


def _callback_turn(*, reply: str = "We will call 13800138000.") -> Turn:
    message = a_message(text="Call me on 13800138000 about KF20260311008", key="k1")
    turn = a_turn(message, decision=AskSlot("callback", "time", {"phone": "13800138000"}), reply=reply)
    slots = {"phone": "13800138000", "order_id": "KF20260311008"}
    return replace(
        turn,
        understanding=replace(turn.understanding, slots=slots),
        reply=Reply(reply, quick_replies=("Not 13800138000",)),
        reason="The slot phone is 13800138000.",
    )


def test_nothing_private_reaches_the_store(inner: FakeStore) -> None:
    store = RedactingStore(inner)
    turn = _callback_turn()
    store.begin(turn.message)

    live = store.append(turn)

    stored = inner.turns[0]
    assert "13800138000" not in repr(stored)
    assert stored.message.text == "Call me on [phone] about KF20260311008"
    assert stored.understanding.slots == {"phone": "[phone]", "order_id": "KF20260311008"}
    assert stored.reply.text == "We will call [phone]."
    assert live == replace(turn, sequence=1)


def test_a_masked_slot_is_live_for_the_next_turn_of_this_process(inner: FakeStore) -> None:
    store = RedactingStore(inner)
    store.append(_callback_turn())

    turn = store.history("c1")[0]

    assert turn.understanding.slots["phone"] == "13800138000"
    assert turn.decision == AskSlot("callback", "time", {"phone": "13800138000"})
    assert turn.message.text == "Call me on [phone] about KF20260311008"


@pytest.mark.parametrize("later", ["another process", "too late"])
def test_elsewhere_and_later_a_masked_slot_is_missing_so_that_it_is_asked_for(
    inner: FakeStore, later: str
) -> None:
    store = RedactingStore(inner, remember_s=0.0)
    store.append(_callback_turn())
    store.append(_callback_turn())
    reader = RedactingStore(inner) if later == "another process" else store

    turn = reader.history("c1")[0]

    assert turn.understanding.slots == {"order_id": "KF20260311008"}
    assert turn.decision == AskSlot("callback", "time", {})


def test_a_bare_local_number_is_known_by_its_slots_name(inner: FakeStore) -> None:
    store = RedactingStore(inner)
    slots = {"callback_phone": "451 5986", "order_id": "4111111111111111"}
    turn = a_turn(a_message(), decision=UseTemplate("callback", slots))

    store.append(turn)

    decision = inner.turns[0].decision
    assert isinstance(decision, UseTemplate)
    assert decision.slots == {"callback_phone": "[phone]", "order_id": "4111111111111111"}


def test_numbers_of_the_company_stay_in_replies(inner: FakeStore) -> None:
    store = RedactingStore(inner, public=contacts(["help@example.com"]))
    passage = Passage("p", "Our desk: 010-62345678.", "Contact", "faq", "en")
    text = "Call 010-62345678 or 010-87654321, or write to help@example.com; we have 13800138000."
    turn = replace(
        a_turn(a_message()),
        hits=(Hit(passage, 0.9, 1),),
        reply=Reply(text, citations=(Citation("q", "Desk", "Or 010-87654321.", "faq"),)),
    )

    store.append(turn)

    assert inner.turns[0].reply.text == text.replace("13800138000", "[phone]")


def test_a_retry_finds_its_turn_and_is_abandoned_by_the_same_name(inner: FakeStore) -> None:
    store = RedactingStore(inner)
    turn = _callback_turn()
    store.append(turn)

    again = store.begin(turn.message)
    store.abandon(turn.message)

    assert again is not None
    assert again.id == turn.id
    assert inner.abandoned[0].text == "Call me on [phone] about KF20260311008"


def test_the_turn_that_another_process_stored_is_returned_as_it_is() -> None:
    other = replace(a_turn(a_message()), sequence=4)

    class Late(FakeStore):
        def append(self, turn: Turn) -> Turn:
            return other

    assert RedactingStore(Late()).append(_callback_turn()) is other


def test_the_memory_of_live_slots_is_bounded(inner: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.record.redacting._REMEMBERED", 1)
    store = RedactingStore(inner)
    store.append(_callback_turn())
    store.append(_callback_turn())

    first, second = store.history("c1")

    assert "phone" not in first.understanding.slots
    assert second.understanding.slots["phone"] == "13800138000"


def test_comments_are_masked(inner: FakeStore) -> None:
    store = RedactingStore(inner)
    turn = store.append(a_turn(a_message()))

    store.rate(Rating(turn.id, "down", comment="call me: 13800138000"))

    assert inner.ratings[0].comment == "call me: [phone]"
