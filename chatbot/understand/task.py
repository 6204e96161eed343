"""What a conversation is busy with, and whether a message stays with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chatbot.types import LIKELY, AskSlot, Handoff, Turn, UseTemplate, each_of
from chatbot.understand import acts
from chatbot.understand.intent import Guess
from chatbot.understand.rewrite import content_words
from chatbot.understand.slots import current_slots
from knowledge.sources.builtin import SMALLTALK
from knowledge.sources.intents import Intent, Slot

_LONGEST_DIGRESSION = 2
_WORDS_OF_FOLLOW_UP = 2
_UNSHAKEN = 0.9
"""Confidence from which few words are believed to change the subject."""


@dataclass(frozen=True, slots=True)
class Task:
    """What the conversation is busy with: the last template or question for a slot."""

    turn: Turn
    intent: Intent
    asked: Slot | None
    """The slot that the bot just asked for."""
    fresh: bool
    """False when other questions came in between: then only a value or a correction returns to it."""


def task_of(recent: Sequence[Turn], intents: Mapping[str, Intent]) -> Task | None:
    """The task at hand; None when there was none, it was dropped, or too much came in between."""
    digression = 0
    for turn in reversed(recent):
        decision = each_of(turn.decision)[-1]
        if isinstance(decision, AskSlot | UseTemplate) and decision.intent in intents:
            if decision.intent.startswith(SMALLTALK):
                if turn.understanding.act == "cancel":
                    return None
                continue
            intent = intents[decision.intent]
            # After a rule was told, the question for one's own case may well be left unanswered.
            waits = (
                decision.slot
                if isinstance(decision, AskSlot) and decision.passage_id is None and turn is recent[-1]
                else None
            )
            asked = next((slot for slot in intent.slots if slot.name == waits), None)
            return Task(turn, intent, asked, fresh=not digression)
        digression += turn.understanding.act != "smalltalk"
        if digression > _LONGEST_DIGRESSION or isinstance(decision, Handoff):
            return None
    return None


def staying(guess: Guess, task: Task | None, text: str, *, follows: bool) -> Guess:
    """A short follow-up of an answered task ("and when will it arrive?") stays with it.

    Not while a slot is asked for: a question then is about something else. Not with more than a word of its
    own, which asks for something the task did not.
    """
    if task is None or guess.exact or not task.fresh or task.asked:
        return guess
    other = acts.names_other(text) and guess.confidence < LIKELY
    if other or (follows and guess.intent == task.intent.name and len(content_words(text)) <= 1):
        # A value that was asked for made the task certain; a follow-up is not.
        confidence = max(guess.confidence, min(task.turn.understanding.confidence, _UNSHAKEN))
        return Guess(task.intent.name, confidence, {**guess.scores, task.intent.name: confidence})
    return guess


def may_stay(guess: Guess, task: Task, text: str, *, intents: Mapping[str, Intent]) -> bool:
    """Whether a few words right after a template may ask more of it, rather than for something else.

    Another intent that needs what the task holds ("cancel it" after an order's state) is believed; one of
    another subject is not, since few words look like much.
    """
    if guess.exact or not task.fresh or task.asked or len(content_words(text)) > _WORDS_OF_FOLLOW_UP:
        return False
    held = current_slots(task.turn)
    if not held or guess.intent == task.intent.name:
        return bool(held) and guess.confidence < LIKELY
    rival = intents.get(guess.intent or "")
    akin = rival is not None and any(slot.name in held for slot in rival.slots)
    return guess.confidence < (LIKELY if akin else _UNSHAKEN)
