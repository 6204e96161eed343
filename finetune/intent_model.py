"""The fine-tuned network beside the head over the frozen encoder: their mixture, chosen on held-out texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chatbot.evaluate.intents import HeadModel, Judged, Labelled
from chatbot.understand.head import NOTHING
from chatbot.understand.outside import choose_threshold
from finetune.intent import IntentNetwork, Labels, Start, estimated_minutes, plan_for, prepare, train
from knowledge.types import Matrix, Progress

_HELD_OUT = 10
"""One text in so many of each intent is held out where there is no validation file."""


@dataclass(frozen=True, slots=True)
class MixedModel:
    """P(intent) of both, weighed; implements chatbot.evaluate.intents.IntentModel."""

    head: HeadModel
    network: IntentNetwork
    share: float
    """Of the fine-tuned network."""
    threshold: float

    def judge(self, texts: Sequence[str]) -> Judged:
        """The best intents and the chance that there is one."""
        frozen, belongs = _frozen(self.head, texts)
        return _judged(
            self.head, _mixed(frozen, self.network.probabilities(texts), self.share), belongs, self.share
        )


@dataclass(frozen=True, slots=True)
class _Trial:
    """Held-out in-scope texts, as each of the two sees them."""

    texts: list[str]
    owners: Labels
    frozen: Matrix
    belongs: Matrix


def fit_mixed(
    head: HeadModel,
    learn: Labelled,
    valid: Labelled | None,
    start: Start,
    *,
    seed: int,
    loss: float,
    budget_minutes: float | None,
    shares: Sequence[float],
    progress: Progress,
) -> tuple[MixedModel | None, float]:
    """Fine-tune on the in-scope texts and choose the network's share on held-out ones.

    Args:
        head: Fitted on the same texts.
        learn: To learn from.
        valid: Held-out texts; None holds out a tenth of `learn`.
        start: Weights to start from.
        seed: Of dropout, order and split.
        loss: As for the head's threshold.
        budget_minutes: None trains however long it takes.
        shares: Of the network, that are tried.
        progress: Called with what is done and how much of it.

    Returns:
        The model, or None where it would take longer than the budget; and the estimate in minutes.
    """
    inside = np.flatnonzero(learn.inside)
    texts = [learn.texts[place] for place in inside]
    names = {name: place for place, name in enumerate(head.head.names)}
    owners = np.array([names[learn.intents[place]] for place in inside], np.int64)
    trial, kept = _trial(head, texts, owners, valid)
    training = prepare([texts[row] for row in kept], owners[kept], start, plan=plan_for(len(kept)), seed=seed)
    minutes = estimated_minutes(training)
    if budget_minutes is not None and minutes > budget_minutes:
        progress(
            f"Fine-tuning would take {minutes:.0f} minutes, more than {budget_minutes:.0f}: skipped", 1.0
        )
        return None, minutes
    network = train(training, held_out=(trial.texts, trial.owners), progress=progress)
    tuned = network.probabilities(trial.texts)
    right = {
        share: float((_mixed(trial.frozen, tuned, share).argmax(axis=1) == trial.owners).mean())
        for share in shares
    }
    share = max(right, key=lambda tried: right[tried])
    mixed = _mixed(trial.frozen, tuned, share)
    judged = _judged(head, mixed, trial.belongs, share)
    threshold = choose_threshold(judged.belongs, mixed.argmax(axis=1) == trial.owners, loss=loss)
    return MixedModel(head, network, share, threshold), minutes


def _trial(
    head: HeadModel, texts: Sequence[str], owners: Labels, valid: Labelled | None
) -> tuple[_Trial, Labels]:
    """The held-out texts, and the places of the training texts that are learned from."""
    names = {name: place for place, name in enumerate(head.head.names)}
    if valid is not None:
        pairs = [(t, names[i]) for t, i in zip(valid.texts, valid.intents, strict=True) if i in names]
        if pairs:
            held = [text for text, _ in pairs]
            frozen, belongs = _frozen(head, held)
            gold = np.array([owner for _, owner in pairs], np.int64)
            return _Trial(held, gold, frozen, belongs), np.arange(len(texts))
    order = np.zeros(len(texts), np.int64)
    for owner in np.unique(owners):
        members = np.flatnonzero(owners == owner)
        order[members] = np.arange(len(members)) + 1
    chosen = np.flatnonzero(order % _HELD_OUT == 0)
    if not len(chosen):  # fewer than ten of each: every tenth of all, the intents still have others
        chosen = np.arange(0, len(texts), _HELD_OUT)
    kept = np.setdiff1d(np.arange(len(texts)), chosen)
    held = [texts[int(row)] for row in chosen]
    frozen, belongs = _frozen(head, held)
    # The head has seen them: what it says of each left out is what counts, where none was sampled away.
    inside = head.head.fit.labels != NOTHING
    if int(inside.sum()) == len(texts):
        frozen = head.head.probabilities(head.head.fit.left_out[inside][chosen])
    return _Trial(held, owners[chosen], frozen, belongs), kept


def _frozen(head: HeadModel, texts: Sequence[str]) -> tuple[Matrix, Matrix]:
    """P(intent) and P(there is one), by the head."""
    from chatbot.understand.outside import signs_of

    views = head.head.viewer.look(texts)
    scores = head.head.fit.scores(views)
    return head.head.probabilities(scores), head.detector.belongs(signs_of(head.head.fit, views, scores))


def _mixed(frozen: Matrix, tuned: Matrix, share: float) -> Matrix:
    """Weighed in logarithms, so that one that is sure a text is something else can say no."""
    mixed: Matrix = (1 - share) * np.log(frozen + 1e-6) + share * np.log(tuned + 1e-6)
    return mixed


def _judged(head: HeadModel, mixed: Matrix, belongs: Matrix, share: float) -> Judged:
    """The head's chance that there is an intent, and how sure the mixture is, weighed alike."""
    sure = np.exp(mixed.max(axis=1))
    chance = belongs ** (1 - share / 2) * sure ** (share / 2)
    return Judged(np.array(head.head.names)[mixed.argmax(axis=1)], chance.astype(np.float32))
