"""A stored answer that is shown under its question, because it may be the answer to another one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from chatbot.types import AnswerFrom, Option, Verdict
from knowledge.sources.intents import Intent, Slot
from knowledge.types import Hit

_BESIDE = 2
"""Other questions that are offered with it."""
_AS_LIKELY = 0.5
"""Share of the best one's probability from which on what is named decides."""


def offer(hits: Sequence[Hit]) -> AnswerFrom:
    """The first hit under its question, the next ones to choose from."""
    others = (hit.passage.id for hit in hits[1 : 1 + _BESIDE] if hit.passage.source != "document")
    return AnswerFrom((hits[0].passage.id, *others), verbatim=True, sure=False)


def instead_of_asking(options: Sequence[Option], why: str) -> Verdict | None:
    """The likeliest answer is shown under its question, with the others to choose from; None where an intent is likelier.

    Asking the same twice in a row helps nobody, and where it was weighed which answer is likeliest, it is read as quickly as
    a question: all 14 questions back in the conversations of benchmarks/conversations/newcomers.md were found fault with.
    """
    ids = [option.passage_id for option in options if option.passage_id]
    if not ids or options[0].passage_id is None:
        return None
    return Verdict(AnswerFrom(tuple(ids), verbatim=True, sure=False), why)


def own_first(hits: Sequence[Hit], asked: str, intents: Iterable[Intent]) -> Sequence[Hit]:
    """The hits, and before a likelier one whose question names another choice one that names the customer's.

    "What does a tablet's screen cost?" lies as near to a phone's screen as to a tablet's.

    Args:
        hits: Best first.
        asked: What the customer asks.
        intents: Whose choices are known: devices, products, cities.
    """
    slots = {slot.name: slot for intent in intents for slot in intent.slots if slot.choices}
    for slot in slots.values():
        own, best = named(slot, asked), named(slot, hits[0].passage.title) if hits else frozenset()
        if not own or not best or own & best:
            continue
        for place, hit in enumerate(hits[1:], 1):
            if hit.score < _AS_LIKELY * hits[0].score:
                break
            if own & named(slot, hit.passage.title):
                return [hit, *hits[:place], *hits[place + 1 :]]
    return hits


def names_another(question: str, slots: Mapping[str, str], intents: Iterable[Intent]) -> bool:
    """Whether a question names other values of what the customer spoke of, and not theirs: another city or product.

    "Do the Beijing and Wuhan stores repair?" is answered with no, and who has just asked for Shenzhen would believe it.
    """
    for slot in (slot for intent in intents for slot in intent.slots):
        own = slots.get(slot.name)
        if own in slot.choices and (found := named(slot, question)) and own not in found:
            return True
    return False


def named(slot: Slot, text: str) -> frozenset[str]:
    """The choices that a text names; headphones are no phones."""
    lowered = text.casefold()
    return frozenset(
        value
        for value, words in slot.choices.items()
        if any(word.casefold() in lowered and _whole(word.casefold(), lowered) for word in (value, *words))
    )


def _whole(word: str, text: str) -> bool:
    if not word.isascii():
        return True
    return bool(re.search(rf"(?<![a-z0-9]){re.escape(word)}(?:s|es)?(?![a-z0-9])", text))
