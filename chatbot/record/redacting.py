"""A turn store that keeps no personal data: masks each turn before the store behind it sees it.

The customer still reads the live reply; what is stored, listed, exported and learnt from has
placeholders. A retry compares equal, because the same text is masked in the same way.

A later turn may need a slot that was masked (the phone number to call back). The live values therefore
stay in this process's memory for half an hour and nowhere else; after that, after a restart, or in
another process, the slot is missing from the history and the customer is asked for it again.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from chatbot.record.redaction import contacts, find_private, redact
from chatbot.types import (
    AskSlot,
    Decision,
    Message,
    Rating,
    Reply,
    Several,
    Turn,
    TurnStore,
    Understanding,
    UseTemplate,
)

_PLACEHOLDER = re.compile(r"\[(?:secret|email|id|card|phone)\]")
_REMEMBERED = 10_000
"""Turns whose live slots are kept at most; about 1 KB each."""


@dataclass(frozen=True, slots=True)
class _LiveSlots:
    understood: Mapping[str, str]
    decided: Mapping[str, str]
    forget_at: float


class RedactingStore:
    """A TurnStore around another one.

    Args:
        inner: Where the masked turns go.
        public: Contacts that stay as they are, from `contacts(texts)`: the company's own, as they stand in
            its settings and templates. Those in the passages that a reply was made from stay anyhow.
        remember_s: How long live slot values are kept in memory.
    """

    def __init__(
        self, inner: TurnStore, *, public: Collection[str] = frozenset(), remember_s: float = 1800.0
    ) -> None:
        self._inner = inner
        self._public = frozenset(public)
        self._remember_s = remember_s
        self._live: OrderedDict[str, _LiveSlots] = OrderedDict()
        self._mutex = threading.Lock()

    def begin(self, message: Message) -> Turn | None:
        """As the inner store; a stored turn comes back masked."""
        return self._inner.begin(self._masked(message))

    def append(self, turn: Turn) -> Turn:
        """Store the turn masked; what comes back is live, with its sequence."""
        stored = self._inner.append(redact_turn(turn, public=self._public))
        if stored.id != turn.id:
            return stored
        self._remember(turn, stored)
        return replace(turn, sequence=stored.sequence)

    def abandon(self, message: Message) -> None:
        """As the inner store."""
        self._inner.abandon(self._masked(message))

    def history(self, conversation_id: str, *, limit: int = 12) -> Sequence[Turn]:
        """The last turns, oldest first; slots are live where this process remembers them, else left out."""
        return tuple(self._with_slots(turn) for turn in self._inner.history(conversation_id, limit=limit))

    def rate(self, rating: Rating) -> None:
        """As the inner store, the comment masked."""
        self._inner.rate(replace(rating, comment=redact(rating.comment, public=self._public)))

    def _masked(self, message: Message) -> Message:
        return replace(message, text=redact(message.text, public=self._public))

    def _remember(self, turn: Turn, stored: Turn) -> None:
        understood, decided = turn.understanding.slots, _slots(turn.decision)
        now = time.monotonic()
        with self._mutex:
            while self._live and next(iter(self._live.values())).forget_at <= now:
                self._live.popitem(last=False)
            if stored.understanding.slots != understood or _slots(stored.decision) != decided:
                self._live[turn.id] = _LiveSlots(dict(understood), dict(decided), now + self._remember_s)
            while len(self._live) > _REMEMBERED:
                self._live.popitem(last=False)

    def _with_slots(self, turn: Turn) -> Turn:
        with self._mutex:
            live = self._live.get(turn.id)
        if live is not None and live.forget_at > time.monotonic():
            understood, decision = live.understood, _with_decided(turn.decision, live.decided)
        else:
            understood, decision = _unmasked(turn.understanding.slots), _with_each(turn.decision, _unmasked)
        if understood == turn.understanding.slots and decision == turn.decision:
            return turn
        return replace(turn, understanding=replace(turn.understanding, slots=understood), decision=decision)


def redact_turn(turn: Turn, *, public: Collection[str] = frozenset()) -> Turn:
    """The turn with message, query, slots, reply and reason masked; passages are the company's own words."""
    return replace(
        turn,
        message=replace(turn.message, text=redact(turn.message.text, public=public)),
        understanding=_masked_understanding(turn.understanding, public),
        decision=_with_each(turn.decision, lambda slots: _masked_slots(slots, public)),
        reply=_masked_reply(turn, public),
        reason=redact(turn.reason, public=public),
    )


def _masked_understanding(understanding: Understanding, public: Collection[str]) -> Understanding:
    return replace(
        understanding,
        query=redact(understanding.query, public=public),
        other_reading=redact(understanding.other_reading, public=public),
        read_as=redact(understanding.read_as, public=public),
        new_words=tuple(redact(word, public=public) for word in understanding.new_words),
        slots=_masked_slots(understanding.slots, public),
        parts=tuple(_masked_understanding(part, public) for part in understanding.parts),
    )


def _masked_reply(turn: Turn, public: Collection[str]) -> Reply:
    reply = turn.reply
    if not find_private(reply.text) and not any(map(find_private, (*reply.quick_replies, *reply.refused))):
        return reply
    quoted = [text for hit in turn.hits for text in (hit.passage.text, hit.passage.title)]
    quoted += [citation.text for citation in reply.citations]
    allowed = frozenset(public) | contacts(quoted)
    return replace(
        reply,
        text=redact(reply.text, public=allowed),
        quick_replies=tuple(redact(text, public=allowed) for text in reply.quick_replies),
        refused=tuple(redact(text, public=allowed) for text in reply.refused),
    )


def _masked_slots(slots: Mapping[str, str], public: Collection[str]) -> Mapping[str, str]:
    return {name: _masked_slot(name, value, public) for name, value in slots.items()}


def _masked_slot(name: str, value: str, public: Collection[str]) -> str:
    # The slot's name tells what a bare number is: "callback_phone: 451 5986", "order_id: 4111111111111111".
    label = name.replace("_", " ") + ": "
    masked = redact(label + value, public=public)
    return masked[len(label) :] if masked.startswith(label) else redact(value, public=public)


def _unmasked(slots: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in slots.items() if not _PLACEHOLDER.search(value)}


def _slots(decision: Decision) -> Mapping[str, str]:
    return decision.slots if isinstance(decision, UseTemplate | AskSlot) else {}


def _with_decided(decision: Decision, slots: Mapping[str, str]) -> Decision:
    return replace(decision, slots=slots) if isinstance(decision, UseTemplate | AskSlot) else decision


def _with_each(decision: Decision, change: Callable[[Mapping[str, str]], Mapping[str, str]]) -> Decision:
    """The decision with its slots changed, and those of every decision in it."""
    if isinstance(decision, Several):
        each = (
            replace(one, slots=change(one.slots)) if isinstance(one, UseTemplate | AskSlot) else one
            for one in decision.decisions
        )
        return replace(decision, decisions=tuple(each))
    return _with_decided(decision, change(_slots(decision)))
