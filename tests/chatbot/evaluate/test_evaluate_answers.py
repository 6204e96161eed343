from __future__ import annotations

import numpy as np
import pytest

from chatbot.decide.calibrate import Judged
from chatbot.decide.questions import Question
from chatbot.decide.thresholds import CalibrationError, Curve
from chatbot.evaluate.answers import (
    FittedPoint,
    ask,
    aurc,
    fit_point,
    language_of,
    measure_answers,
    risk_coverage,
)
from fakes import FakeRetriever
from knowledge.evaluate import Judged as Asked
from knowledge.types import Hit, Passage

STRAIGHT = Curve({"fused": 10.0}, -5.0)


def judged(fused: float, *, right: bool, answerable: bool = True, text: str = "question") -> Judged:
    passage = Passage("faq:a", "A.", "A?", "faq", "en")
    hit = Hit(passage, fused, 1, features={"fused": fused})
    answers = frozenset({"faq:a" if right else "faq:b"} if answerable else ())
    return Judged(Question(text, language_of(text), answers, "similar"), [hit], [right])


def nothing(_what: str, _done: float) -> None:
    """Tells nobody."""


def test_figures_are_those_counted_by_hand() -> None:
    point = FittedPoint({"en": STRAIGHT}, threshold=0.5, fitted_on=60, figures={"wrong_rate_upper": 0.019})
    asked = [
        *(judged(0.9, right=True) for _ in range(6)),
        judged(0.8, right=False),
        judged(0.7, right=False, answerable=False),
        judged(0.2, right=True),
        judged(0.1, right=False, answerable=False),
    ]

    figures = measure_answers(point, asked, risk=0.02)

    assert figures["answered"] == 8
    assert figures["wrong_rate"] == 2 / 8
    assert figures["wrong_rate_upper_95"] == pytest.approx(0.5997, abs=1e-3)  # Clopper-Pearson of 2 in 8
    assert figures["coverage"] == 6 / 8
    assert figures["unanswerable_answered"] == 1 / 2
    assert figures["risk_target_met"] is False
    assert figures["risk_certified"] is True
    assert "by_language" not in figures


def test_a_promise_is_kept_only_by_giving_answers() -> None:
    point = FittedPoint({"en": STRAIGHT}, threshold=0.99, fitted_on=60, figures={"wrong_rate_upper": 0.019})

    figures = measure_answers(point, [judged(0.5, right=True)], risk=0.02)

    assert (figures["answered"], figures["risk_target_met"], figures["wrong_rate_upper_95"]) == (
        0,
        False,
        1.0,
    )


def test_the_area_under_the_curve_is_the_mean_wrong_share_of_every_prefix() -> None:
    probability, right = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False])

    assert aurc(probability, right) == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)
    assert risk_coverage(probability, right, points=2) == {
        "0.50": {"risk": 0.5, "threshold": 0.8},
        "1.00": {"risk": 0.5, "threshold": 0.6},
    }


def test_each_language_has_its_own_figures() -> None:
    point = FittedPoint(
        {"en": STRAIGHT, "zh": STRAIGHT}, threshold=0.5, fitted_on=60, figures={"wrong_rate_upper": 0.019}
    )

    figures = measure_answers(
        point, [judged(0.9, right=True), judged(0.9, right=False, text="怎么退货")], risk=0.02
    )

    assert figures["by_language"]["en"]["wrong_rate"] == 0
    assert figures["by_language"]["zh"]["wrong_rate"] == 1


def test_a_threshold_is_fitted_that_keeps_the_risk_on_questions_it_has_not_seen() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 1, 1200)
    made = [judged(float(s), right=bool(s > 0.5), answerable=bool(i % 4)) for i, s in enumerate(scores)]
    # What nothing answers is never right.
    made = [m if m.question.answers else Judged(m.question, m.hits, [False]) for m in made]
    sure = [judged(1.5, right=True) for _ in range(600)]

    point = fit_point([*made[:600], *sure[:300]], risk=0.05, seed=0)
    figures = measure_answers(point, [*made[600:], *sure[300:]], risk=0.05)

    assert point.fitted_on == 900
    assert figures["risk_target_met"]
    assert figures["coverage"] > 0.4


def test_a_threshold_from_a_handful_of_questions_is_refused() -> None:
    with pytest.raises(CalibrationError, match="at least 60"):
        fit_point([judged(0.5, right=True)] * 59, risk=0.02, seed=0)


def test_a_hit_is_right_when_the_file_names_it() -> None:
    shop = FakeRetriever(
        Passage("faq:a", "A.", "return a phone", "faq", "en"), Passage("faq:b", "B.", "phone", "faq", "en")
    )

    known, unknown = ask(
        [Asked("return phone", frozenset({"faq:b"})), Asked("phone price", frozenset())],
        shop,
        k=5,
        progress=nothing,
    )

    assert list(known.right) == [False, True]
    assert (known.question.origin, unknown.question.origin) == ("similar", "left_out")
    assert not any(unknown.right)
