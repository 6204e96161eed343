"""The fine-tuned network beside the head over the frozen encoder: their mixture, chosen on held-out texts.

The two err on different texts. Here every layer learns, the word embeddings alone stay: it is measured, not kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from chatbot.evaluate.intents import HeadModel, Judged, Labelled
from chatbot.understand.head import NOTHING
from chatbot.understand.outside import choose_threshold
from finetune.classifier import Classifier, Labels, TaskPace, TaskTable, batches, open_classifier, train
from finetune.encoder import keep_memory
from finetune.learning import NoCheckpoints
from finetune.wordings import Text
from knowledge.types import Matrix, Progress

_TRIAL_STEPS = 4
_HELD_OUT = 10
"""One text in so many of each intent is held out where there is no validation file."""


_EVERY_LAYER = TaskTable(first_layer=0, rank=0)


@dataclass(frozen=True, slots=True)
class MixedModel:
    """P(intent) of both, weighed; implements chatbot.evaluate.intents.IntentModel."""

    head: HeadModel
    network: Classifier
    share: float
    """Of the fine-tuned network."""
    threshold: float

    def judge(self, texts: Sequence[str]) -> Judged:
        """The best intents and the chance that there is one."""
        frozen, belongs = _frozen(self.head, texts)
        tuned = self.network.probabilities(_states(self.network, texts))
        return _judged(self.head, _mixed(frozen, tuned, self.share), belongs, self.share)


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
    base: tuple[Path, tuple[str, str]],
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
        base: Folder of the encoder to start from, and its prefixes of queries and passages.
        seed: Of dropout, order and split.
        loss: As for the head's threshold.
        budget_minutes: None trains however long it takes.
        shares: Of the network, that are tried.
        progress: Called with what is done and how much of it.

    Returns:
        The model, or None where it would take longer than the budget; and the estimate in minutes.
    """
    texts, owners = _inside(head, learn)
    trial, kept = _trial(head, texts, owners, valid)
    pace = pace_for(len(kept), seed=seed)
    gold = owners[kept]
    network, states = _begin(base, [texts[row] for row in kept], gold, pace)
    minutes = estimated_minutes(network, states, gold, pace)
    if budget_minutes is not None and minutes > budget_minutes:
        progress(
            f"Fine-tuning would take {minutes:.0f} minutes, more than {budget_minutes:.0f}: skipped", 1.0
        )
        return None, minutes
    held_out = _states(network, trial.texts)
    train(
        network,
        (states, gold),
        (held_out, trial.owners),
        pace,
        checkpoints=NoCheckpoints(),
        progress=progress,
    )
    tuned = network.probabilities(held_out)
    right = {
        share: float((_mixed(trial.frozen, tuned, share).argmax(axis=1) == trial.owners).mean())
        for share in shares
    }
    share = max(right, key=lambda tried: right[tried])
    mixed = _mixed(trial.frozen, tuned, share)
    judged = _judged(head, mixed, trial.belongs, share)
    threshold = choose_threshold(judged.belongs, mixed.argmax(axis=1) == trial.owners, loss=loss)
    return MixedModel(head, network, share, threshold), minutes


def learned_from_all(
    mixed: MixedModel,
    head: HeadModel,
    every: Labelled,
    base: tuple[Path, tuple[str, str]],
    *,
    seed: int,
    progress: Progress,
) -> MixedModel:
    """The same choices, the network trained anew on the held-out texts too: they have done their work as judges.

    Args:
        mixed: Its share and threshold stay.
        head: Fitted on the same texts.
        every: All texts.
        base: As for `fit_mixed`.
        seed: Of dropout and order.
        progress: Called with what is done and how much of it.
    """
    texts, owners = _inside(head, every)
    pace = pace_for(len(texts), seed=seed)
    network, states = _begin(base, texts, owners, pace)
    nobody = np.zeros(0, np.int64)
    train(network, (states, owners), ([], nobody), pace, checkpoints=NoCheckpoints(), progress=progress)
    return MixedModel(head, network, mixed.share, mixed.threshold)


def _inside(head: HeadModel, learn: Labelled) -> tuple[list[str], Labels]:
    """The texts that have an intent, and the number of each one's."""
    names = {name: place for place, name in enumerate(head.head.names)}
    places = np.flatnonzero(learn.inside)
    owners = np.array([names[learn.intents[place]] for place in places], np.int64)
    return [learn.texts[place] for place in places], owners


def _begin(
    base: tuple[Path, tuple[str, str]], texts: Sequence[str], owners: Labels, pace: TaskPace
) -> tuple[Classifier, list[Tensor]]:
    """A network that stands at the centres of the texts' intents, and the texts as it reads them."""
    keep_memory()
    torch.manual_seed(pace.seed)
    network = open_classifier(base, _EVERY_LAYER, classes=int(owners.max()) + 1, dropout=pace.dropout)
    states = _states(network, texts)
    network.start_from(network.encoder.vectors(states), owners)
    return network, states


def pace_for(examples: int, *, seed: int) -> TaskPace:
    """Five epochs over many examples, more over few: about 700 steps at least, 15 epochs at most."""
    steps = max(1, math.ceil(examples / 32))
    epochs = min(15, max(5, math.ceil(700 / steps)))
    return TaskPace(epochs=epochs, learning_rate=1e-4, patience=3, dropout=0.1, seed=seed)


def estimated_minutes(network: Classifier, states: Sequence[Tensor], labels: Labels, pace: TaskPace) -> float:
    """How long learning would take on this machine now, from a few steps that change nothing.

    Also chooses the threads: on two shared cores a step took 1.4 s with one thread and 6-11 s with two, which
    wait for each other.
    """
    network.train()
    every = torch.get_num_threads()
    seconds = {}
    for threads in {1, every}:
        torch.set_num_threads(threads)
        seconds[threads] = _seconds_a_step(network, states, labels, pace)
    fastest = min(seconds, key=lambda threads: seconds[threads])
    torch.set_num_threads(fastest)
    return pace.epochs * math.ceil(len(states) / pace.batch_size) * seconds[fastest] / 60


def _seconds_a_step(network: Classifier, states: Sequence[Tensor], labels: Labels, pace: TaskPace) -> float:
    times = []
    lengths = [len(state) for state in states]
    for rows, _ in zip(batches(lengths, pace, epoch=0), range(_TRIAL_STEPS), strict=False):
        begun = time.perf_counter()
        logits = network([states[row] for row in rows])
        nn.functional.cross_entropy(logits, torch.from_numpy(labels[rows])).backward()
        times.append(time.perf_counter() - begun)
    network.zero_grad(set_to_none=True)
    return float(np.median(times))


def _states(network: Classifier, texts: Sequence[str]) -> list[Tensor]:
    """What the word embeddings give."""
    return network.encoder.below([Text(text, 0) for text in texts], progress=lambda _what, _done: None)


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
