"""What an intent still needs to know, and which intents need the same."""

from __future__ import annotations

from collections.abc import Mapping

from chatbot.types import Understanding
from knowledge.sources.intents import Intent


def missing_slots(intent: Intent, slots: Mapping[str, str]) -> list[str]:
    """Names of the slots that the intent needs and that are not known, in the order in which they are asked for."""
    return [slot.name for slot in intent.slots if slot.required and slot.name not in slots]


def asked_alike(intents: Mapping[str, Intent], u: Understanding) -> float:
    """P(this intent is meant, or another one that asks for the same first).

    "It has been a week!" may mean the order's state or that it should be hurried up: either needs the order's number.
    """
    intent = intents.get(u.intent or "")
    missing = missing_slots(intent, u.slots) if intent and u.near else []
    if not missing:
        return u.confidence
    alike = (name for name in u.scores if name in intents)
    needing = [name for name in alike if missing_slots(intents[name], u.slots)[:1] == missing[:1]]
    return sum(u.scores[name] for name in needing)
