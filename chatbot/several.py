"""One verdict out of those for the questions of one message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

from chatbot.types import AnswerFrom, AskSlot, Decision, Several, UseTemplate, Verdict


def together(whole: Verdict, parts: Sequence[Verdict]) -> Verdict:
    """Answer each question where all are answered differently; else what the message as a whole is answered by.

    Where nothing answers the message as a whole, but one of its questions is answered, that one is.
    """
    answered = [part for part in parts if _is_answer(part.decision)]
    different: dict[object, Verdict] = {}
    for part in answered:
        different.setdefault(_said(part.decision), part)
    if len(different) < 2 or len(answered) < len(parts):
        helpless = not isinstance(whole.decision, UseTemplate | AskSlot | AnswerFrom)
        return answered[0] if helpless and answered else whole
    # Only one thing can be asked of the customer, and it has to stand last to be answered.
    told = [part for part in different.values() if not isinstance(part.decision, AskSlot)]
    asks = [part for part in different.values() if isinstance(part.decision, AskSlot)]
    chosen = [*told, *asks[:1]]
    if len(chosen) < 2:
        return chosen[0]
    reasons = " ".join(f"({number}) {part.reason}" for number, part in enumerate(chosen, 1))
    decisions = tuple(part.decision for part in chosen if _is_answer(part.decision))
    return Verdict(Several(decisions), f"The message asks several things. {reasons}")


def _is_answer(decision: Decision) -> TypeGuard[UseTemplate | AnswerFrom | AskSlot]:
    """Whether a decision answers a question, or asks for what is needed to."""
    return isinstance(decision, UseTemplate | AskSlot) or (isinstance(decision, AnswerFrom) and decision.sure)


def _said(decision: Decision) -> object:
    """What tells two answers apart."""
    match decision:
        case UseTemplate() | AskSlot():
            return decision.intent, tuple(sorted(decision.slots.items()))
        case AnswerFrom():
            return tuple(decision.passage_ids[:1])
        case _:
            return decision
