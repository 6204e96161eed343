"""Messages that want an answer of courtesy: thanks, a good-bye, a word of displeasure."""

from __future__ import annotations

from collections.abc import Sequence

from chatbot.types import UNHAPPY, VERY_UNHAPPY, Decline, Handoff, Turn, Understanding, UseTemplate, Verdict

_GRUMBLE = 2
"""Content words of a message that says no more than how somebody feels: 真坑, "this is ridiculous"."""


def thanked(u: Understanding, history: Sequence[Turn]) -> Verdict | None:
    """You are welcome; None for who thanks for nothing, or is angry."""
    if not u.courteous or not history or u.sentiment <= VERY_UNHAPPY:
        return None
    why = "Thanks or a good-bye, and nothing sure is asked beside it."
    return Verdict(UseTemplate("smalltalk.thanks"), why)


def grumbled(u: Understanding, history: Sequence[Turn]) -> Verdict | None:
    """A word of regret for who is displeased and asks nothing, a person the second time; anger has a rule of its own."""
    if not history or not VERY_UNHAPPY < u.sentiment <= UNHAPPY or len(u.new_words) > _GRUMBLE:
        return None
    if history[-1].decision == Decline("unhappy"):
        return Verdict(Handoff("unhappy"), "The customer is unhappy twice in a row, and asks nothing.")
    return Verdict(Decline("unhappy"), "The customer is unhappy, and asks nothing.")
