"""Whether a text belongs to any intent at all: out-of-scope detection, also without out-of-scope examples.

Where the company has none, whole intents are left out in turn: to a head that never saw them, their examples
are out of scope. Real out-of-scope examples are added where there are some, and weigh as much as all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chatbot.understand.head import NOTHING, Fit, solve, some_of_each
from chatbot.understand.kernels import Views
from chatbot.understand.logits import sigmoid
from knowledge.types import Matrix

Flags = npt.NDArray[np.bool_]

_FOLDS = 4
_USED = 4_000
"""Examples with which whole intents are left out; a system is solved for each fold."""
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Signs:
    """What tells whether a text belongs, shape (texts, 4), and whether it does."""

    values: Matrix
    inside: Flags

    def __add__(self, other: Signs) -> Signs:
        return Signs(np.concatenate([self.values, other.values]), np.concatenate([self.inside, other.inside]))


@dataclass(frozen=True, slots=True)
class Detector:
    """P(the text belongs to an intent), by logistic regression of the signs."""

    centre: Matrix
    spread: Matrix
    weights: Matrix
    bias: float

    def belongs(self, signs: Matrix) -> Matrix:
        """Shape (texts,); in-scope and out-of-scope texts weighed alike."""
        total = ((signs - self.centre) / self.spread) @ self.weights + self.bias
        return sigmoid(total)


def signs_of(fit: Fit, views: Views, scores: Matrix, *, own: bool = False) -> Matrix:
    """The best score, its lead, the sum of all squared scores, and the cosine of the nearest example.

    Shared words were tried as a fifth sign; on CLINC150 its weight was a tenth of the best score's.

    Args:
        fit: With the examples.
        views: Of the texts.
        scores: Of the texts, shape (texts, classes).
        own: The texts are the examples themselves, which must not find themselves.
    """
    inside = np.flatnonzero(fit.labels != NOTHING)
    examples = fit.examples.vectors[inside].T
    near = np.empty(len(views), np.float32)
    for start in range(0, len(views), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(views)))
        cosines = views.vectors[rows] @ examples
        if own:
            cosines[rows[:, None] == inside[None, :]] = -1.0
        near[rows] = cosines.max(axis=1)
    ordered = np.sort(scores, axis=1)
    best = ordered[:, -1]
    lead = best - ordered[:, -2] if scores.shape[1] > 1 else best
    mass = np.square(scores).sum(axis=1)
    signs: Matrix = np.stack([best, lead, mass, near], axis=1).astype(np.float32)
    return signs


def signs_of_examples(fit: Fit) -> Signs:
    """The examples, each judged as if it were not there."""
    values = signs_of(fit, fit.examples, fit.left_out, own=True)
    return Signs(values, fit.labels != NOTHING)


def signs_of_left_out_intents(fit: Fit, *, seed: int) -> Signs | None:
    """Examples of intents that a head has not seen, beside held-out ones of those it has; None under 2 intents."""
    chosen = some_of_each(fit.labels, _USED, seed=seed)
    views, labels = fit.examples.rows(chosen), fit.labels[chosen]
    names = np.random.default_rng(seed).permutation(np.unique(labels[labels != NOTHING]))
    folds = [part for part in np.array_split(names, _FOLDS) if len(part)]
    if len(folds) < 2:
        return None
    parts = []
    for part in folds:
        foreign = np.isin(labels, part)
        kept = np.flatnonzero(~foreign)
        classes, owners = np.unique(labels[kept], return_inverse=True)
        shift = int(classes[0] == NOTHING)  # with out-of-scope examples the first class is theirs
        small = solve(views.rows(kept), owners - shift, len(classes) - shift, fit.recipe, seed=seed)
        outside = views.rows(np.flatnonzero(foreign))
        strange = signs_of(small, outside, small.scores(outside))
        parts.append(signs_of_examples(small) + Signs(strange, np.zeros(len(strange), np.bool_)))
    return sum(parts[1:], parts[0])


def fit_detector(groups: Sequence[Signs]) -> Detector:
    """Logistic regression; each group weighs the same in sum, and so do both sides of each.

    A group without one of the sides counts with the side it has.
    """
    from sklearn.linear_model import LogisticRegression

    values = np.concatenate([group.values for group in groups])
    inside = np.concatenate([group.inside for group in groups])
    weights = np.concatenate([_balanced(group.inside) for group in groups])
    centre, spread = values.mean(axis=0), values.std(axis=0) + 1e-6
    if inside.all() or not inside.any():  # one intent only: the best score is all there is
        return Detector(centre, spread, np.array([1, 0, 0, 1], np.float32), 0.0)
    model = LogisticRegression(C=1.0, max_iter=500)
    model.fit((values - centre) / spread, inside, sample_weight=weights * len(values) / weights.sum())
    return Detector(centre, spread, model.coef_[0].astype(np.float32), float(model.intercept_[0]))


def choose_threshold(belongs: Matrix, right: Flags, *, loss: float) -> float:
    """The highest threshold that costs at most a share `loss` of all in-scope texts their right answer.

    Args:
        belongs: Of in-scope texts, from the detector.
        right: Whether the best intent of each is the right one; wrong ones may be lost for nothing.
        loss: Such as 0.01.
    """
    answers = np.sort(belongs[right])
    lost = int(loss * len(belongs))
    return float(answers[min(lost, len(answers) - 1)]) if len(answers) else 0.0


def _balanced(inside: Flags) -> Matrix:
    share = np.where(inside, 0.5 / max(1, int(inside.sum())), 0.5 / max(1, int((~inside).sum())))
    return np.asarray(share, np.float32)
