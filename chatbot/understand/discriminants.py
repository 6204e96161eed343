"""Linear discriminants over an encoder's vectors, and the curves that make their figures probabilities.

The last class is "none of these". What is said here of rows holds for wordings and for what was asked in chats.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from chatbot.chats import INTENT_PREFIX, Asked
from chatbot.understand.logits import softmax
from knowledge.index.pooling import nearness, pooled
from knowledge.search import read_vectors
from knowledge.sources.builtin import SMALLTALK
from knowledge.types import Encoder, Matrix

_FOLDS = 4
# Shrinkage of the covariance that is tried; cross-validation takes the best. Many examples want less.
_SHRINKAGES = (0.1, 0.3, 1.0)
# A cosine to the nearest example adds to the discriminant: +0.5 points on BANKING77 and CLINC150 10-shot,
# AUROC against out-of-scope .924 -> .935.
_NEARNESS = 20.0

_IN_CHATS = "_in_chats"
_MOST_JUDGED = 1200
"""Messages of held-out chats, spread over all, that the curve of five figures is fitted on: each is encoded twice, at the
first start too."""

Labels = npt.NDArray[np.int64]


def fit(
    names: Sequence[str],
    wordings: Mapping[str, str],
    negatives: Sequence[str],
    chats: Sequence[Asked],
    encoder: Encoder,
    *,
    remembered: Sequence[Asked] = (),
    strangers: Container[str],
    seed: int,
) -> dict[str, Matrix]:
    """The heads with their examples and curves, by name.

    What was asked in chats has a head of its own: it knows, beside the examples, what each intent answered in the chats
    that are remembered, and what stored answers did. On 843 messages of chats that nothing was fitted on, 111
    of 163 that an intent answers are above the point with 10 % wrong ones; 56 without those chats.

    Args:
        names: Of the intents.
        wordings: Example -> intent.
        negatives: Questions that are none of the intents.
        chats: What was asked in chats that the encoder did not learn from.
        encoder: Whose vectors are used.
        remembered: What was asked in others, and what answered it.
        strangers: Those of the negatives that no support bot should act on.
        seed: Of the folds.
    """
    vectors = encoder.encode_queries(list(wordings))
    owners = np.array([names.index(name) for name in wordings.values()], np.int64)
    against = encoder.encode_queries(list(negatives))
    business = np.array([not name.startswith(SMALLTALK) for name in names])[owners]
    kept = _unlike(against, vectors[business], owners[business])
    every, labels = _sorted(
        np.concatenate([vectors, against[kept]]),
        np.concatenate([owners, np.full(len(kept), len(names), np.int64)]),
    )
    # The products are small; BLAS threads would only wait for each other (4.5 s against 0.1 s on a busy machine).
    with threadpool_limits(limits=1, user_api="blas"):
        head, alone = _fit_and_calibrate(every, labels, len(names) + 1, seed=seed)
    arrays = {**head, "examples": every, "owners": labels.astype(np.float32), "calibration": alone}
    in_chats = _with_chats(every, labels, chats, remembered, names, encoder) if chats else {}
    foreign = against[[text in strangers for text in negatives]]
    return {**arrays, "strangers": foreign, **{name + _IN_CHATS: one for name, one in in_chats.items()}}


def head_in_chats(arrays: Mapping[str, Matrix]) -> dict[str, Matrix]:
    """Of what `fit` made, the head, examples and curve for messages that are read after what was said before; {} for none."""
    return {name.removesuffix(_IN_CHATS): one for name, one in arrays.items() if name.endswith(_IN_CHATS)}


def _with_chats(
    examples: Matrix,
    owners: Labels,
    chats: Sequence[Asked],
    remembered: Sequence[Asked],
    names: Sequence[str],
    encoder: Encoder,
) -> dict[str, Matrix]:
    judged = chats[:: -(-len(chats) // _MOST_JUDGED)]
    asked = read_vectors(encoder, [one.text for one in judged], [one.read_as for one in judged])
    meant, answered = (
        np.array([_intent_of(one, names) for one in some], np.int64) for some in (judged, remembered)
    )
    known = encoder.encode_queries([one.read_as or one.text for one in remembered])
    every, labels = _sorted(np.concatenate([examples, known]), np.concatenate([owners, answered]))
    with threadpool_limits(limits=1, user_api="blas"):
        head = _fit_head(every, labels, len(names) + 1, _SHRINKAGES[1])
        curve = _calibrate_in_chats(head, every, labels, asked, meant)
    return {
        **head,
        "examples": every,
        "owners": labels.astype(np.float32),
        "calibration": curve,
        "unanswered": known[[one.answers == () for one in remembered]],
        "remarks": known[[one.answers is None for one in remembered]],
    }


def _sorted(vectors: Matrix, owners: Labels) -> tuple[Matrix, Labels]:
    """The rows of a class together, as `nearest_cosines` wants them."""
    order = np.argsort(owners, kind="stable")
    return vectors[order], owners[order]


def _intent_of(asked: Asked, names: Sequence[str]) -> int:
    """Number of the intent that answers; that of "none of these" where a stored answer or nothing does."""
    first = asked.answers[0] if asked.answers else ""
    name = first.removeprefix(INTENT_PREFIX)
    return names.index(name) if name != first and name in names else len(names)


def _calibrate_in_chats(
    head: Mapping[str, Matrix], examples: Matrix, owners: Labels, asked: Matrix, meant: Labels
) -> Matrix:
    """The curve of what was asked in chats, of which the head has seen nothing."""
    classes = len(head["biases"])
    nearest = near_in_chats(asked, examples, owners, classes)
    probabilities = class_probabilities(head, asked, nearest)
    right = (probabilities[:, :-1].argmax(axis=1) == meant).astype(np.int64)
    return _calibrate(curve_features(probabilities, nearest), right, meant == classes - 1)


def _fit_and_calibrate(
    vectors: Matrix, labels: Labels, classes: int, *, seed: int
) -> tuple[dict[str, Matrix], Matrix]:
    fold = _folds(labels, seed)
    held_out = [
        (_held_out(vectors, labels, classes, fold, shrinkage), shrinkage) for shrinkage in _SHRINKAGES
    ]
    (features, right), shrinkage = max(held_out, key=lambda tried: float(tried[0][1].sum()))
    head = _fit_head(vectors, labels, classes, shrinkage)
    return head, _calibrate(features, right, labels == classes - 1)


def _unlike(negatives: Matrix, examples: Matrix, owners: Labels) -> Labels:
    """Rows of the negatives that do not say what an example of the company's own intents says.

    An FAQ question as near to an example as examples of one intent are to each other (median) asks the same.
    """
    likeness = examples @ examples.T
    np.fill_diagonal(likeness, -1.0)
    same = np.where(owners[:, None] == owners[None, :], likeness, -1.0).max(axis=1)
    paraphrase = float(np.median(same)) if (same > -1).any() else 1.0
    return np.flatnonzero((negatives @ examples.T).max(axis=1, initial=-1.0) < max(paraphrase, 0.5))


def _fit_head(vectors: Matrix, labels: Labels, classes: int, shrinkage: float) -> dict[str, Matrix]:
    """Linear discriminants with a shared, shrunk covariance; classes without examples are impossible.

    Source: Friedman, "Regularized discriminant analysis" (1989); equal priors.
    """
    mean = vectors.mean(axis=0)
    centred = vectors - mean
    counts = np.bincount(labels, minlength=classes)
    centres = np.zeros((classes, vectors.shape[1]), np.float32)
    np.add.at(centres, labels, centred)
    centres /= np.maximum(counts, 1)[:, None]
    residuals = centred - centres[labels]
    covariance = residuals.T @ residuals / len(vectors)
    width = len(covariance)
    floor = max(float(np.trace(covariance)) / width, 1e-4)
    covariance += shrinkage * floor * np.eye(width, dtype=np.float32)
    weights = np.linalg.solve(covariance, centres.T).T
    biases = np.where(counts > 0, -0.5 * (weights * centres).sum(axis=1), -1e9)
    return {"mean": mean, "weights": weights.astype(np.float32), "biases": biases.astype(np.float32)}


def _held_out(
    vectors: Matrix, labels: Labels, classes: int, fold: Labels, shrinkage: float
) -> tuple[Matrix, Labels]:
    """Features and rightness of every example, judged by a head that has not seen it."""
    features = np.zeros((len(labels), 4), np.float32)
    right = np.zeros(len(labels), np.int64)
    for number in range(_FOLDS):
        held, rest = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        if not len(held) or not len(rest):
            continue
        head = _fit_head(vectors[rest], labels[rest], classes, shrinkage)
        nearest = nearest_cosines(vectors[held], vectors[rest], labels[rest], classes)
        probabilities = class_probabilities(head, vectors[held], nearest)
        features[held] = curve_features(probabilities, nearest)
        right[held] = probabilities[:, :-1].argmax(axis=1) == labels[held]
    return features, right


def _calibrate(features: Matrix, right: Labels, outside: npt.NDArray[np.bool_]) -> Matrix:
    """Logistic regression of "the best intent is right"; the last entry is the bias.

    Questions inside and `outside` the intents weigh the same in sum.
    """
    if len(np.unique(right)) < 2:
        return np.array([1.0, 0.0, 0.0, 0.0, 0.0], np.float32)
    from sklearn.linear_model import (
        LogisticRegression,  # here: it takes 2 s to load, and most starts fit nothing
    )

    share = np.where(outside, 0.5 / max(1, outside.sum()), 0.5 / max(1, (~outside).sum()))
    model = LogisticRegression(C=10.0, max_iter=500).fit(features, right, sample_weight=share * len(right))
    return np.append(model.coef_[0], model.intercept_[0]).astype(np.float32)


def _folds(labels: Labels, seed: int) -> Labels:
    """Fold of each row: the examples of every class are dealt out in a seeded order."""
    fold = np.zeros(len(labels), np.int64)
    order = np.random.default_rng(seed).permutation(len(labels))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        fold[members] = np.arange(len(members)) % _FOLDS
    return fold


def class_probabilities(head: Mapping[str, Matrix], vectors: Matrix, nearest: Matrix) -> Matrix:
    """Softmax, float32, shape (rows, classes); the last class is "none of these"."""
    scores = all_products(vectors - head["mean"], head["weights"]) + head["biases"] + _NEARNESS * nearest
    return softmax(scores)


def nearest_cosines(vectors: Matrix, examples: Matrix, owners: npt.NDArray[Any], classes: int) -> Matrix:
    """Cosine to the nearest example of each class, shape (rows, classes); -1 for a class without any.

    `owners` must be sorted.
    """
    present, starts = np.unique(owners.astype(np.int64), return_index=True)
    best = np.full((len(vectors), classes), -1.0, np.float32)
    best[:, present] = np.maximum.reduceat(all_products(vectors, examples), starts, axis=1)
    return best


def near_in_chats(vectors: Matrix, examples: Matrix, owners: npt.NDArray[Any], classes: int) -> Matrix:
    """As `nearest_cosines`, by the smooth maximum: of many messages the near ones count together."""
    present, starts = np.unique(owners.astype(np.int64), return_index=True)
    near = np.full((len(vectors), classes), -1.0, np.float32)
    summed = np.add.reduceat(nearness(all_products(vectors, examples)), starts, axis=1)
    near[:, present] = pooled(summed)
    return near


def nearness_to(vector: Matrix, rows: Matrix) -> float:
    """The smooth maximum of a vector's cosines, shape (1, hidden), to all rows; 0 without any."""
    return float(pooled(nearness(all_products(vector, rows)).sum(axis=1))[0]) if len(rows) else 0.0


def all_products(vectors: Matrix, rows: Matrix) -> Matrix:
    """All dot products, shape (len(vectors), len(rows)).

    One query is multiplied without BLAS: its threads wait for each other on a busy machine (p99 57 ms against
    7 ms on 2 cores with a load of 12; 0.07 against 0.22 ms when idle).
    """
    if len(vectors) > 1:
        return vectors @ rows.T
    single: Matrix = np.einsum("rd,ed->re", vectors, rows)
    return single


def curve_features(probabilities: Matrix, nearest: Matrix) -> Matrix:
    """What calibration sees, shape (rows, 4).

    Logit of the best intent, its margin to the second class, the cosine of its nearest example, and how much
    nearer that is than any other class's.
    """
    shares = np.clip(probabilities, 1e-6, 1 - 1e-6)
    rows = np.arange(len(shares))
    best = shares[:, :-1].argmax(axis=1)
    top, own = shares[rows, best], nearest[rows, best]
    rivals, others = shares.copy(), nearest.copy()
    rivals[rows, best], others[rows, best] = 1e-6, -1.0
    margin = np.log(top) - np.log(rivals.max(axis=1))
    nearer = own - others.max(axis=1)
    return np.stack([np.log(top / (1 - top)), margin, 20 * (own - 0.9), 20 * nearer], axis=1).astype(
        np.float32
    )
