"""A message as it was heard: its text, its language, and the values that it states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from chatbot.types import Turn
from chatbot.understand.language import Tongue
from chatbot.understand.slots import fill, one_of, said_in
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
    named: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Names and values that a fine-tuned model found in it, by kind."""


def stated_in(intent: Intent, heard: Heard) -> dict[str, str]:
    """Values that the message states by itself, whatever was asked."""
    found = {
        slot.name: said_in(slot, heard.text, today=heard.day, named=heard.named) for slot in intent.slots
    }
    return {
        slot.name: one_of(found[slot.name], heard.text, slot=slot)
        for slot in intent.slots
        if found[slot.name]
    }


def fill_from(
    intent: Intent,
    heard: Heard,
    recent: Sequence[Turn],
    *,
    asked: str | None = None,
    continues: bool = False,
    brief: bool = False,
) -> dict[str, str]:
    """The slots of an intent that hold after a message; see `chatbot.understand.slots.fill`."""
    day, named = heard.day, heard.named
    return fill(
        intent, heard.text, recent, today=day, asked=asked, continues=continues, brief=brief, named=named
    )
