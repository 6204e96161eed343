"""What the conversation so far lends to a reply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chatbot.types import AskSlot, Decision, Turn, Understanding, UseTemplate, each_of
from knowledge.types import Hit, Passage

_CHAT_TURNS = 2


@dataclass(frozen=True, slots=True)
class Talk:
    """Taken from the turns before."""

    seed: str
    """Chooses among wordings of the same meaning."""
    chat: Sequence[str]
    """What was said before: customer, bot, customer, bot."""
    told: Sequence[Hit] = ()
    """What was found for the message before: what is read may be there."""
    before: Decision | None = None
    """What was decided before; of several questions the last one's."""
    own_case: Passage | None = None
    """What a template just told of the customer's own order, repair ...: it may hold what is asked next."""


def talk_of(history: Sequence[Turn], understanding: Understanding) -> Talk:
    """For the reply to a message.

    Args:
        history: Earlier turns, oldest first.
        understanding: Of the message.
    """
    seed = f"{len(history)}{understanding.query}"
    if not history:
        return Talk(seed, ())
    last = history[-1]
    chat = tuple(text for turn in history[-_CHAT_TURNS:] for text in (turn.message.text, turn.reply.text))
    return Talk(seed, chat, last.hits, each_of(last.decision)[-1], _own_case(last))


def put_right(asked: AskSlot, before: Decision | None) -> dict[str, str]:
    """The slots whose values the customer put right when the same was asked before."""
    if not isinstance(before, AskSlot) or before.intent != asked.intent:
        return {}
    held = before.slots
    return {name: value for name, value in asked.slots.items() if held.get(name, value) != value}


def _own_case(last: Turn) -> Passage | None:
    """The last reply as something to quote from, where it was a template about the customer's own case."""
    if not isinstance(last.decision, UseTemplate) or not last.decision.slots:
        return None
    return Passage("reply", last.reply.text, last.message.text, "document", last.understanding.language)
