"""What is unsure is looked for in the passages by the dialogue model first, where it was fine-tuned to do so."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeAlias, TypeGuard

from chatbot.types import (
    AnswerFrom,
    Clarify,
    Decision,
    Decline,
    Handoff,
    Turn,
    UseTemplate,
    Verdict,
    told_in,
)
from knowledge.types import Hit

Unsure: TypeAlias = UseTemplate | AnswerFrom | Clarify | Decline | Handoff


def read_first(
    verdict: Verdict,
    hits: Sequence[Hit],
    last: Turn | None,
    *,
    follows: bool,
    near_from: float,
    most: int,
) -> Verdict:
    """Before the bot gives up, asks back or says the same again, the model reads what is near.

    What was just said is read first: "and how long does it take?" is mostly told by another sentence of it. What a
    template just told of the customer's own case is read too, though no passage is near.

    Args:
        verdict: Of the rules.
        hits: What was found.
        last: The turn before.
        follows: Whether the message may hang on that turn.
        near_from: P(answers) from which a passage is about the same thing.
        most: Passages that are read.
    """
    otherwise = verdict.decision
    told = told_in(last) if last else frozenset()
    if not _unsure(otherwise, told, last):
        return verdict
    near = [hit.passage.id for hit in (last.hits if last and follows else ()) if hit.passage.id in told]
    near += [hit.passage.id for hit in hits if hit.passage.id not in told and hit.score >= near_from]
    if not near and not (last and isinstance(last.decision, UseTemplate) and last.decision.slots):
        return verdict
    decision = AnswerFrom(tuple(near[:most]), verbatim=False, otherwise=otherwise)
    return Verdict(decision, f"{verdict.reason} The dialogue model reads what is near first.")


def _unsure(decision: Decision, told: Collection[str], last: Turn | None) -> TypeGuard[Unsure]:
    match decision:
        case UseTemplate():
            return last is not None and decision == last.decision
        case AnswerFrom():
            return not decision.sure or (decision.verbatim and decision.passage_ids[0] in told)
        case Handoff():
            return decision.reason == "no_answer"
        case Clarify() | Decline():
            return True
        case _:
            return False
