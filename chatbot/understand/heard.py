"""A message as it was heard: its text, its language, and the values that it states."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from chatbot.understand.language import Tongue
from chatbot.understand.slots import one_of, values_in
from knowledge.sources.intents import Intent


@dataclass(frozen=True, slots=True)
class Heard:
    """A message before its meaning."""

    typed: str
    """Tidied, as typed."""
    text: str
    """Pinyin as characters, slips mended."""
    tongue: Tongue
    sentiment: float
    day: date


def stated_in(intent: Intent, heard: Heard) -> dict[str, str]:
    """Values that the message states by itself, whatever was asked."""
    found = {slot.name: values_in(slot, heard.text, today=heard.day) for slot in intent.slots}
    return {
        slot.name: one_of(found[slot.name], heard.text, slot=slot)
        for slot in intent.slots
        if found[slot.name]
    }
