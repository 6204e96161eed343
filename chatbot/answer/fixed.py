"""Replies made of fixed sentences: asking, clarifying, declining, bringing in a person."""

from __future__ import annotations

from collections.abc import Sequence

from chatbot.answer.templates import example, in_language, label, plain
from chatbot.answer.texts import say
from chatbot.types import Availability, Clarify, Decline, Handoff, Reply
from knowledge.sources.intents import Slot

MOST_CHOICES = 6
"""Quick replies under a question; whoever wants another one types it."""


def with_person(quick_replies: tuple[str, ...], language: str) -> tuple[str, ...]:
    """The quick replies, and the offer of a person at their end."""
    person = say("person", language)
    return quick_replies if person in quick_replies else (*quick_replies, person)


def service_failed(language: str) -> Reply:
    """Said when a company's service or its template cannot answer."""
    text = _joined(language, say("service_failed", language), say("offer_person", language))
    return Reply(text, quick_replies=with_person((), language))


def ask(
    slot: Slot,
    language: str,
    *,
    again: bool,
    told: bool = False,
    seed: str,
    own_case: bool = False,
    corrected: Sequence[str] = (),
) -> Reply:
    """Ask for a slot; the second time say what it looks like and offer a person.

    Args:
        slot: What is asked for.
        language: Of the customer.
        again: It was asked before, in vain.
        told: The message before holds no number, so none was misread.
        seed: Chooses among wordings.
        own_case: The rule was told just before; the question is about the customer's own case.
        corrected: Values that the customer put right instead of answering: they are confirmed.
    """
    question = in_language(slot.ask, language)
    choices = tuple(label(slot, value, language) for value in slot.choices)[:MOST_CHOICES]
    if own_case:
        return Reply(say("own_case", language, question=question), quick_replies=choices)
    if not again:
        values = ("、" if language == "zh" else ", ").join(corrected)
        heard = say("corrected", language, values=values) if values else ""
        return Reply(_joined(language, heard, question), quick_replies=choices)
    number = slot.type == "pattern" and r"\d" in (slot.pattern or "")
    heard = say("ask_after_told" if told and number else "ask_again", language, turn=seed)
    text = _joined(language, heard, question, _hint(slot, choices, language))
    return Reply(text, quick_replies=with_person(choices, language))


def _hint(slot: Slot, choices: tuple[str, ...], language: str) -> str:
    if slot.type == "choice":
        return say("hint_choice", language, choices=("、" if language == "zh" else ", ").join(choices))
    if slot.type == "pattern" and (made := example(slot.pattern or "")):
        return say("hint_example", language, example=made)
    return say(f"hint_{slot.type}", language)


def clarify(decision: Clarify, language: str, seed: str) -> Reply:
    """Two or three numbered options, which are quick replies too; a single one is confirmed."""
    labels = tuple(plain(option.label) for option in decision.options)
    if len(labels) == 1:
        text = say("confirm", language, question=labels[0])
        return Reply(text, quick_replies=with_person(labels, language))
    lines = [say("clarify", language, turn=seed)]
    lines += [f"{number}. {text}" for number, text in enumerate(labels, start=1)]
    return Reply("\n".join(lines), quick_replies=(*labels, say("none_of_these", language)))


def decline(
    decision: Decline,
    language: str,
    *,
    company: str,
    examples: tuple[str, ...],
    near: tuple[str, ...] = (),
    seed: str,
) -> Reply:
    """Say honestly that this cannot be answered, what can be, and that a person could help.

    Args:
        decision: With the reason.
        language: Of the customer.
        company: Its name.
        examples: What can be asked.
        near: Stored questions about the same thing, which may be what was meant after all.
        seed: Chooses among wordings.
    """
    honest = say(f"decline_{decision.reason}", language, turn=seed)
    if decision.reason in ("nothing_more", "unhappy"):
        able, offers = "", tuple[str, ...]()
    elif near:
        able, offers = say("nearest", language), near
    else:
        able = say("can_do_company", language, company=company) if examples else say("can_do", language)
        offers = examples
    text = _joined(language, honest, able, say("offer_person", language))
    return Reply(text, quick_replies=with_person(offers, language))


def hand_over(decision: Handoff, language: str, *, there: Availability, opening: str) -> Reply:
    """Bring in a person, or say when one is there: nobody is "being connected" to an empty desk."""
    parts = [opening or say(f"handoff_{decision.reason}", language)]
    parts.append(say("handoff_open" if there.open_now else "handoff_closed", language))
    if not there.open_now and there.hours:
        parts.append(say("handoff_hours", language, hours=there.hours))
    if there.contact and (not there.open_now or decision.reason == "urgent"):
        parts.append(say("handoff_contact", language, contact=there.contact))
    return Reply(_joined(language, *parts))


def _joined(language: str, *parts: str) -> str:
    return ("" if language == "zh" else " ").join(part for part in parts if part)
