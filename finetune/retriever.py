"""Fine-tune the retriever: wordings of one answer move together, those of others apart.

Read from top to bottom: plan, training, one epoch, one step. Multiple-negatives ranking loss (Henderson et al.,
2017) over batches of which half are each other's neighbours, so that the negatives are hard ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from finetune.encoder import LearningEncoder
from finetune.wordings import Rows, Wordings
from knowledge.types import Matrix, Progress


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast to learn."""

    epochs: int = 3
    learning_rate: float = 5e-4
    batch_size: int = 48
    """Pairs of a step."""
    scale: float = 30.0
    """Cosine to logit."""
    warm_up: float = 0.1
    """Share of the steps in which the rate rises; then it falls to nothing along a line."""
    weight_decay: float = 0.01
    patience: int = 2
    """Epochs without a better held-out figure after which learning stops."""
    neighbours: float = 0.5
    """Share of a batch that lies near its first pair."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Epoch:
    """How one epoch went."""

    epoch: int
    loss: float
    held_out: float
    """P@1: held-out texts whose nearest stored text is of their group."""


class Checkpoints(Protocol):
    """Where a run is kept after each epoch, so that it can go on after a kill."""

    def last(self) -> tuple[dict[str, Tensor], list[dict[str, Any]]] | None:
        """The tensors and epochs that were saved last; None at the start."""
        ...

    def save(self, tensors: dict[str, Tensor], epochs: list[dict[str, Any]]) -> None:
        """Keep them, atomically."""
        ...


@dataclass(frozen=True, slots=True)
class Trained:
    """The encoder with its best weights, and how it came there."""

    encoder: LearningEncoder
    before: float
    """P@1 of held-out texts before learning."""
    after: float
    epochs: tuple[Epoch, ...]


def train(
    encoder: LearningEncoder,
    wordings: Wordings,
    plan: Plan,
    *,
    checkpoints: Checkpoints,
    progress: Progress,
) -> Trained:
    """Learn; the weights of the epoch that was best on the held-out texts stay.

    A run that was stopped goes on after its last whole epoch and ends with the same weights as an unbroken one:
    every epoch draws from its own seed, and the optimizer's state is kept.
    """
    asked = len(wordings.held_out)
    states = encoder.below([*wordings.learn, *wordings.held_out], progress=progress)
    learn, held_out = states[: len(wordings.learn)], states[len(wordings.learn) :]
    run = _Run(encoder, wordings, plan, learn)
    before = run.right_before(held_out) if asked else 0.0
    best_weights, epochs = run.weights(), list[Epoch]()
    if saved := checkpoints.last():
        best_weights, epochs = run.restore(saved[0]), [Epoch(**row) for row in saved[1]]
    best = max([before, *(epoch.held_out for epoch in epochs)])
    for epoch in range(len(epochs), plan.epochs):
        if _waited(epochs, before) >= plan.patience and asked:
            break
        loss = run.epoch(epoch, progress=progress)
        done = Epoch(epoch + 1, loss, run.right(held_out) if asked else 0.0)
        epochs.append(done)
        progress(f"Epoch {done.epoch}: loss {loss:.3f}, {done.held_out:.1%} of the held-out found", 1.0)
        if done.held_out >= best or not asked:
            best, best_weights = done.held_out, run.weights()
        checkpoints.save(run.state(best_weights), [asdict(epoch) for epoch in epochs])
    encoder.load_state_dict(best_weights, strict=False)
    return Trained(encoder, before, best, tuple(epochs))


class _Run:
    """Optimizer, schedule and texts of one run."""

    def __init__(
        self, encoder: LearningEncoder, wordings: Wordings, plan: Plan, states: list[Tensor]
    ) -> None:
        self._encoder, self._wordings, self._plan, self._states = encoder, wordings, plan, states
        self._owners = np.array([text.group for text in wordings.learn], np.int64)
        self._locales = np.array(wordings.locales)
        self._members = wordings.rows()
        self._untrained = encoder.vectors(states)
        self._near = _neighbours(self._untrained, self._members, self._locales)
        self._steps = math.ceil(len(states) / plan.batch_size)
        self._optimizer = torch.optim.AdamW(
            encoder.learned(), lr=plan.learning_rate, weight_decay=plan.weight_decay
        )
        self._done = 0

    def epoch(self, epoch: int, *, progress: Progress) -> float:
        """Each text once as the anchor; the mean loss."""
        torch.manual_seed(self._plan.seed * 1000 + epoch)
        self._encoder.train()
        losses = []
        for pairs in self._batches(epoch):
            for group in self._optimizer.param_groups:
                group["lr"] = self._plan.learning_rate * self._rate()
            loss = self._loss(pairs)
            loss.backward()
            nn.utils.clip_grad_norm_(self._encoder.learned(), 1.0)
            self._optimizer.step()
            self._optimizer.zero_grad(set_to_none=True)
            losses.append(loss.item())
            self._done += 1
            progress("Fine-tuning the retriever", min(1.0, self._done / (self._steps * self._plan.epochs)))
        return float(np.mean(losses))

    def right_before(self, held_out: Sequence[Tensor]) -> float:
        """`right` of the encoder as it came: B of a LoRA pair begins at zero."""
        return self._right(self._untrained, held_out)

    def right(self, held_out: Sequence[Tensor]) -> float:
        """P@1 over the texts that were learned from, of the same language."""
        return self._right(self._encoder.vectors(self._states), held_out)

    def _right(self, stored: Matrix, held_out: Sequence[Tensor]) -> float:
        asked = self._encoder.vectors(held_out)
        groups = np.array([text.group for text in self._wordings.held_out], np.int64)
        scores = asked @ stored.T
        scores[self._locales[groups][:, None] != self._locales[self._owners][None, :]] = -2
        return float((self._owners[scores.argmax(axis=1)] == groups).mean())

    def weights(self) -> dict[str, Tensor]:
        """A copy of what learns."""
        return {
            name: weight.detach().clone()
            for name, weight in self._encoder.named_parameters()
            if weight.requires_grad
        }

    def state(self, best: dict[str, Tensor]) -> dict[str, Tensor]:
        """What `restore` needs, as one flat table."""
        flat = {f"best/{name}": weight for name, weight in best.items()}
        flat |= {f"now/{name}": weight for name, weight in self.weights().items()}
        for place, kept in self._optimizer.state_dict()["state"].items():
            flat |= {f"optimizer/{place}/{name}": value.clone() for name, value in kept.items()}
        return flat | {"done": torch.tensor(self._done)}

    def restore(self, saved: dict[str, Tensor]) -> dict[str, Tensor]:
        """Go on where `state` was taken; the best weights so far."""
        self._encoder.load_state_dict(_below(saved, "now/"), strict=False)
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in _below(saved, "optimizer/").items():
            place, kind = name.split("/", 1)
            state.setdefault(int(place), {})[kind] = value
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": state, "param_groups": groups})
        self._done = int(saved["done"])
        return _below(saved, "best/")

    def _loss(self, pairs: Rows) -> Tensor:
        """Cross-entropy of finding each anchor's partner in the batch, and back.

        Args:
            pairs: Places of anchors and partners, int64, shape (pairs, 2).
        """
        both = pairs.T.reshape(-1)
        vectors = self._encoder([self._states[row] for row in both])
        anchors, partners = vectors[: len(pairs)], vectors[len(pairs) :]
        scores = self._plan.scale * anchors @ partners.T
        owners = self._owners[pairs[:, 0]]
        locales = self._locales[owners]
        # Wordings of the same answer, and answers in another language, are not wrong.
        fine = (owners[:, None] == owners[None, :]) | (locales[:, None] != locales[None, :])
        np.fill_diagonal(fine, val=False)
        scores = scores.masked_fill(torch.from_numpy(fine), -1e4)
        gold = torch.arange(len(pairs))
        return (nn.functional.cross_entropy(scores, gold) + nn.functional.cross_entropy(scores.T, gold)) / 2

    def _batches(self, epoch: int) -> Iterator[Rows]:
        """Each text as anchor with another of its group; part of a batch are neighbours of its first."""
        rng = np.random.default_rng((self._plan.seed, epoch))
        waiting = {
            group: list(rng.permutation(rows)) for group, rows in enumerate(self._members) if len(rows)
        }
        near = round(self._plan.batch_size * self._plan.neighbours)
        order = list(rng.permutation(len(self._owners)))
        used = np.zeros(len(self._owners), bool)
        while order:
            batch: list[int] = []
            first = _next(order, used)
            if first is None:
                return
            for group in self._near[self._owners[first]][:near]:
                while waiting.get(int(group)) and len(batch) < near:
                    row = waiting[int(group)].pop()
                    if not used[row]:
                        used[row] = True
                        batch.append(int(row))
                        break
            while len(batch) < self._plan.batch_size and (row := _next(order, used)) is not None:
                used[row] = True
                batch.append(row)
            yield self._paired(batch, rng)

    def _paired(self, anchors: Sequence[int], rng: np.random.Generator) -> Rows:
        partners = []
        for row in anchors:
            others = self._members[self._owners[row]]
            others = others[others != row]
            partners.append(int(rng.choice(others)) if len(others) else row)
        return np.stack([np.array(anchors, np.int64), np.array(partners, np.int64)], axis=1)

    def _rate(self) -> float:
        done, warm = self._done / (self._steps * self._plan.epochs), self._plan.warm_up
        return done / warm if done < warm else max(0.0, (1 - done) / (1 - warm))


def _neighbours(vectors: Matrix, members: Sequence[Rows], locales: Any) -> list[Rows]:
    """Groups by likeness to each group, itself first; other languages last."""
    centres = np.stack(
        [vectors[rows].mean(axis=0) if len(rows) else np.zeros(vectors.shape[1]) for rows in members]
    )
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-9)
    likeness = centres @ centres.T
    likeness[locales[:, None] != locales[None, :]] -= 2
    return list(np.argsort(-likeness, axis=1, kind="stable"))


def _next(order: list[int], used: Any) -> int | None:
    """Take the next unused text."""
    while order:
        row = int(order.pop())
        if not used[row]:
            return row
    return None


def _waited(epochs: Sequence[Epoch], before: float) -> int:
    """Epochs since the best one."""
    best, waited = before, 0
    for epoch in epochs:
        waited = 0 if epoch.held_out > best else waited + 1
        best = max(best, epoch.held_out)
    return waited


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
