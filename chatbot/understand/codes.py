"""Order numbers and the like in a message, and which intents they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from chatbot.understand.slots import resembles, values_in
from knowledge.sources.intents import Intent


def codes_in(intents: Mapping[str, Intent], text: str, *, today: date) -> dict[str, list[str]]:
    """The numbers that a message states: intent -> values."""
    found: dict[str, list[str]] = {}
    for intent in intents.values():
        for slot in intent.slots:
            values = values_in(slot, text, today=today) if slot.type == "pattern" else []
            # "over 12" may read as a coupon when one is asked for, but nobody brought it up.
            if written := [value for value in values if value.lower() in text.lower()]:
                found.setdefault(intent.name, []).extend(written)
    return found


def code_begun(intents: Mapping[str, Intent], text: str) -> str | None:
    """The intent of a message that is little but a number with digits missing or too many: LM2026110."""
    begun = [name for name, intent in intents.items() if any(resembles(slot, text) for slot in intent.slots)]
    return min(begun, key=lambda name: not intents[name].starter, default=None)
