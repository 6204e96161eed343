"""One verdict out of those for the questions of one message."""

from __future__ import annotations

from collections.abc import Sequence

from chatbot.types import AnswerFrom, AskSlot, Several, UseTemplate, Verdict


def together(whole: Verdict, parts: Sequence[Verdict]) -> Verdict:
    """Answer each question where all are answered differently; else what the message as a whole is answered by.

    Where nothing answers the message as a whole, but one of its questions is answered, that one is.
    """
    answered = [
        (part.decision, part.reason)
        for part in parts
        if isinstance(part.decision, UseTemplate | AskSlot)
        or (isinstance(part.decision, AnswerFrom) and part.decision.sure)
    ]
    different = [
        one for number, one in enumerate(answered) if _said(one[0]) not in map(_said_of, answered[:number])
    ]
    if len(different) < 2 or len(answered) < len(parts):
        helpless = not isinstance(whole.decision, UseTemplate | AskSlot | AnswerFrom)
        return Verdict(*answered[0]) if helpless and answered else whole
    # Only one thing can be asked of the customer, and it has to stand last to be answered.
    told = [one for one in different if not isinstance(one[0], AskSlot)]
    asks = [one for one in different if isinstance(one[0], AskSlot)][:1]
    chosen = [*told, *asks]
    if len(chosen) < 2:
        return Verdict(*chosen[0])
    reasons = " ".join(f"({number}) {reason}" for number, (_, reason) in enumerate(chosen, 1))
    return Verdict(
        Several(tuple(decision for decision, _ in chosen)), f"The message asks several things. {reasons}"
    )


def _said_of(answered: tuple[UseTemplate | AnswerFrom | AskSlot, str]) -> object:
    return _said(answered[0])


def _said(decision: UseTemplate | AnswerFrom | AskSlot) -> object:
    """What tells two answers apart."""
    if isinstance(decision, AnswerFrom):
        return tuple(decision.passage_ids[:1])
    return decision.intent, tuple(sorted(decision.slots.items()))
