"""A stored answer that is shown under its question, because it may be the answer to another one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chatbot.types import AnswerFrom, Option, Verdict
from knowledge.sources.intents import Intent
from knowledge.types import Hit

_BESIDE = 2
"""Other questions that are offered with it."""


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
