"""Fit how all that a message may mean is weighed against each other, and when the likeliest is acted on.

On chats that were kept from training; the dozen weights that make an answer's own probability were fitted on them, too. Of
4,015 messages of the demo's, cross-fitted, 73 % can be acted on with 10 % wrong ones and 50 % with 5 %; 64 and 40 % where answer
and intent had a curve of their own each. Of 834 messages of chats that nothing was fitted on, 72 % are acted on at the fitted
threshold, and 7.5 % of those wrongly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from chatbot.chats import INTENT_PREFIX
from chatbot.decide.calibrate import FOLDS, Judged, Top, even_point, operating_points, trade_off
from chatbot.decide.thresholds import IN_CHAT, Calibration, Certificate, Curve, Thresholds
from chatbot.decide.weighing import Kind, Option, options_of, shares
from chatbot.types import Understanding

Floats = npt.NDArray[np.float64]

_FEWEST = 100
"""Messages from which the weights can be fitted, of first ones and of later ones."""
_FEATURES: Mapping[Kind, tuple[str, ...]] = {
    "answer": ("nearness", "logit"),
    "intent": ("nearness", "logit"),
    "nothing": ("nearness",),
    "remark": ("nearness",),
}
_PENALTY = 1e-4
"""Of the squared weights, a message: hardly any, as a nearness counts 40."""


@dataclass(frozen=True, slots=True)
class Case:
    """A message of a chat with what it was taken for and what was found for it."""

    understood: Understanding
    judged: Judged
    answers: Sequence[str] | None
    """What answered it then; None for a remark."""

    @property
    def in_chat(self) -> bool:
        """Whether it was read after what was said before it."""
        return bool(self.understood.read_as)


@dataclass(frozen=True, slots=True)
class _Posed:
    """A case as what it may mean, and what of that is right."""

    case: Case
    options: list[Option]
    right: npt.NDArray[np.bool_]


def with_choice(
    fitted: Calibration,
    cases: Sequence[Case],
    *,
    certificate: Callable[[Mapping[str, float | int | str]], Certificate],
    risk: float,
    confidence: float,
    seed: int,
) -> Calibration:
    """The calibration with the weights of `weighing.weigh`, and with thresholds of what comes out of it.

    Args:
        fitted: Makes the hits' probabilities; returned as it is where there are too few messages.
        cases: Messages that the encoder did not learn from.
        certificate: Makes the certificate from the measured figures.
        risk: Largest share of wrong ones among what is acted on, 0..1.
        confidence: Of the bound on that share, 0..1.
        seed: Of the folds.
    """
    posed = [_posed(case, fitted) for case in cases if case.understood.near]
    later = sum(one.case.in_chat for one in posed)
    if min(later, len(posed) - later) < _FEWEST:
        return fitted
    tops, answers = _cross_fitted(posed, seed)
    answer, strict, figures = operating_points(tops, risk=risk, confidence=confidence)
    thresholds = Thresholds(
        answer=answer,
        strict=strict,
        clarify=even_point([(top[4], top[3]) for top in tops], below=answer),
        compose=fitted.thresholds.compose,
        intent=answer,
        suggest=even_point([(top[1], top[2]) for top in answers], below=answer),
    )
    return replace(
        fitted,
        choice=fit_choice(posed),
        thresholds=thresholds,
        certificate=certificate(figures),
        points=trade_off(tops, confidence=confidence),
    )


def fit_choice(posed: Sequence[_Posed]) -> dict[str, Curve]:
    """The weights of each kind of option, by maximum likelihood.

    First messages have weights of their own, and those that mean an intent count as much as all others: how many customers
    begin with their own case is no matter of the chats that happen to be there.
    """
    choice: dict[str, Curve] = {}
    for place in ("", IN_CHAT):
        group = [one for one in posed if one.case.in_chat == bool(place)]
        columns = [(kind, name) for kind, names in _FEATURES.items() for name in (*names, "")]
        numbers = {column: number for number, column in enumerate(columns)}
        rows = np.array([_row(option, numbers) for one in group for option in one.options])
        starts = np.cumsum([0, *(len(one.options) for one in group)])[:-1]
        right = np.concatenate([one.right for one in group])
        weights = _likeliest(rows, starts, right, np.ones(len(group)) if place else _balanced(group))
        for kind, names in _FEATURES.items():
            own = {name: float(weights[numbers[kind, name]]) for name in names}
            choice[kind + place] = Curve(own, float(weights[numbers[kind, ""]]))
    return choice


def _balanced(group: Sequence[_Posed]) -> Floats:
    """What each message counts, so that those that mean an intent and the others count the same in sum."""
    intents = np.array(
        [any(answer.startswith(INTENT_PREFIX) for answer in one.case.answers or ()) for one in group]
    )
    share = np.clip(intents.mean(), 1 / len(group), 1 - 1 / len(group))
    counts: Floats = np.where(intents, 0.5 / share, 0.5 / (1 - share))
    return counts


def _posed(case: Case, fitted: Calibration) -> _Posed:
    """Where nothing of what was found is right, that nothing is known is."""
    understood = case.understood
    hits = fitted.apply(case.judged.hits, language=understood.language, in_chat=case.in_chat)
    options = options_of(understood, [hit for hit in hits if hit.passage.source != "document"])
    means = {"answer": "", "intent": INTENT_PREFIX}
    right = np.array(
        [
            option.kind == "remark"
            if case.answers is None
            else option.kind in means and means[option.kind] + option.name in case.answers
            for option in options
        ]
    )
    if not right.any():
        right = np.array([option.kind == "nothing" for option in options])
    return _Posed(case, options, right)


def _row(option: Option, numbers: Mapping[tuple[Kind, str], int]) -> Floats:
    row = np.zeros(len(numbers))
    row[numbers[option.kind, ""]] = 1.0
    for name in _FEATURES[option.kind]:
        row[numbers[option.kind, name]] = option.features[name]
    return row


def _likeliest(
    rows: Floats, starts: npt.NDArray[np.int64], right: npt.NDArray[np.bool_], counts: Floats
) -> Floats:
    """Weights under which the right options are chosen most often.

    Args:
        rows: Features of all options, message after message; shape (options, features).
        starts: Where each message's begin.
        right: Whether an option is right; of several right ones of a message any will do.
        counts: What each message counts.
    """
    lengths = np.diff(np.append(starts, len(rows)))
    spread = rows.std(axis=0) + 1e-9
    scaled = rows / spread

    def lost(weights: Floats) -> tuple[float, Floats]:
        utility = scaled @ weights
        odds = np.exp(utility - np.repeat(np.maximum.reduceat(utility, starts), lengths))
        every, chosen = np.add.reduceat(odds, starts), np.add.reduceat(odds * right, starts)
        off = odds / np.repeat(every, lengths) - odds * right / np.repeat(chosen, lengths)
        off *= np.repeat(counts, lengths)
        loss = float(counts @ np.log(every / chosen) + _PENALTY * weights @ weights * len(starts))
        return loss, scaled.T @ off + 2 * _PENALTY * len(starts) * weights

    found = minimize(lost, np.zeros(rows.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    weights: Floats = found.x / spread
    return weights


def _cross_fitted(posed: Sequence[_Posed], seed: int) -> tuple[list[Top], list[Top]]:
    """Of each message that asks: the best that can be acted on, and the best stored answer, with their probabilities
    under weights that were fitted on the others.
    """
    order = np.random.default_rng(seed).permutation(len(posed))
    tops: list[Top] = []
    answers: list[Top] = []
    for fold in range(FOLDS):
        held = set(order[fold::FOLDS].tolist())
        choice = fit_choice([one for number, one in enumerate(posed) if number not in held])
        for number in held:
            one = posed[number]
            if one.case.answers is None:
                continue
            likely = shares(one.options, choice, in_chat=one.case.in_chat)
            judged = _asking(one.case)
            tops.append(_top(judged, one, likely, intents=True))
            answers.append(_top(judged, one, likely, intents=False))
    return tops, answers


def _asking(case: Case) -> Judged:
    """With the intents among what answers."""
    question = replace(case.judged.question, answers=frozenset(case.answers or ()))
    return replace(case.judged, question=question)


def _top(judged: Judged, posed: _Posed, likely: Sequence[float], *, intents: bool) -> Top:
    """The likeliest stored answer, or the intent that the message is taken for, and three answers together."""
    taken = posed.case.understood.intent
    found = sorted(
        (
            (share, bool(right))
            for option, share, right in zip(posed.options, likely, posed.right, strict=True)
            if option.kind == "answer" or (intents and option.kind == "intent" and option.name == taken)
        ),
        reverse=True,
    )
    best, is_right = found[0] if found else (0.0, False)
    return judged, best, is_right, any(r for _, r in found[:3]), min(1.0, sum(p for p, _ in found[:3]))
