"""Messages that want nothing: thanks, a good-bye, "ok", a number left for the colleague who takes over."""

from __future__ import annotations

from typing import Literal, TypeAlias

from chatbot.types import LIKELY, Handoff, Turn
from chatbot.understand import acts
from chatbot.understand.intent import Guess
from chatbot.understand.slots import states_contact
from knowledge.sources.builtin import SMALLTALK

Pleasantry: TypeAlias = Literal["goodbye", "thanks", "acknowledge", "contact_noted"]

_LONGEST = 40
_NO_QUESTIONS = frozenset(f"{SMALLTALK}{kind}" for kind in ("praise", "thanks", "acknowledge", "goodbye"))


def pleasantry_in(text: str, last: Turn | None) -> Pleasantry | None:
    """What a message is by its wording alone; None where it may want something.

    Args:
        text: The message.
        last: The turn before: nothing can be acknowledged before anything was said.
    """
    if acts.is_question(text) or acts.is_cancel(text):
        return None
    farewell = acts.farewell(text)
    if farewell is not None or last is None:
        return farewell
    if acts.acknowledges(text):
        return "acknowledge"
    return "contact_noted" if isinstance(last.decision, Handoff) and states_contact(text) else None


def is_smalltalk(guess: Guess, text: str) -> bool:
    """Whether a guess at small talk is to be believed: in a long message something else is wanted too.

    "有啥好处" looks like praise; but who praises does not ask.
    """
    if guess.intent in _NO_QUESTIONS and acts.is_question(text) and not guess.exact:
        return False
    return guess.exact or (guess.confidence >= LIKELY and len(text) <= _LONGEST)
