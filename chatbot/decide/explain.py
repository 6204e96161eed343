"""What would have changed a decision: the policy asked again with one thing different at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from chatbot.decide.needed import missing_slots
from chatbot.decide.policy import RulePolicy
from chatbot.types import Decision, Turn, Understanding
from knowledge.types import Hit


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that would have led elsewhere."""

    condition: str
    """In words, to be read after "if"."""
    decision: Decision
    reason: str
    """The rule that would have decided."""


def what_would_change(policy: RulePolicy, turn: Turn, history: Sequence[Turn]) -> list[Change]:
    """The single changes that lead to another kind of decision, each outcome once.

    Args:
        policy: With the thresholds and intents in force now; they may differ from the turn's.
        turn: The turn to explain.
        history: The turns before it, oldest first.
    """
    understood, hits = turn.understanding, turn.hits
    before = policy.decide(understood, hits, history).decision
    seen = {_outcome(before)}
    changes: list[Change] = []
    for condition, other, found, past in _alternatives(policy, understood, hits, history):
        verdict = policy.decide(other, found, past)
        if _outcome(verdict.decision) not in seen:
            seen.add(_outcome(verdict.decision))
            changes.append(Change(condition, verdict.decision, verdict.reason))
    return changes


def _alternatives(
    policy: RulePolicy, u: Understanding, hits: Sequence[Hit], history: Sequence[Turn]
) -> Iterator[tuple[str, Understanding, Sequence[Hit], Sequence[Turn]]]:
    best = next((hit for hit in hits if hit.passage.source != "document"), None)
    if best is not None and best.score < policy.answer_from:
        surer = [replace(best, score=policy.answer_from), *(hit for hit in hits if hit is not best)]
        needed = f"the answer to “{best.passage.title}” were {policy.answer_from:.2f} likely to be right and not {best.score:.2f}"
        yield needed, u, surer, history
    intent = policy.intents.get(u.intent or "")
    if intent is not None and u.confidence < policy.thresholds.intent:
        condition = (
            f"the intent '{intent.name}' were {policy.thresholds.intent:.2f} sure and not {u.confidence:.2f}"
        )
        yield condition, replace(u, confidence=policy.thresholds.intent, stays=False), hits, history
    if intent is not None and (missing := missing_slots(intent, u.slots)):
        filled = {**u.slots, **dict.fromkeys(missing, "?")}
        yield f"the customer had named {', '.join(missing)}", replace(u, slots=filled), hits, history
    if hits:
        yield "nothing stored had been found", u, (), history
    if u.confidence > 0:
        yield (
            "no intent had been recognised",
            replace(u, intent=None, confidence=0.0, stays=False),
            hits,
            history,
        )
    if u.sentiment < 0:
        yield "the customer were calm", replace(u, sentiment=0.0), hits, history
    if history:
        yield "it were the first message", replace(u, stays=False), hits, ()


def _outcome(decision: Decision) -> tuple[object, ...]:
    """Equal for decisions that lead to the same reply: kind, what it is about, whether it is claimed."""
    about = getattr(decision, "intent", None) or tuple(getattr(decision, "passage_ids", ()))[:1]
    return decision.kind, about, getattr(decision, "sure", None)
