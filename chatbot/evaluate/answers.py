"""How far answers can be trusted: what is answered at a stated risk, and how much of that is wrong.

Thresholds come from one set of questions and are measured on another, so a promise that does not carry over
shows. A reply is right when the entry that is sent is among those that the file names.

coverage                share of the answerable questions that get a right answer
wrong_rate              share of the given answers that are wrong, those to unanswerable questions included
unanswerable_answered   share of the unanswerable questions that get an answer
risk_target_met         whether the wrong rate on these questions is at most the risk (answers must be given)
risk_certified          whether the calibration questions bound it by the risk; where they do not, the strictest
                        threshold stands, and nothing is promised
aurc                    area under the risk-coverage curve over all questions; less is better
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chatbot.decide.calibrate import Judged, fit_curves, operating_point, upper_bound
from chatbot.decide.questions import Question
from chatbot.decide.thresholds import CalibrationError, Curve
from chatbot.understand.language import HAN
from knowledge.evaluate import Judged as Asked
from knowledge.evaluate import thirds
from knowledge.types import Progress, Retriever

Bools: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]

CONFIDENCE = 0.95
FEWEST = 60
CURVE_POINTS = 20


@dataclass(frozen=True, slots=True)
class FittedPoint:
    """Curves by language, and the probability from which on an answer is given."""

    curves: Mapping[str, Curve]
    threshold: float
    fitted_on: int
    figures: Mapping[str, float | int | str]
    """What it gives on the questions that it was fitted on, each judged by a curve without it."""


def language_of(text: str) -> str:
    """Which curve a question is judged by."""
    return "zh" if HAN.search(text) else "en"


def ask(asked: Sequence[Asked], retriever: Retriever, *, k: int, progress: Progress) -> list[Judged]:
    """Search every question; each hit is right or wrong as the file says."""
    judged = []
    for done, one in enumerate(asked, 1):
        question = Question(
            one.query, language_of(one.query), one.relevant, "similar" if one.relevant else "left_out"
        )
        hits = retriever.search(one.query, k)
        judged.append(Judged(question, hits, [hit.passage.id in one.relevant for hit in hits]))
        if done % 20 == 0 or done == len(asked):
            progress("Asking the questions", done / len(asked))
    return judged


def fit_point(judged: Sequence[Judged], *, risk: float, seed: int) -> FittedPoint:
    """Fit curves and the loosest threshold whose wrong share is at most `risk`, with 95 % confidence.

    Raises:
        CalibrationError: Fewer than 60 questions.
    """
    if len(judged) < FEWEST:
        msg = f"{len(judged)} questions are too few to fit a threshold from. Give at least {FEWEST}, some of them unanswerable."
        raise CalibrationError(msg)
    curves, tops = fit_curves(judged, seed=seed)
    threshold, figures = operating_point(tops, risk=risk, confidence=CONFIDENCE)
    return FittedPoint(curves, threshold, len(judged), figures)


def measure_answers(point: FittedPoint, judged: Sequence[Judged], *, risk: float) -> dict[str, Any]:
    """The figures of the questions `judged`, which the point has never seen."""
    best = [_best(point.curves, one) for one in judged]
    probability = np.array([p for p, _ in best])
    right = np.array([is_right for _, is_right in best], np.bool_)
    answerable = np.array([bool(one.question.answers) for one in judged], np.bool_)
    whole = _figures(probability, right, answerable, point.threshold, risk)

    def parts(labels: Sequence[str]) -> dict[str, Any]:
        of = np.array(labels)
        return {
            name: _figures(
                probability[of == name], right[of == name], answerable[of == name], point.threshold, risk
            )
            for name in dict.fromkeys(sorted(labels))
        }

    by_language = parts([one.question.language for one in judged])
    return {
        "n": len(judged),
        **whole,
        "risk": risk,
        "threshold": point.threshold,
        "fitted_on": point.fitted_on,
        "risk_certified": float(point.figures["wrong_rate_upper"]) <= risk,
        **({"by_language": by_language} if len(by_language) > 1 else {}),
        "by_length": parts(thirds([one.question.text for one in judged])),
        "curve": risk_coverage(probability, right),
    }


def risk_coverage(probability: Floats, right: Bools, *, points: int = CURVE_POINTS) -> dict[str, Any]:
    """Share of wrong answers when only the surest part of all questions is answered, by that part."""
    order = np.argsort(-probability, kind="stable")
    wrong = np.cumsum(~right[order])
    curve = {}
    for step in range(1, points + 1):
        count = max(1, round(len(order) * step / points))
        curve[f"{count / len(order):.2f}"] = {
            "risk": float(wrong[count - 1] / count),
            "threshold": float(probability[order[count - 1]]),
        }
    return curve


def aurc(probability: Floats, right: Bools) -> float:
    """Mean, over every number of answers, of the wrong share among the surest so many.

    Source: Geifman et al. (2019), "Bias-reduced uncertainty estimation for deep neural classifiers".
    """
    order = np.argsort(-probability, kind="stable")
    return float((np.cumsum(~right[order]) / np.arange(1, len(order) + 1)).mean())


def _best(curves: Mapping[str, Curve], one: Judged) -> tuple[float, bool]:
    """Probability of the best hit, and whether it is right; (0.0, False) when nothing was found."""
    curve = curves.get(one.question.language) or next(iter(curves.values()))
    scored = [
        (curve.probability(hit.features), right) for hit, right in zip(one.hits, one.right, strict=True)
    ]
    return max(scored, key=lambda pair: pair[0], default=(0.0, False))


def _figures(
    probability: Floats, right: Bools, answerable: Bools, threshold: float, risk: float
) -> dict[str, Any]:
    given = probability >= threshold
    wrong, total = int((given & ~right).sum()), int(given.sum())
    rate = wrong / max(1, total)
    return {
        "coverage": float((given & right).sum() / max(1, answerable.sum())),
        "wrong_rate": rate,
        "wrong_rate_upper_95": upper_bound(wrong, total, confidence=CONFIDENCE),
        "unanswerable_answered": float((given & ~answerable).sum() / max(1, (~answerable).sum())),
        "aurc": aurc(probability, right),
        "risk_target_met": total > 0 and rate <= risk,
        "answered": total,
        "wrong": wrong,
        "answerable": int(answerable.sum()),
        "unanswerable": int((~answerable).sum()),
    }
