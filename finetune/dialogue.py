"""Fine-tune the dialogue model: choose the passage that answers, quote it, or say that none does.

Read from top to bottom: run, training, what is asked, how it is judged. Supervised fine-tuning of LoRA matrices
(Hu et al., 2021) with the loss on the answers alone; follow-ups are rewritten to questions that stand alone by the
same adapter. What a model is asked is written by `chatbot.answer.prompt`, here as in service.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from chatbot.answer.prompt import GROUNDED, grounded, standalone, told
from chatbot.registry import Registry
from finetune.conversations import Exam, Example, World, exams
from finetune.decoder import LearningDecoder, Pack, pack
from finetune.gguf_adapter import write_gguf_adapter
from finetune.learning import Learned, Pace, Table, Work, learn
from finetune.run import curve, described, model_card, new_model, write_model
from knowledge.types import Progress

TASK = "dialogue"
_REWRITES = 8
_OTHER_SEED = 1_000_003


class ModelTable(Table):
    """[model]: which part of the language model learns, and how."""

    first_layer: int = Field(6, ge=0)
    """Those below stay as they are."""
    rank: int = Field(16, ge=1, le=256)


class DataTable(Table):
    """[data]: conversations in files of the form that finetune/companies/README.md describes."""

    train: Path | None = None
    """None: the conversations that Kefu comes with."""
    held_out: tuple[str, ...] = ()
    """Names of companies that are not learned from; empty: every tenth."""
    absent: float = Field(0.1, ge=0, lt=1)
    """Share of messages whose passages are left out, so that nothing answers."""
    rewrites: float = Field(0.25, ge=0, le=1)
    """Share of follow-ups that are also learned as questions that stand alone."""


class DialoguePace(Pace):
    """[train]: how long and how fast to learn; a batch is some passages with the messages about them."""

    epochs: int = Field(2, ge=1, le=100)
    batch_size: int = Field(10, ge=2, le=64)
    """Messages about the same passages that are read together."""
    accumulate: int = Field(2, ge=1, le=1024)
    dropout: float = Field(0.0, ge=0, lt=1)
    parts: int = Field(1, ge=1, le=100)
    """Epochs that read all messages once together: more of them keep and judge a long run more often."""
    choice_weight: float = Field(4.0, gt=0)
    """What a wrong passage costs beside a wrong word."""


class DialogueRun(Table):
    """A run.toml of this task."""

    model: ModelTable = ModelTable()
    data: DataTable = DataTable()
    train: DialoguePace = DialoguePace()


@dataclass(frozen=True, slots=True)
class Judged:
    """How many held-out messages came out right."""

    messages: int
    chosen: float
    """The passage that answers, or none where none does."""
    quoted: float
    """Of those with an answer: passage and every word of it."""
    declined: float
    """Of those without an answer."""
    rewritten: float
    """Of the follow-ups: every word as the person wrote it."""


def train_dialogue(
    worlds: Sequence[World],
    run: DialogueRun,
    *,
    base: tuple[Path, str],
    registry: Registry,
    name: str,
    work: Path,
    progress: Progress,
) -> Mapping[str, Any]:
    """Train an adapter and put it among the project's models; its metrics.

    Args:
        worlds: What to learn from and be judged by.
        run: The settings.
        base: A transformers folder, and llama.cpp's name of its architecture.
        registry: Gets the model.
        name: Of the model.
        work: Where checkpoints are kept until the run ends well; a stopped run of the same name goes on from there.
        progress: Told what is being done.

    Raises:
        ModelError: The language model cannot be trained, or the name is taken.
    """
    begun = time.monotonic()
    learned_from, held_out = split(worlds, run.data.held_out)
    about = _about(learned_from, held_out, run)
    belongs, seed = about["data_sha256"], run.train.seed
    with new_model(registry, TASK, name, work=work, belongs=belongs, seed=seed) as (place, kept):
        decoder = LearningDecoder(
            base[0], first=run.model.first_layer, rank=run.model.rank, dropout=run.train.dropout
        )
        asking = Asking(decoder, run)
        before = asking.judge(held_out)
        task = Work(
            network=decoder,
            what="Fine-tuning the dialogue model",
            steps=len(asking.packs(learned_from, 0)),
            batches=lambda epoch: asking.packs(learned_from, epoch),
            loss=asking.loss,
            judge=lambda: asking.judge(held_out).chosen,
            before=before.chosen,
        )
        learned = learn(task, run.train, checkpoints=kept, progress=progress)
        after = asking.judge(held_out)
        decoder.save(place)
        write_gguf_adapter(place, architecture=base[1], name=name)
        metrics = {**about, **_outcome(before, after, learned), "seconds": round(time.monotonic() - begun)}
        write_model(place, run, metrics, _card(name, metrics))
    return metrics


def split(worlds: Sequence[World], held_out: Sequence[str]) -> tuple[list[World], list[World]]:
    """Those that are learned from, and those that judge: whole companies, so that no fact stands in both."""
    names = set(held_out) or {world.name for world in worlds[9::10]} or {worlds[-1].name}
    return [world for world in worlds if world.name not in names], [
        world for world in worlds if world.name in names
    ]


class Asking:
    """Messages as a network reads them, and what it is to answer.

    Args:
        decoder: The network.
        run: The settings.
    """

    def __init__(self, decoder: LearningDecoder, run: DialogueRun) -> None:
        self._decoder, self._run = decoder, run

    def packs(self, worlds: Sequence[World], epoch: int) -> list[Pack]:
        """The epoch's part of all messages, in an order and with other passages that are its own."""
        data, pace = self._run.data, self._run.train
        whole, part = divmod(epoch, pace.parts)
        seed = pace.seed * 1000 + whole
        drawn = [
            exam
            for world in worlds
            for exam in exams(world, seed=seed, most=pace.batch_size, absent=data.absent)
        ]
        packs = [self._exam(exam) for exam in drawn]
        said = [one for world in worlds for one in world.examples]
        packs += self._rewritings(said, seed, data.rewrites)
        random.Random(seed).shuffle(packs)
        return packs[part :: pace.parts]

    def loss(self, batch: Pack) -> torch.Tensor:
        """Mean weighted cross-entropy of the answers' tokens."""
        return self._decoder.loss(batch) / batch.weight

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def judge(self, worlds: Sequence[World]) -> Judged:
        """Ask what is held out. An answer is right where the network would write every token of it."""
        self._decoder.eval()
        rows: list[tuple[bool, bool, bool]] = []
        for world in worlds:
            for exam in exams(world, seed=_OTHER_SEED, most=self._run.train.batch_size, absent=0.0):
                right = self._decoder.right(self._exam(exam))
                asked = zip(exam.examples, right, strict=True)
                rows += [(exam.choice(one) > 0, answer[0], all(answer)) for one, answer in asked]
        answerable = [row for row in rows if row[0]]
        others = [row for row in rows if not row[0]]
        said = [one for world in worlds for one in world.examples]
        rewritten = [
            all(answer) for one in self._rewritings(said, 0, 1.0) for answer in self._decoder.right(one)
        ]
        return Judged(
            len(rows),
            chosen=_share([row[1] for row in rows]),
            quoted=_share([row[2] for row in answerable]),
            declined=_share([row[1] for row in others]),
            rewritten=_share(rewritten),
        )

    def _exam(self, exam: Exam) -> Pack:
        tokens = self._decoder.tokens
        ends = []
        for example in exam.examples:
            choice = exam.choice(example)
            answer = tokens(f"{choice}] {example.answer}\n" if choice else "0]\n")
            costs = [self._run.train.choice_weight, *([1.0] * (len(answer) - 1))]
            ends.append((tokens(grounded(example.ask, example.chat)), answer, costs))
        return pack(tokens(told(exam.passages), begin=True), ends)

    def _rewritings(self, examples: Sequence[Example], seed: int, share: float) -> list[Pack]:
        tokens, draw = self._decoder.tokens, random.Random(seed)
        ends = []
        for example in examples:
            if example.means and draw.random() < share:
                answer = tokens(f" {example.means}\n")
                ends.append((tokens(standalone(example.ask, example.chat)), answer, [1.0] * len(answer)))
        return [
            pack(tokens("", begin=True), ends[start : start + _REWRITES])
            for start in range(0, len(ends), _REWRITES)
        ]


def _share(right: Sequence[bool]) -> float:
    return sum(right) / len(right) if right else 0.0


def _about(learned_from: Sequence[World], held_out: Sequence[World], run: DialogueRun) -> dict[str, Any]:
    files = {world.name: world.sha256 for world in (*learned_from, *held_out)}
    counts = {
        "learn": sum(len(world.examples) for world in learned_from),
        "held_out": sum(len(world.examples) for world in held_out),
    }
    data = {"files": files, "held_out": [world.name for world in held_out]}
    return described(TASK, counts, data, run)


def _outcome(before: Judged, after: Judged, learned: Learned) -> dict[str, Any]:
    figures = ("chosen", "quoted", "declined", "rewritten")
    return {
        "prompt": GROUNDED,
        "measure": "chosen",
        **{f"{figure}_before": round(getattr(before, figure), 4) for figure in figures},
        **{figure: round(getattr(after, figure), 4) for figure in figures},
        "epochs": curve(learned),
    }


def _card(name: str, metrics: Mapping[str, Any]) -> str:
    counts = metrics["examples"]
    lead = (
        f"A LoRA adapter for the dialogue model, trained on {counts['learn']} messages of customers and judged by "
        f"{counts['held_out']} of companies that it had not seen. It answers with the words of the passages it is "
        "shown, names the passage, and says so where none answers; and it makes follow-ups stand alone."
    )
    points = [
        f"{what}: {metrics[f'{figure}_before']:.1%} before, {metrics[figure]:.1%} after."
        for figure, what in (
            ("chosen", "Passage that answers, or none where none does"),
            ("quoted", "Passage and every word of the answer"),
            ("declined", "None named where none answers"),
            ("rewritten", "Follow-ups rewritten word for word as a person did"),
        )
    ]
    points += [
        "`adapter.gguf` is for llama.cpp, `adapter_model.safetensors` for transformers (peft) and vLLM.",
        "It changes a language model and comes under that model's terms: for the default, the Gemma terms of use.",
    ]
    return model_card(f"Dialogue model {name}", lead, points=points, metrics=metrics)
