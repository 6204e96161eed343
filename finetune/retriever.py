"""Fine-tune the retriever: wordings of one answer move together, those of others apart.

Read from top to bottom: plan, training, one epoch, one step. Multiple-negatives ranking loss (Henderson et al.,
2017) over batches of which half are each other's neighbours, so that the negatives are hard ones.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from chatbot.chats import write_chats
from chatbot.registry import CHATS, HELD_OUT, REMEMBERED
from finetune.encoder import LearningEncoder
from finetune.learning import Checkpoints, Learned, Pace, Work, learn
from finetune.run import EncoderTable, Making, Run, curve, digest, model_card, new_model, write_model
from finetune.wordings import Rows, Wordings
from knowledge.types import Matrix, Progress

TASK = "retriever"


class Plan(Pace):
    """[train]: how long and how fast to learn."""

    batch_size: int = Field(48, ge=2, le=1024)
    """Pairs of a step."""
    scale: float = Field(30.0, gt=0)
    """Cosine to logit."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Of the LoRA inputs."""
    neighbours: float = Field(0.5, ge=0, le=1)
    """Share of a batch that lies near its first pair."""
    asked: float = Field(0.5, ge=0, le=1)
    """Share of the messages of chats that are paired with another message of the same answer, not with a wording: what was
    asked is remembered, and found by, in service."""


class RetrieverRun(Run):
    """A run.toml of this task."""

    task: ClassVar[str] = TASK
    model: EncoderTable = EncoderTable()
    train: Plan = Plan()


def train_retriever(
    wordings: Wordings,
    run: RetrieverRun,
    *,
    base: tuple[Path, tuple[str, str]],
    making: Making,
    condense: Callable[[Path], object] | None = None,
) -> Mapping[str, Any]:
    """Train an adapter and put it among the project's models; its metrics.

    Args:
        wordings: What to learn from and be judged by.
        run: The settings.
        base: Folder of the encoder, and its prefixes of queries and passages.
        making: Where the model goes.
        condense: Called with its folder where chats were learned from, before it is done.

    Raises:
        ModelError: The encoder cannot be trained, or the name is taken.
    """
    begun = time.monotonic()
    described = _describe(wordings, run)
    seed, belongs = run.train.seed, described["data_sha256"]
    with new_model(making, TASK, belongs=belongs, seed=seed) as (place, kept):
        encoder = LearningEncoder(
            *base,
            first=run.model.first_layer,
            rank=run.model.rank,
            longest=run.model.longest,
            dropout=run.train.dropout,
        )
        learned = train(encoder, wordings, run.train, checkpoints=kept, progress=making.progress)
        encoder.save(place)
        metrics = {**described, **_metrics(learned), "seconds": round(time.monotonic() - begun)}
        held_out = [text.text for text in wordings.held_out if not text.asked]
        (place / HELD_OUT).write_text(json.dumps(held_out, ensure_ascii=False, indent=0) + "\n", "utf-8")
        if wordings.chats:
            write_chats(wordings.chats, place / CHATS)
            write_chats(wordings.chats_learned, place / REMEMBERED)
        write_model(place, run, metrics, _card(making.name, metrics))
        if condense and wordings.chats_learned:
            condense(place)
    return metrics


def train(
    encoder: LearningEncoder,
    wordings: Wordings,
    plan: Plan,
    *,
    checkpoints: Checkpoints,
    progress: Progress,
) -> Learned:
    """Learn; the weights of the epoch that found most of the held-out texts stay."""
    states = encoder.below([*wordings.learn, *wordings.held_out], progress=progress)
    pairs = _Pairs(encoder, wordings, plan, states[: len(wordings.learn)])
    held_out = states[len(wordings.learn) :]
    work = Work(
        network=encoder,
        what="Fine-tuning the retriever",
        steps=math.ceil(len(wordings.learn) / plan.batch_size),
        batches=pairs.batches,
        loss=pairs.loss,
        judge=(lambda: pairs.right(held_out)) if held_out else None,
        before=pairs.right_before(held_out) if held_out else 0.0,
    )
    return learn(work, plan, checkpoints=checkpoints, progress=progress)


class _Pairs:
    """What the steps are made of: pairs of texts that mean the same."""

    def __init__(
        self, encoder: LearningEncoder, wordings: Wordings, plan: Plan, states: list[Tensor]
    ) -> None:
        self._encoder, self._wordings, self._plan, self._states = encoder, wordings, plan, states
        self._owners = np.array([text.group for text in wordings.learn], np.int64)
        self._found_by = np.flatnonzero([not text.asked for text in wordings.learn])
        self._locales = np.array(wordings.locales)
        self._members = wordings.rows()
        self._untrained = encoder.vectors(states)
        self._own, self._of_chats = self._stored()
        self._near = _neighbours(self._untrained, self._own, self._locales)

    def right_before(self, held_out: Sequence[Tensor]) -> float:
        """`right` of the encoder as it came: B of a LoRA pair begins at zero."""
        return self._right(self._untrained[self._found_by], held_out)

    def right(self, held_out: Sequence[Tensor]) -> float:
        """P@1 over the wordings that were learned from, of the same language."""
        return self._right(self._encoder.vectors([self._states[row] for row in self._found_by]), held_out)

    def _right(self, stored: Matrix, held_out: Sequence[Tensor]) -> float:
        asked = self._encoder.vectors(held_out)
        groups = np.array([text.group for text in self._wordings.held_out], np.int64)
        owners = self._owners[self._found_by]
        scores = asked @ stored.T
        scores[self._locales[groups][:, None] != self._locales[owners][None, :]] = -2
        return float((owners[scores.argmax(axis=1)] == groups).mean())

    def _stored(self) -> tuple[list[Rows], list[Rows]]:
        """The places of each group's own wordings, and of what was asked in chats."""
        asked = np.array([text.asked for text in self._wordings.learn])
        return [rows[~asked[rows]] for rows in self._members], [rows[asked[rows]] for rows in self._members]

    def loss(self, pairs: Rows) -> Tensor:
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
        scores = scores.masked_fill(torch.tensor(fine), -1e4)
        gold = torch.arange(len(pairs))
        return (nn.functional.cross_entropy(scores, gold) + nn.functional.cross_entropy(scores.T, gold)) / 2

    def batches(self, epoch: int) -> Iterator[Rows]:
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
            asked = self._wordings.learn[row].asked and rng.random() < self._plan.asked
            others = (self._of_chats if asked else self._own)[self._owners[row]]
            others = others[others != row]
            partners.append(int(rng.choice(others)) if len(others) else row)
        return np.stack([np.array(anchors, np.int64), np.array(partners, np.int64)], axis=1)


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


def _describe(wordings: Wordings, run: RetrieverRun) -> dict[str, Any]:
    texts = [asdict(text) for text in (*wordings.learn, *wordings.held_out)]
    return {
        "task": TASK,
        "texts": len(wordings.learn),
        "groups": wordings.groups,
        "held_out": len(wordings.held_out),
        "asked_in_chats": sum(text.asked for text in wordings.learn),
        "chats_held_out": len(wordings.chats),
        "chats_remembered": len(wordings.chats_learned),
        "locales": {locale: wordings.locales.count(locale) for locale in sorted(set(wordings.locales))},
        "data_sha256": digest([texts, run.model_dump()]),
        "run": run.model_dump(),
    }


def _metrics(learned: Learned) -> dict[str, Any]:
    return {
        "measure": "p_at_1",
        "p_at_1_before": round(learned.before, 4),
        "p_at_1": round(learned.after, 4),
        "epochs": curve(learned),
    }


def _card(name: str, metrics: Mapping[str, Any]) -> str:
    locales = ", ".join(f"{count} {locale}" for locale, count in metrics["locales"].items())
    before, after = metrics["p_at_1_before"], metrics["p_at_1"]
    chats = (
        f"{metrics['asked_in_chats']} of the wordings are messages of chats, read after what was said before them; "
        f"{metrics['chats_held_out']} chats\n  were held out and stand beside this card."
    )
    return model_card(
        f"Retriever {name}",
        f"A LoRA adapter over the encoder, trained on {metrics['texts']} wordings of {metrics['groups']} answers and "
        f"intents\n({locales}); {metrics['held_out']} wordings were held out.",
        points=[
            *([chats] if metrics["chats_held_out"] else []),
            f"Right first among the held-out wordings, plain cosine: {before:.1%} before, {after:.1%} after.",
            "It holds what the FAQ and the intents say, so it has their licence; the encoder keeps its own.",
        ],
        metrics=metrics,
    )
