"""A stored answer that is shown under its question, because it may be the answer to another one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chatbot.types import AnswerFrom
from knowledge.sources.intents import Intent
from knowledge.types import Hit

_BESIDE = 2
"""Other questions that are offered with it."""


def offer(hits: Sequence[Hit]) -> AnswerFrom:
    """The first hit under its question, the next ones to choose from."""
    others = (hit.passage.id for hit in hits[1 : 1 + _BESIDE] if hit.passage.source != "document")
    return AnswerFrom((hits[0].passage.id, *others), verbatim=True, sure=False)


def names_another(question: str, slots: Mapping[str, str], intents: Iterable[Intent]) -> bool:
    """Whether a question names other values of what the customer spoke of, and not theirs: another city or product.

    "Do the Beijing and Wuhan stores repair?" is answered with no, and who has just asked for Shenzhen would believe it.
    """
    asked = question.casefold()
    for slot in (slot for intent in intents for slot in intent.slots):
        own = slots.get(slot.name)
        if own in slot.choices:
            named = {
                value
                for value, words in slot.choices.items()
                if any(word.casefold() in asked for word in (value, *words))
            }
            if named and own not in named:
                return True
    return False
