"""Fit how stored answers and intents are weighed against each other, on chats that were kept from training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chatbot.chats import INTENT_PREFIX
from chatbot.decide.calibrate import Judged, logistic
from chatbot.decide.thresholds import IN_CHAT, Calibration, Curve
from chatbot.decide.weighing import ANSWER, INTENT, answer_features, intent_features
from chatbot.types import Understanding
from knowledge.types import Hit

_FEWEST = 100
"""Messages from which two curves of four figures each can be fitted."""


@dataclass(frozen=True, slots=True)
class Case:
    """A message of a chat with what it was taken for and what was found for it."""

    understood: Understanding
    judged: Judged
    answers: Sequence[str]
    """What answered it then."""


def fit_scales(cases: Sequence[Case], calibration: Calibration) -> Mapping[str, Curve]:
    """The curves of `weighing.weigh`; none where there are too few messages.

    Args:
        cases: Messages that the encoder did not learn from.
        calibration: Makes the hits' probabilities.
    """
    scales: dict[str, Curve] = {}
    for place in ("", IN_CHAT):
        answers: list[tuple[Mapping[str, float], bool]] = []
        intents: list[tuple[Mapping[str, float], bool]] = []
        for case in cases:
            understood = case.understood
            if not understood.nearest or bool(understood.read_as) != bool(place):
                continue
            stored = _stored(case, calibration)
            answers += [(answer_features(hit, understood), right) for hit, right in stored]
            meant = understood.intent is not None and INTENT_PREFIX + understood.intent in case.answers
            intents.append((intent_features(understood, stored[0][0] if stored else None), meant))
        if len(intents) < _FEWEST:
            return {}
        scales[ANSWER + place] = logistic(answers)
        # How many customers begin with their own case is no matter of the chats that happen to be there.
        scales[INTENT + place] = logistic(intents, balanced=not place)
    return scales


def _stored(case: Case, calibration: Calibration) -> list[tuple[Hit, bool]]:
    """The stored answers that were found, with their probabilities, best first, and whether each is right."""
    judged, understood = case.judged, case.understood
    right = {hit.passage.id: right for hit, right in zip(judged.hits, judged.right, strict=True)}
    hits = calibration.apply(judged.hits, language=understood.language, in_chat=bool(understood.read_as))
    return [(hit, right[hit.passage.id]) for hit in hits if hit.passage.source != "document"]
