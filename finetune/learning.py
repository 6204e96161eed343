"""How every fine-tuning task learns: warm-up and decay, early stopping, and going on after a kill.

A task brings its network, its batches and its loss; what is the same for all of them stands here, once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from finetune.processes import add_up, place_of_process
from knowledge.types import Progress

Batch = TypeVar("Batch")


class Table(BaseModel):
    """A table of a run.toml; an unknown key is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Pace(Table):
    """[train]: how long and how fast to learn; the same keys for every task."""

    epochs: int = Field(3, ge=1, le=100)
    learning_rate: float = Field(5e-4, gt=0, lt=1)
    batch_size: int = Field(32, ge=2, le=1024)
    accumulate: int = Field(1, ge=1, le=1024)
    """Batches of a step, for more than fit into memory at once."""
    warm_up: float = Field(0.1, gt=0, lt=1)
    """Share of the steps in which the rate rises; then it falls to nothing along a line."""
    weight_decay: float = Field(0.01, ge=0)
    patience: int = Field(2, ge=1)
    """Epochs without a better held-out figure after which learning stops."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Epoch:
    """How one epoch went."""

    epoch: int
    loss: float
    held_out: float
    """The task's figure on what was held out."""


@dataclass(frozen=True, slots=True)
class Step:
    """How one step of the optimizer went."""

    number: int
    """From 1 on, over all epochs."""
    planned: int
    """Steps of the whole run, if nothing stops it early."""
    loss: float
    """Mean of its batches."""
    rate: float
    """At which it learned."""


class Observer(Protocol):
    """Sees a run learn; stops it by raising."""

    def step(self, step: Step) -> None:
        """After each step."""
        ...

    def epoch(self, epoch: Epoch) -> None:
        """After each epoch, before it is kept: a run that goes on after a kill may show it again."""
        ...


class Unwatched:
    """Sees nothing; implements Observer."""

    def step(self, step: Step) -> None:
        """See nothing."""

    def epoch(self, epoch: Epoch) -> None:
        """See nothing."""


UNWATCHED = Unwatched()


class Watched:
    """Several observers as one; implements Observer."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def step(self, step: Step) -> None:
        """Show it to each."""
        for observer in self._observers:
            observer.step(step)

    def epoch(self, epoch: Epoch) -> None:
        """Show it to each."""
        for observer in self._observers:
            observer.epoch(epoch)


_observer: ContextVar[Observer] = ContextVar("observer", default=UNWATCHED)


@contextmanager
def watched(observer: Observer) -> Iterator[None]:
    """Let an observer see what learns in this block.

    It goes with the run as the seed of its weights does, so that no task has to hand it on.
    """
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)


class Checkpoints(Protocol):
    """Where a run is kept after each epoch, so that it can go on after a kill."""

    def last(self) -> tuple[dict[str, Tensor], list[dict[str, Any]]] | None:
        """The tensors and epochs that were saved last; None at the start."""
        ...

    def save(self, tensors: dict[str, Tensor], epochs: list[dict[str, Any]]) -> None:
        """Keep them, atomically."""
        ...


class NoCheckpoints:
    """Keeps nothing; implements Checkpoints."""

    def last(self) -> None:
        """Nothing was kept."""

    def save(self, tensors: dict[str, Tensor], epochs: list[dict[str, Any]]) -> None:
        """Keep nothing."""


@dataclass(frozen=True, slots=True)
class Work(Generic[Batch]):
    """What a task brings."""

    network: nn.Module
    what: str
    """Told while it learns: "Fine-tuning the retriever"."""
    steps: int
    """Batches of an epoch."""
    batches: Callable[[int], Iterable[Batch]]
    """Of an epoch, which draws from its own seed."""
    loss: Callable[[Batch], Tensor]
    judge: Callable[[], float] | None
    """The figure on what is held out, the higher the better; None where nothing is."""
    before: float
    """That figure before learning."""


@dataclass(frozen=True, slots=True)
class Learned:
    """How the network came to its best weights, which it has now."""

    before: float
    """The held-out figure before learning."""
    after: float
    epochs: tuple[Epoch, ...]


def learn(work: Work[Batch], pace: Pace, *, checkpoints: Checkpoints, progress: Progress) -> Learned:
    """Learn; the weights of the epoch that was best on what is held out stay.

    A run that was stopped goes on after its last whole epoch and ends with the same weights as an unbroken one:
    every epoch draws from its own seed, and the optimizer's state is kept.

    Source: AdamW (Loshchilov & Hutter, 2019) with linear warm-up and decay, as in Devlin et al. (2019).
    """
    observer = _observer.get()
    run = _Run(work, pace, observer)
    best_weights, epochs = run.weights(), list[Epoch]()
    if saved := checkpoints.last():
        best_weights, epochs = run.restore(saved[0]), [Epoch(**row) for row in saved[1]]
    best = max([work.before, *(epoch.held_out for epoch in epochs)])
    for number in range(len(epochs), pace.epochs):
        if work.judge and _waited(epochs, work.before) >= pace.patience:
            break
        loss = run.epoch(number, progress=progress)
        done = Epoch(number + 1, loss, work.judge() if work.judge else 0.0)
        epochs.append(done)
        progress(f"Epoch {done.epoch}: loss {loss:.3f}, {done.held_out:.1%} on what is held out", 1.0)
        observer.epoch(done)
        if done.held_out >= best or not work.judge:
            best, best_weights = done.held_out, run.weights()
        checkpoints.save(run.state(best_weights), [asdict(epoch) for epoch in epochs])
    work.network.load_state_dict(best_weights, strict=False)
    return Learned(work.before, best, tuple(epochs))


class _Run:
    """Optimizer and schedule of one run."""

    def __init__(self, work: Work[Any], pace: Pace, observer: Observer) -> None:
        self._work, self._pace, self._observer = work, pace, observer
        self._learned = [weight for weight in work.network.parameters() if weight.requires_grad]
        self._process, self._processes = place_of_process()
        self._together = pace.accumulate * self._processes
        self._optimizer = torch.optim.AdamW(
            self._learned, lr=pace.learning_rate, weight_decay=pace.weight_decay
        )
        self._steps = math.ceil(work.steps / self._together) * pace.epochs
        self._done = 0

    def epoch(self, epoch: int, *, progress: Progress) -> float:
        """Every batch once; the mean loss."""
        torch.manual_seed(self._pace.seed * 1000 + epoch)
        self._work.network.train()
        summed, seen = 0.0, 0
        batches = iter(self._work.batches(epoch))
        while step := list(islice(batches, self._together)):
            rate = self._pace.learning_rate * self._rate()
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            mean = self._learn_from(step)
            nn.utils.clip_grad_norm_(self._learned, 1.0)
            self._optimizer.step()
            self._optimizer.zero_grad(set_to_none=True)
            self._done += 1
            progress(self._work.what, min(1.0, self._done / self._steps))
            self._observer.step(Step(self._done, self._steps, mean, rate))
            summed, seen = summed + mean * len(step), seen + len(step)
        return summed / seen

    def _learn_from(self, step: Sequence[Batch]) -> float:
        """The gradients of a step's batches, of which each process takes its share; their mean loss."""
        mean = torch.zeros(1)
        for batch in step[self._process :: self._processes]:
            loss = self._work.loss(batch) / len(step)
            loss.backward()
            mean += loss.detach()
        if self._processes > 1:
            add_up(self._learned, mean)
        return float(mean)

    def weights(self) -> dict[str, Tensor]:
        """A copy of what learns."""
        named = self._work.network.named_parameters()
        return {name: weight.detach().clone() for name, weight in named if weight.requires_grad}

    def state(self, best: dict[str, Tensor]) -> dict[str, Tensor]:
        """What `restore` needs, as one flat table."""
        flat = {f"best/{name}": weight for name, weight in best.items()}
        flat |= {f"now/{name}": weight for name, weight in self.weights().items()}
        for place, kept in self._optimizer.state_dict()["state"].items():
            flat |= {f"optimizer/{place}/{name}": value.clone() for name, value in kept.items()}
        return flat | {"done": torch.tensor(self._done)}

    def restore(self, saved: dict[str, Tensor]) -> dict[str, Tensor]:
        """Go on where `state` was taken; the best weights so far."""
        self._work.network.load_state_dict(_below(saved, "now/"), strict=False)
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in _below(saved, "optimizer/").items():
            place, kind = name.split("/", 1)
            state.setdefault(int(place), {})[kind] = value
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": state, "param_groups": groups})
        self._done = int(saved["done"])
        return _below(saved, "best/")

    def _rate(self) -> float:
        done, warm = self._done / self._steps, self._pace.warm_up
        return done / warm if done < warm else max(0.0, (1 - done) / (1 - warm))


def _waited(epochs: Sequence[Epoch], before: float) -> int:
    """Epochs since the best one."""
    best, waited = before, 0
    for epoch in epochs:
        waited = 0 if epoch.held_out > best else waited + 1
        best = max(best, epoch.held_out)
    return waited


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
