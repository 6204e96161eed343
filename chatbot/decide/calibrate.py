"""Fit what the policy needs: score -> probability, and operating points for a stated risk.

Learn-then-Test with a fixed sequence (Angelopoulos et al. 2021): thresholds are tried from strict to
loose, and the last one is taken before the exact binomial bound of the wrong share exceeds the risk.
Probabilities are cross-fitted, so no question is judged by a curve that it helped to fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.stats import beta
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from chatbot.decide.questions import Question
from chatbot.decide.thresholds import (
    IN_CHAT,
    Calibration,
    CalibrationError,
    Certificate,
    Curve,
    OperatingPoint,
    Thresholds,
)
from knowledge.types import Hit, Progress, Retriever

Top: TypeAlias = "tuple[Judged, float, bool, bool, float]"
"""A question, its best hit's probability, whether that hit is right, whether one of the first three is, and the
probability that one of them is: the sum of theirs, at most 1."""
Floats: TypeAlias = npt.NDArray[np.float64]

FOLDS = 5
FEWEST_WORDINGS = 60
EXPECTED = 0.5
"""The sequence of tests begins where half the risk could be told from the risk; this looks at counts only."""
FEWEST_NEAR = 8
WINDOW = 0.1
RISKS = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Shown to people who choose."""
WORDINGS = "wordings and entries held back from the index, and out-of-scope sentences"
MESSAGES = "messages of past chats that were kept from training"
"""What a certificate was made from."""
GRID = tuple(round(0.99 - step * 0.01, 2) for step in range(90))
"""Fixed before any data is seen, from strict to loose."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A question with its hits, each marked right (True) or wrong."""

    question: Question
    hits: Sequence[Hit]
    right: Sequence[bool]


def require_wordings(questions: Sequence[Question]) -> None:
    """Refuse to fit from less than a bound can rest on.

    Raises:
        CalibrationError: Fewer than 60 wordings that people wrote.
    """
    wordings = sum(question.origin == "similar" for question in questions)
    if wordings < FEWEST_WORDINGS:
        msg = f"Thresholds can be fitted from at least {FEWEST_WORDINGS} similar questions that are held back and found again, and here are {wordings}. Add other wordings to the FAQs (column similar_questions); until then the shipped thresholds hold."
        raise CalibrationError(msg)


def judge(questions: Sequence[Question], retriever: Retriever, *, k: int, progress: Progress) -> list[Judged]:
    """Search every question; hits in another language than the question's are left out of the judgement."""
    judged = []
    for done, question in enumerate(questions, 1):
        found = retriever.search(question.text, k, locale=question.language, read_as=question.read_as)
        document = question.origin == "document"
        hits = [
            hit
            for hit in found
            if hit.passage.locale == question.language
            and (question.origin == "out_of_scope" or (hit.passage.source == "document") == document)
        ]
        if question.origin == "out_of_scope" and any(hit.features.get("exact") for hit in hits):
            continue  # this company does answer it, word for word
        right = [hit.passage.id in question.answers for hit in hits]
        judged.append(Judged(question, hits, right))
        if done % 20 == 0 or done == len(questions):
            progress("Asking held-out questions", done / len(questions))
    return judged


def fit(
    judged: Sequence[Judged],
    guesses: Sequence[tuple[float, bool]],
    *,
    certificate: Callable[[Mapping[str, float | int | str]], Certificate],
    risk: float,
    confidence: float,
    seed: int,
) -> Calibration:
    """Curves by language and for documents, and the operating points.

    Args:
        judged: Held-out questions with judged hits.
        guesses: Of held-out examples and out-of-scope sentences: the intent's probability, and whether it is right.
        certificate: Makes the certificate from the measured figures.
        risk: Largest share of wrong answers among given ones, 0..1.
        confidence: Of the bound on that share, 0..1.
        seed: Of the folds.

    Raises:
        CalibrationError: Fewer than 60 held-back wordings were found again.
    """
    groups = _groups(judged)
    stored = [one for name, group in groups.items() if name != "document" for one in group]
    require_wordings([one.question for one in stored if any(one.right)])
    curves, tops = fit_curves(stored, seed=seed)
    answer, strict, figures = operating_points(tops, risk=risk, confidence=confidence)
    document = _fit_documents(groups, curves)
    intent = loosest(
        np.array([p for p, _ in guesses]),
        np.array([right for _, right in guesses]),
        risk=risk,
        confidence=confidence,
    )
    thresholds = Thresholds(
        answer=answer,
        strict=strict,
        clarify=even_point([(top[4], top[3]) for top in tops], below=answer),
        compose=_compose_point(groups, document),
        intent=intent,
        suggest=even_point([(top[1], top[2]) for top in tops], below=answer),
    )
    if document is not None:
        curves["document"] = document
    return Calibration(curves, thresholds, certificate(figures), trade_off(tops, confidence=confidence))


def fit_curves(judged: Sequence[Judged], *, seed: int) -> tuple[dict[str, Curve], list[Top]]:
    """Curves of stored answers by language, and each question's best hit as a curve sees it that was fitted
    on the others: what thresholds are fitted on.
    """
    curves: dict[str, Curve] = {}
    tops: list[Top] = []
    for language, group in _groups(judged).items():
        curves[language] = _fit_curve(group)
        tops += _cross_fitted(group, seed)
    return curves, tops


def _groups(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    groups: dict[str, list[Judged]] = {}
    for one in judged:
        document, in_chat = one.question.origin == "document", IN_CHAT if one.question.read_as else ""
        groups.setdefault("document" if document else one.question.language + in_chat, []).append(one)
    return groups


def _stored(one: Judged) -> list[tuple[Hit, bool]]:
    return [(h, r) for h, r in zip(one.hits, one.right, strict=True) if h.passage.source != "document"]


def _fit_curve(group: Sequence[Judged]) -> Curve:
    pairs = [pair for one in group for pair in _stored(one)]
    return logistic([(hit.features, right) for hit, right in pairs])


def logistic(rows: Sequence[tuple[Mapping[str, float], bool]], *, balanced: bool = False) -> Curve:
    """The curve of figures and whether what they speak for is right.

    Args:
        rows: Figures by name, and whether it is right.
        balanced: Right ones and others count the same in sum, however many there are of each.
    """
    names = sorted({name for features, _ in rows for name in features})
    matrix = np.array([[features.get(name, 0.0) for name in names] for features, _ in rows])
    labels = np.array([right for _, right in rows])
    if labels.all() or not labels.any():
        return Curve({}, 4.0 if labels.all() else -4.0)
    scaler = StandardScaler().fit(matrix)
    weight = "balanced" if balanced else None
    model = LogisticRegression(C=1.0, max_iter=1000, class_weight=weight).fit(
        scaler.transform(matrix), labels
    )
    weights: Floats = model.coef_[0] / scaler.scale_
    bias = float(model.intercept_[0] - (weights * scaler.mean_).sum())
    return Curve({n: float(w) for n, w in zip(names, weights, strict=True)}, bias)


def _cross_fitted(group: Sequence[Judged], seed: int) -> list[Top]:
    """Of each question: the best hit's probability, whether it is right, whether one of three is."""
    order = np.random.default_rng(seed).permutation(len(group))
    tops = []
    for fold in range(FOLDS):
        held = set(order[fold::FOLDS].tolist())
        curve = _fit_curve([one for i, one in enumerate(group) if i not in held])
        for i in held:
            scored = sorted(((curve.probability(h.features), r) for h, r in _stored(group[i])), reverse=True)
            best, right = scored[0] if scored else (0.0, False)
            any_right, one_of_three = any(r for _, r in scored[:3]), min(1.0, sum(p for p, _ in scored[:3]))
            tops.append((group[i], best, right, any_right, one_of_three))
    return tops


def operating_points(
    tops: Sequence[Top], *, risk: float, confidence: float
) -> tuple[float, float, dict[str, float | int | str]]:
    """The loosest threshold that keeps the promise, that of half the risk, and what the first gives."""
    answer, figures = operating_point(tops, risk=risk, confidence=confidence)
    # Where the questions are too few to bound half the risk, half the measured share of wrong ones.
    strict, bounded = operating_point(tops, risk=risk / 2, confidence=confidence)
    if float(bounded["wrong_rate_upper"]) > risk / 2:
        strict, _ = operating_point(tops, risk=risk / 2, confidence=0.5)
    return answer, max(strict, answer), figures


def operating_point(
    tops: Sequence[Top], *, risk: float, confidence: float
) -> tuple[float, dict[str, float | int | str]]:
    """The loosest threshold that keeps the promise, and what it gives on the held-out questions."""
    probability = np.array([top[1] for top in tops])
    right = np.array([top[2] for top in tops])
    answerable = np.array([bool(top[0].question.answers) for top in tops])
    chosen = loosest(probability, right, risk=risk, confidence=confidence)
    answered = probability >= chosen
    wrong, total = int((answered & ~right).sum()), int(answered.sum())
    return chosen, {
        "questions": len(tops),
        "coverage": float((answered & right).sum() / max(1, answerable.sum())),
        "wrong_rate": wrong / max(1, total),
        "wrong_rate_upper": upper_bound(wrong, total, confidence=confidence),
        "unanswerable_answered": float((answered & ~answerable).sum() / max(1, (~answerable).sum())),
    }


def trade_off(tops: Sequence[Top], *, confidence: float) -> tuple[OperatingPoint, ...]:
    """Operating points for several risks, over all questions and by language."""
    groups = {"all": list(tops)}
    for top in tops:
        groups.setdefault(top[0].question.language, []).append(top)
    points = []
    for language, group in groups.items() if len(groups) > 2 else [("all", groups["all"])]:
        for risk in RISKS:
            threshold, figures = operating_point(group, risk=risk, confidence=confidence)
            names = ("coverage", "wrong_rate", "wrong_rate_upper", "unanswerable_answered")
            points.append(
                OperatingPoint(risk, language, threshold, *(float(figures[name]) for name in names))
            )
    return tuple(points)


def loosest(
    probability: npt.NDArray[np.floating[Any]],
    right: npt.NDArray[np.bool_],
    *,
    risk: float,
    confidence: float,
) -> float:
    """The last threshold of the grid before the bound of the wrong share exceeds the risk.

    Args:
        probability: Of each held-out answer; shape (n,), in 0..1.
        right: Whether it is right; shape (n,).
        risk: Largest share of wrong ones among those given.
        confidence: Of the bound.
    """
    chosen = GRID[0]
    for threshold in GRID:
        given = probability >= threshold
        wrong, total = int((given & ~right).sum()), int(given.sum())
        if upper_bound(int(EXPECTED * risk * total), total, confidence=confidence) > risk:
            continue  # too few for the bound to hold even if all goes well: no test yet
        if upper_bound(wrong, total, confidence=confidence) > risk:
            break
        chosen = threshold
    return chosen


def upper_bound(wrong: int, total: int, *, confidence: float) -> float:
    """Exact one-sided binomial bound on a share (Clopper and Pearson 1934); 1.0 of nothing."""
    return 1.0 if wrong >= total else float(beta.ppf(confidence, wrong + 1, total - wrong))


def even_point(judged: Sequence[tuple[float, bool]], *, below: float = 1.0) -> float:
    """The loosest threshold around which helping is still more likely than not.

    Args:
        judged: Probability and whether it helped, of each held-out question.
        below: Where something better begins.
    """
    chosen = below
    for threshold in (t for t in GRID if t < below):
        near = [helped for p, helped in judged if threshold <= p < min(threshold + WINDOW, below)]
        if len(near) >= FEWEST_NEAR and sum(near) / len(near) < 0.5:
            break
        chosen = threshold
    return chosen


def _fit_documents(groups: Mapping[str, Sequence[Judged]], curves: Mapping[str, Curve]) -> Curve | None:
    asked = groups.get("document", [])
    rows = [(hit.features, right) for one in asked for hit, right in zip(one.hits, one.right, strict=True)]
    for name in curves:
        for one in groups[name]:
            if one.question.origin == "out_of_scope":
                rows += [(hit.features, False) for hit in one.hits if hit.passage.source == "document"]
    return logistic(rows) if any(right for _, right in rows) else None


def _compose_point(groups: Mapping[str, Sequence[Judged]], document: Curve | None) -> float:
    """Where a document's passage is mostly right, and few out-of-scope questions reach."""
    if document is None:
        return 1.0
    asked, strangers = [], []
    for group in groups.values():
        for one in group:
            pairs = zip(one.hits, one.right, strict=True)
            found = [
                (document.probability(h.features), r) for h, r in pairs if h.passage.source == "document"
            ]
            if one.question.origin == "document" and found:
                asked.append(max(found))
            elif one.question.origin == "out_of_scope" and found:
                strangers.append(max(found))
    # A sentence that was cut out is harder to place than a question, and what is composed passes the guard
    # and names its source: more likely right than not is enough, and hardly a stranger may come so far.
    rare = float(np.quantile([p for p, _ in strangers], 0.99)) if strangers else 0.5
    return max(rare, even_point([*asked, *strangers]))


def certify(
    *,
    encoder: str,
    entries: int,
    knowledge_version: int,
    risk: float,
    confidence: float,
    made_from: str,
    seed: int,
) -> Callable[[Mapping[str, float | int | str]], Certificate]:
    """A certificate's maker: everything but the figures, which come when they are measured."""

    def make(figures: Mapping[str, float | int | str]) -> Certificate:
        return Certificate(
            encoder=encoder,
            entries=entries,
            knowledge_version=knowledge_version,
            risk=risk,
            confidence=confidence,
            questions=int(figures["questions"]),
            coverage=float(figures["coverage"]),
            wrong_rate=float(figures["wrong_rate"]),
            wrong_rate_upper=float(figures["wrong_rate_upper"]),
            unanswerable_answered=float(figures["unanswerable_answered"]),
            fitted_at=datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
            made_from=made_from,
            seed=seed,
        )

    return make
