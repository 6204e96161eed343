"""A text's class, by the encoder and one direction a class: what intents and sentiment are learned with.

Before it learns, each direction is the mean of its class's examples: the untrained network is the nearest-centre
classifier over the frozen encoder, a fair thing to be compared with.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from chatbot.registry import HEAD
from finetune.encoder import LearningEncoder
from finetune.examples import Example, Split
from finetune.learning import Checkpoints, Learned, Pace, Work, learn
from finetune.run import EncoderTable
from finetune.wordings import Text
from knowledge.errors import KnowledgeError
from knowledge.types import Matrix, Progress

Labels = npt.NDArray[np.int64]

_FEWEST = 2
SHOWN = 20
"""Texts side by side in a report."""
_SCALE = 20.0
"""Cosine to logit: a text beside its class's centre is sure of it."""


class TaskTable(EncoderTable):
    """[model]: which part of the encoder learns, and how."""

    rank: int = Field(16, ge=0, le=256)
    """Of the LoRA matrices; 0 for none: the upper layers themselves learn."""


class TaskPace(Pace):
    """[train]: how long and how fast to learn."""

    dropout: float = Field(0.0, ge=0, lt=1)
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    """Share of the certainty that is spread over all classes."""


class Classifier(nn.Module):  # type: ignore[misc]  # torch is Any to the type checker
    """Encoder, mean pooling, and one direction a class."""

    def __init__(self, encoder: LearningEncoder, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.centres = nn.Parameter(torch.zeros(classes, encoder.width))
        # What all texts have in common; e5's cosines lie between .7 and .9 with it, around 0 without.
        self.register_buffer("common", torch.zeros(encoder.width))

    def start_from(self, vectors: Matrix, labels: Labels) -> None:
        """Put each class's direction at the centre of its examples."""
        found = torch.tensor(vectors)
        with torch.no_grad():
            self.common.copy_(found.mean(0))
            centred = nn.functional.normalize(found - self.common, dim=1)
            self.centres.zero_().index_add_(0, torch.tensor(labels), centred)

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        """Logits of texts whose frozen states are given, shape (texts, classes)."""
        vectors = nn.functional.normalize(self.encoder(states) - self.common, dim=1)
        return _SCALE * vectors @ nn.functional.normalize(self.centres, dim=1).T

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def probabilities(self, states: Sequence[Tensor]) -> Matrix:
        """P(class), float32, shape (texts, classes); without dropout."""
        self.eval()
        order = sorted(range(len(states)), key=lambda row: len(states[row]))
        shares = np.zeros((len(states), len(self.centres)), np.float32)
        for start in range(0, len(order), 64):
            rows = order[start : start + 64]
            shares[rows] = self([states[row] for row in rows]).softmax(1).cpu().numpy()
        return shares

    def save(self, folder: Path) -> None:
        """Write what learned."""
        self.encoder.save(folder)
        save_file({"centres": self.centres.detach(), "common": self.common}, str(folder / HEAD))

    def load(self, folder: Path) -> None:
        """Take what `save` wrote."""
        self.encoder.load(folder)
        self.load_state_dict(load_file(str(folder / HEAD)), strict=False)


@dataclass(frozen=True, slots=True)
class Said:
    """P(class) of texts, float32, shape (texts, classes)."""

    valid: Matrix
    test: Matrix


@dataclass(frozen=True, slots=True)
class Tuned:
    """How it was learned, and what the network said before and after."""

    learned: Learned
    before: Said
    after: Said


def open_classifier(
    base: tuple[Path, tuple[str, str]], model: TaskTable, *, classes: int, dropout: float = 0.0
) -> Classifier:
    """A network that has not learned yet.

    Args:
        base: Folder of the encoder, and its prefixes of queries and passages.
        model: Its settings.
        classes: How many.
        dropout: While it learns.

    Raises:
        ModelError: The encoder cannot be trained.
    """
    return Classifier(open_encoder(base, model, dropout=dropout), classes)


def open_encoder(
    base: tuple[Path, tuple[str, str]], model: TaskTable, *, dropout: float = 0.0
) -> LearningEncoder:
    """The encoder that a task teaches; arguments and errors as for `open_classifier`."""
    return LearningEncoder(
        *base, first=model.first_layer, rank=model.rank, longest=model.longest, dropout=dropout, fast=True
    )


def names_of(split: Split[Example], *, besides: str | None = None) -> list[str]:
    """The classes of the training part, in order.

    Args:
        split: The data.
        besides: A label that is no class.

    Raises:
        KnowledgeError: Fewer than two.
    """
    names = sorted({example.label for example in split.learn} - {besides})
    if len(names) < _FEWEST:
        raise KnowledgeError(
            f"The training part has only {len(names)} kind of label, so there is nothing to tell apart. "
            "Add examples of at least one more."
        )
    return names


def fine_tune(
    network: Classifier,
    split: Split[Example],
    names: Sequence[str],
    pace: TaskPace,
    *,
    place: Path,
    checkpoints: Checkpoints,
    progress: Progress,
) -> Tuned:
    """Learn from a split, write the network, and let what was written judge.

    Args:
        network: Has not learned yet.
        split: Examples of other classes than `names` are judged, and not learned from.
        names: The classes.
        pace: How long and how fast.
        place: The model's folder.
        checkpoints: Where the run is kept.
        progress: Told what is being done.
    """
    learn, held_out = (_inside(examples, names) for examples in (split.learn, split.valid))
    parts = [learn, held_out, split.valid, split.test]
    tokens = [network.encoder.below([Text(one.text, 0) for one in part], progress=progress) for part in parts]
    owners = [np.array([names.index(one.label) for one in part], np.int64) for part in (learn, held_out)]
    network.start_from(network.encoder.vectors(tokens[0]), owners[0])
    before = Said(*(network.probabilities(part) for part in tokens[2:]))
    learned = train(
        network,
        (tokens[0], owners[0]),
        (tokens[1], owners[1]),
        pace,
        checkpoints=checkpoints,
        progress=progress,
    )
    network.save(place)
    network.load(place)
    return Tuned(learned, before, Said(*(network.probabilities(part) for part in tokens[2:])))


def changed(tuned: Tuned, split: Split[Example], names: Sequence[str]) -> list[dict[str, str]]:
    """Test texts of which something else is said after learning than before; a few, for people to look at."""
    before, after = (said.test.argmax(axis=1) for said in (tuned.before, tuned.after))
    return [
        {"text": one.text, "gold": one.label, "before": names[was], "after": names[now]}
        for one, was, now in zip(split.test, before, after, strict=True)
        if was != now
    ][:SHOWN]


def train(
    network: Classifier,
    learned_from: tuple[Sequence[Tensor], Labels],
    held_out: tuple[Sequence[Tensor], Labels],
    pace: TaskPace,
    *,
    checkpoints: Checkpoints,
    progress: Progress,
) -> Learned:
    """Learn from examples; the weights of the epoch that was right most often on the held-out ones stay.

    Args:
        network: Its directions stand at the centres.
        learned_from: Frozen states of texts, and their classes.
        held_out: The same, never learned from.
        pace: How long and how fast.
        checkpoints: Where the run is kept.
        progress: Told what is being done.
    """
    states, labels = learned_from

    def right() -> float:
        return float((network.probabilities(held_out[0]).argmax(axis=1) == held_out[1]).mean())

    def loss(rows: Labels) -> Tensor:
        logits = network([states[row] for row in rows])
        gold = torch.tensor(labels[rows])
        return nn.functional.cross_entropy(logits, gold, label_smoothing=pace.label_smoothing)

    work = Work(
        network=network,
        what="Fine-tuning the encoder",
        steps=math.ceil(len(states) / pace.batch_size),
        batches=lambda epoch: batches([len(state) for state in states], pace, epoch=epoch),
        loss=loss,
        judge=right if len(held_out[1]) else None,
        before=right() if len(held_out[1]) else 0.0,
    )
    return learn(work, pace, checkpoints=checkpoints, progress=progress)


def batches(lengths: Sequence[int], pace: Pace, *, epoch: int) -> Iterator[Labels]:
    """Places of a batch's texts; texts of like length together, so that little is padded."""
    rng = np.random.default_rng((pace.seed, epoch))
    order = np.argsort(np.array(lengths) + rng.normal(0, 2, len(lengths)))
    parts = np.array_split(order, math.ceil(len(lengths) / pace.batch_size))
    for place in rng.permutation(len(parts)):
        yield parts[place]


def _inside(examples: Sequence[Example], names: Sequence[str]) -> list[Example]:
    known = set(names)
    return [example for example in examples if example.label in known]
