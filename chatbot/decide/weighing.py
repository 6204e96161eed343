"""Stored answers, intents, nothing and a mere remark weighed against each other, as chats told which of them was meant.

"Do points expire?" lies near the intent that counts the customer's points and near the answer that tells the rule. What
one of them has takes from the others: a conditional logit (McFadden, "Conditional logit analysis of qualitative choice
behavior", 1974) over all that the message may mean, so that their probabilities sum to one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from chatbot.decide.thresholds import IN_CHAT, Curve
from chatbot.types import UNHAPPY, Understanding
from knowledge.sources.builtin import SMALLTALK
from knowledge.types import Hit

Kind: TypeAlias = Literal["answer", "intent", "nothing", "remark"]

_LEAST = 1e-3
_NEAR = 40.0
"""A nearness is the logarithm of what was added up, over 40 (`knowledge.index.pooling`)."""
_FOREIGN = 0.1
"""What counts of an answer in another language: the customer's own mostly has the same."""
_HEARD = f"{SMALLTALK}acknowledge"
_LIKELIEST = 0.4
"""From here on what is likelier a remark than anything else is one: 86 of 190 held-out ones, and 6 of 4,015 questions."""


@dataclass(frozen=True, slots=True)
class Option:
    """Something that a message may mean."""

    kind: Kind
    name: str
    """Id of the stored answer, or the intent; "" for the others."""
    features: Mapping[str, float]


def options_of(understanding: Understanding, hits: Sequence[Hit]) -> list[Option]:
    """All that a message may mean: what was found for it, the likeliest intents, nothing that is known, no question at all.

    Args:
        understanding: With how near the intents are.
        hits: Stored answers, with probabilities.
    """
    answers = [
        Option("answer", hit.passage.id, _features(hit.features.get("nearness", 0.0), hit.score))
        for hit in hits
    ]
    intents = [
        Option("intent", name, _features(near, understanding.scores.get(name, 0.0)))
        for name, near in understanding.near.items()
    ]
    nothing = Option("nothing", "", {"nearness": _NEAR * understanding.unanswered})
    remark = Option("remark", "", {"nearness": _NEAR * understanding.remark})
    return [*answers, *intents, nothing, remark]


def shares(options: Sequence[Option], choice: Mapping[str, Curve], *, in_chat: bool) -> list[float]:
    """The probability of each option; they sum to one."""
    place = IN_CHAT if in_chat else ""
    weights = [choice[option.kind + place].logit(option.features) for option in options]
    highest = max(weights)
    odds = [math.exp(weight - highest) for weight in weights]
    return [one / sum(odds) for one in odds]


def weigh(
    understanding: Understanding, hits: Sequence[Hit], choice: Mapping[str, Curve]
) -> tuple[Understanding, list[Hit]]:
    """Both with the probabilities that they have beside each other; as they came where nothing was fitted.

    What is likelier a remark than anything else is small talk, unless the customer is unhappy.

    Args:
        understanding: Its intent was classified, not given by the customer's choice or by a slot.
        hits: With probabilities, best first.
        choice: From `Calibration.choice`.
    """
    if not choice or understanding.intent not in understanding.near:
        return understanding, list(hits)
    stored = [hit for hit in hits if hit.passage.source != "document" and not hit.features.get("exact")]
    options = options_of(understanding, stored)
    likely = shares(options, choice, in_chat=bool(understanding.read_as))
    found = {(option.kind, option.name): share for option, share in zip(options, likely, strict=True)}
    weighed = [
        replace(hit, score=found["answer", hit.passage.id] * _native(hit, understanding.language))
        if hit in stored
        else hit
        for hit in hits
    ]
    weighed.sort(key=lambda hit: -hit.score)
    ranked = [replace(hit, rank=rank) for rank, hit in enumerate(weighed, 1)]
    remark = found["remark", ""]
    if remark == max(likely) >= _LIKELIEST and understanding.sentiment > UNHAPPY:
        return replace(understanding, act="smalltalk", intent=_HEARD, confidence=remark), ranked
    scores = {name: round(found["intent", name], 4) for name in understanding.near}
    confidence = found["intent", understanding.intent or ""]
    return replace(understanding, confidence=confidence, scores=scores), ranked


def _native(hit: Hit, language: str) -> float:
    return 1.0 if hit.passage.locale.split("-")[0].lower() == language else _FOREIGN


def _features(nearness: float, probability: float) -> dict[str, float]:
    """What speaks for an answer or an intent, whatever else the message may mean."""
    clipped = min(max(probability, _LEAST), 1 - _LEAST)
    return {"nearness": _NEAR * nearness, "logit": math.log(clipped / (1 - clipped))}
