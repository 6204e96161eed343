"""What the turns before say about a message."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from chatbot.types import UNHAPPY, AskSlot, Turn, Understanding, UseTemplate, each_of, told_in

_STEM = 5
"""Letters that tell a word, whatever its ending."""


def carried(u: Understanding, history: Sequence[Turn]) -> bool:
    """Whether the customer names nothing of their own in this message: all slots come from earlier turns."""
    said = u.new_words
    known = history[-1].understanding.slots.values() if history else ()
    return bool(u.slots) and bool(said) and all(value in known for value in u.slots.values())


def times_asked(slot: str, u: Understanding, history: Sequence[Turn]) -> int:
    """How often in a row the intent's slot was asked, nothing else said, and no other value given or corrected."""
    count = 0
    for turn in reversed(history):
        asked = turn.decision
        if not isinstance(asked, AskSlot) or (asked.intent, asked.slot) != (u.intent, slot):
            break
        if dict(asked.slots) != dict(u.slots):
            break
        count += asked.passage_id is None
    return count


def times_told(u: Understanding, history: Sequence[Turn]) -> int:
    """How often in a row the intent's template was said with the same slots, last of all."""
    told = (
        each_of(turn.decision)[-1] == UseTemplate(u.intent or "", dict(u.slots)) for turn in reversed(history)
    )
    return sum(takewhile(bool, told))


def told_before(u: Understanding, history: Sequence[Turn]) -> bool:
    """Whether the intent's template was said with the same slots, at any time, and the message names none of them."""
    again = UseTemplate(u.intent or "", dict(u.slots))
    named = any(value.casefold() in u.query.casefold() for value in u.slots.values())
    return not named and any(again in each_of(turn.decision) for turn in history)


def own_record(u: Understanding, history: Sequence[Turn]) -> UseTemplate | None:
    """What was just told of the customer's own case, where all that the message speaks of stands in it.

    "When is it back?" after "out of stock and expected back on 2026-12-05" asks for no rule.
    """
    told = each_of(history[-1].decision)[-1] if history else None
    if not isinstance(told, UseTemplate) or not told.slots or u.courteous or u.sentiment <= UNHAPPY:
        return None
    if len(history) > 1 and told in each_of(history[-2].decision):
        return None  # with all its details, too
    record = history[-1].reply.text.casefold()
    return told if all(word.casefold()[:_STEM] in record for word in u.new_words) else None


def last_told(history: Sequence[Turn]) -> frozenset[str]:
    """Ids of the passages of the turn before."""
    return told_in(history[-1]) if history else frozenset()
