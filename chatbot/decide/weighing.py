"""Stored answers and intents weighed against each other, as chats told which of them was meant.

"Do points expire?" lies near the intent that counts the customer's points and near the answer that tells the rule.
Each of them has a probability of its own; what the other one has says more about it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from chatbot.decide.thresholds import IN_CHAT, Curve
from chatbot.types import Understanding
from knowledge.types import Hit

ANSWER, INTENT = "answer", "intent"
_LEAST = 1e-3


def answer_features(hit: Hit, understanding: Understanding) -> dict[str, float]:
    """What speaks for a stored answer, beside the intent that the message may have."""
    return {
        "logit": _logit(hit.score),
        "intent": _logit(understanding.confidence),
        "ahead": hit.features.get("nearness", 0.0) - understanding.nearest,
        "answered": hit.features.get("nearness", 0.0) - understanding.unanswered,
    }


def intent_features(understanding: Understanding, best: Hit | None) -> dict[str, float]:
    """What speaks for the intent, beside the best stored answer."""
    return {
        "logit": _logit(understanding.confidence),
        "answered": understanding.nearest - understanding.unanswered,
        "answer": _logit(best.score if best else 0.0),
        "ahead": understanding.nearest - (best.features.get("nearness", 0.0) if best else 0.0),
    }


def weigh(
    understanding: Understanding, hits: Sequence[Hit], scales: Mapping[str, Curve]
) -> tuple[Understanding, list[Hit]]:
    """Both with the probabilities that they have beside each other; as they came where nothing was fitted.

    Args:
        understanding: Its intent was classified, not given by the customer's choice or by a slot.
        hits: With probabilities, best first.
        scales: From `Calibration.scales`.
    """
    if not scales or not understanding.nearest:
        return understanding, list(hits)
    place = IN_CHAT if understanding.read_as else ""
    answers, intents = scales[ANSWER + place], scales[INTENT + place]
    stored = [hit for hit in hits if hit.passage.source != "document"]
    weighed = [
        hit
        if hit.passage.source == "document" or hit.features.get("exact")
        else replace(hit, score=answers.probability(answer_features(hit, understanding)))
        for hit in hits
    ]
    weighed.sort(key=lambda hit: -hit.score)
    confidence = intents.probability(intent_features(understanding, stored[0] if stored else None))
    return (
        replace(understanding, confidence=confidence),
        [replace(hit, rank=rank) for rank, hit in enumerate(weighed, 1)],
    )


def _logit(probability: float) -> float:
    clipped = min(max(probability, _LEAST), 1 - _LEAST)
    return math.log(clipped / (1 - clipped))
