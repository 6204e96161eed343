"""Fine-tune the dialogue model: choose the sentence that answers, quote it, or say that none does.

Read from top to bottom: run, training, what is asked, how it is judged. Supervised fine-tuning of LoRA matrices
(Hu et al., 2021) with the loss on the answers alone; follow-ups are rewritten to questions that stand alone by the
same adapter. What a model is asked is written by `chatbot.answer.prompt`, here as in service.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import torch
from pydantic import Field

from chatbot.answer.prompt import GROUNDED, NONE, reading, standalone
from finetune.conversations import Exam, Examiner, Example, World
from finetune.decoder import LearningDecoder, Rows, rows
from finetune.gguf_adapter import write_gguf_adapter
from finetune.in_service import Service, in_service
from finetune.learning import Pace, Table, Work, learn
from finetune.run import Making, Run, curve, described, digest, model_card, new_model, write_model
from knowledge.clean import width
from knowledge.types import Encoder

TASK = "dialogue"
CHOICE = 4
"""An answer's tokens that choose the sentence."""
_LIKE_LONG = 32
"""Batches of which the messages are put side by side by length."""
Asked: TypeAlias = Exam | Example
"""A message with sentences to answer from, or a follow-up that is made to stand alone."""


class ModelTable(Table):
    """[model]: which part of the language model learns, and how."""

    first_layer: int = Field(6, ge=0)
    """Those below stay as they are."""
    rank: int = Field(16, ge=1, le=256)
    checkpointing: bool = False
    """What layers compute on the way to the loss is computed again for the gradient, not kept: less memory, more time."""


class DataTable(Table):
    """[data]: conversations in files of the form that finetune/companies/README.md describes."""

    train: Path | None = None
    """Companies (*.yaml) or a folder that `kefu train data build` wrote; None: the companies that Kefu comes with."""
    replay: float = Field(0.25, ge=0, le=1)
    """Share of the companies that Kefu comes with that is read again beside one's own data, so that it stays known."""
    held_out: tuple[str, ...] = ()
    """Names of companies that are not learned from; empty: every tenth."""
    absent: float = Field(0.1, ge=0, lt=1)
    """Share of messages that are shown sentences without the one that answers."""
    rewrites: float = Field(0.25, ge=0, le=1)
    """Share of follow-ups that are also learned as questions that stand alone."""
    transcripts: int = Field(20, ge=0, le=200)
    """Messages of held-out companies, and of the safety set, that are replied to before and after as in service; 0: none."""


class DialoguePace(Pace):
    """[train]: how long and how fast to learn."""

    epochs: int = Field(2, ge=1, le=100)
    batch_size: int = Field(8, ge=2, le=64)
    accumulate: int = Field(2, ge=1, le=1024)
    dropout: float = Field(0.0, ge=0, lt=1)
    parts: int = Field(1, ge=1, le=100)
    """Epochs that read all messages once together: more of them keep and judge a long run more often."""
    choice_weight: float = Field(2.0, gt=0)
    """What one of an answer's first words costs: they choose the sentence, the others only copy it."""


class DialogueRun(Run):
    """A run.toml of this task."""

    task: ClassVar[str] = TASK
    model: ModelTable = ModelTable()
    data: DataTable = DataTable()
    train: DialoguePace = DialoguePace()


@dataclass(frozen=True, slots=True)
class Judged:
    """How many held-out messages came out right."""

    messages: int
    chosen: float
    """The sentence that answers, or none where none of those shown does."""
    quoted: float
    """Of those with an answer: every word of it."""
    declined: float
    """Of those without an answer."""
    rewritten: float
    """Of the follow-ups: every word as the person wrote it."""


def train_dialogue(
    worlds: Sequence[World],
    run: DialogueRun,
    *,
    base: tuple[Path, str],
    encoder: Encoder,
    making: Making,
    start: Path | None = None,
    earlier: Sequence[World] = (),
    service: Service | None = None,
) -> Mapping[str, Any]:
    """Train an adapter and put it among the project's models; its metrics.

    Args:
        worlds: What to learn from and be judged by.
        run: The settings.
        base: A transformers folder, and llama.cpp's name of its architecture.
        encoder: Tells which sentences a message is near to.
        making: Where the model goes.
        start: Folder of a dialogue model to go on from.
        earlier: What that one was judged by: tells what was forgotten.
        service: How dialogue models are put to use: what is held out is replied to before and after.

    Raises:
        ModelError: The language model cannot be trained, or the name is taken.
    """
    begun = time.monotonic()
    learned_from, held_out = split(worlds, run.data.held_out)
    about = _about(learned_from, held_out, run, start)
    belongs, seed = about["data_sha256"], run.train.seed
    with new_model(making, TASK, belongs=belongs, seed=seed) as (place, kept):
        decoder = decoder_of(base[0], run.model, dropout=run.train.dropout)
        if start:
            decoder.load(start)
        asking = Asking(decoder, run, encoder)
        asking.examiner.look_up([*learned_from, *held_out, *earlier], progress=making.progress)
        before, known = asking.judge(held_out), asking.judge(earlier)
        task = asking.work(learned_from, held_out, before=before)
        learned = learn(task, run.train, checkpoints=kept, progress=making.progress)
        after, kept_up = asking.judge(held_out), asking.judge(earlier)
        decoder.save(place)
        write_gguf_adapter(place, architecture=base[1], name=making.name)
        metrics = {**about, "base": base[0].name, **judgement(before, after), "epochs": curve(learned)}
        metrics |= _kept_up(known, kept_up) if earlier else {}
        write_model(place, run, metrics, "")  # it is opened below
        metrics |= in_service(held_out, service, before=start, after=place, progress=making.progress)
        metrics["seconds"] = round(time.monotonic() - begun)
        write_model(place, run, metrics, _card(making.name, metrics))
    return metrics


def decoder_of(base: Path, shape: ModelTable, *, dropout: float = 0.0) -> LearningDecoder:
    """The language model of a transformers folder with matrices that learn."""
    return LearningDecoder(
        base, first=shape.first_layer, rank=shape.rank, dropout=dropout, checkpointing=shape.checkpointing
    )


def split(worlds: Sequence[World], held_out: Sequence[str]) -> tuple[list[World], list[World]]:
    """Those that are learned from, and those that judge: whole companies, so that no fact stands in both."""
    names = {*held_out, *(world.name for world in worlds if world.held_out)} & {one.name for one in worlds}
    names = names or {world.name for world in worlds[9::10]} or {worlds[-1].name}
    return [world for world in worlds if world.name not in names], [
        world for world in worlds if world.name in names
    ]


class Asking:
    """Messages as a network reads them, and what it is to answer.

    Args:
        decoder: The network.
        run: The settings.
        encoder: Tells which sentences a message is near to.
    """

    def __init__(self, decoder: LearningDecoder, run: DialogueRun, encoder: Encoder) -> None:
        self._decoder, self._run = decoder, run
        self.examiner = Examiner(encoder, absent=run.data.absent)

    def work(self, learned_from: Sequence[World], held_out: Sequence[World], *, before: Judged) -> Work[Rows]:
        """What `learn` needs to know."""
        return Work(
            network=self._decoder,
            what="Fine-tuning the dialogue model",
            steps=len(self._drawn(learned_from, 0)),
            batches=lambda epoch: self.batches(learned_from, epoch),
            loss=self.loss,
            judge=lambda: self.judge(held_out).chosen,
            before=before.chosen,
        )

    def batches(self, worlds: Sequence[World], epoch: int) -> Iterator[Rows]:
        """The epoch's part of all messages, in an order and with other sentences that are its own."""
        for drawn in self._drawn(worlds, epoch):
            yield self._rows(drawn)

    def _drawn(self, worlds: Sequence[World], epoch: int) -> list[list[Asked]]:
        """What the epoch reads, before it is turned into tokens; messages of like length together."""
        data, pace = self._run.data, self._run.train
        whole, part = divmod(epoch, pace.parts)
        seed = pace.seed * 1000 + whole
        asked: list[Asked] = [exam for world in worlds for exam in self.examiner.exams(world, seed=seed)]
        asked += _follow_ups(worlds, seed, data.rewrites)
        draw = random.Random(seed)
        draw.shuffle(asked)
        drawn: list[list[Asked]] = []
        for start in range(0, len(asked), _LIKE_LONG * pace.batch_size):
            near = sorted(asked[start : start + _LIKE_LONG * pace.batch_size], key=_length)
            drawn += [near[at : at + pace.batch_size] for at in range(0, len(near), pace.batch_size)]
        draw.shuffle(drawn)
        return drawn[part :: pace.parts]

    def loss(self, batch: Rows) -> torch.Tensor:
        """Mean weighted cross-entropy of the answers' tokens."""
        return self._decoder.loss(batch) / batch.weight

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def judge(self, worlds: Sequence[World]) -> Judged:
        """Ask what is held out. An answer is right where the network would write every token of it."""
        self._decoder.eval()
        exams = [exam for world in worlds for exam in self.examiner.exams(world)]
        right = self._right(exams)
        answerable = [all(tokens) for exam, tokens in zip(exams, right, strict=True) if exam.answer]
        declined = [all(tokens) for exam, tokens in zip(exams, right, strict=True) if not exam.answer]
        return Judged(
            len(exams),
            chosen=_share([all(tokens[:CHOICE]) for tokens in right]),
            quoted=_share(answerable),
            declined=_share(declined),
            rewritten=_share([all(tokens) for tokens in self._right(_follow_ups(worlds, 0, 1.0))]),
        )

    def _right(self, asked: Sequence[Asked]) -> list[list[bool]]:
        """Of each answer, which tokens the network would write."""
        size = self._run.train.batch_size
        return [
            tokens
            for start in range(0, len(asked), size)
            for tokens in self._decoder.right(self._rows(asked[start : start + size]))
        ]

    def _rows(self, asked: Sequence[Asked]) -> Rows:
        return rows([self._row(one) for one in asked])

    def _row(self, asked: Asked) -> tuple[list[int], list[int], list[float]]:
        """Tokens of the prompt and of the answer, and what each of these costs."""
        tokens = self._decoder.tokens
        prompt = tokens(_prompt(asked), begin=True)
        if isinstance(asked, Example):
            answer = tokens(f" {asked.means}\n")
            return prompt, answer, [1.0] * len(answer)
        answer = tokens(f" {asked.answer or NONE}\n")
        chosen = min(CHOICE, len(answer))
        costs = [*([self._run.train.choice_weight] * chosen), *([1.0] * (len(answer) - chosen))]
        return prompt, answer, costs


def _follow_ups(worlds: Sequence[World], seed: int, share: float) -> list[Example]:
    """A share of the messages that a person made stand alone."""
    draw = random.Random(seed)
    said = [one for world in worlds for one in (*world.examples, *world.follow_ups)]
    return [one for one in said if one.means and draw.random() < share]


def _length(asked: Asked) -> int:
    """About as many characters as are read; a Chinese one counts two."""
    return width(_prompt(asked))


def _prompt(asked: Asked) -> str:
    if isinstance(asked, Example):
        return standalone(asked.ask, asked.chat)
    return reading(asked.example.ask, asked.sentences, asked.example.chat)


def _share(right: Sequence[bool]) -> float:
    return sum(right) / len(right) if right else 0.0


def _about(
    learned_from: Sequence[World], held_out: Sequence[World], run: DialogueRun, start: Path | None
) -> dict[str, Any]:
    files = sorted({world.sha256 for world in (*learned_from, *held_out)})
    counts = {
        "learn": sum(len(world.examples) for world in learned_from),
        "held_out": sum(len(world.examples) for world in held_out),
    }
    # A run that was stopped is gone on with only from where it began.
    began = {"start": start.name} if start else {}
    data = {"files": files, "held_out": digest([world.name for world in held_out]), **began}
    return {**described(TASK, counts, data, run), **began}


def judgement(before: Judged, after: Judged) -> dict[str, Any]:
    """The exam before and after, for metrics.json: `promote` refuses a model that became worse at it."""
    figures = ("chosen", "quoted", "declined", "rewritten")
    return {
        "prompt": GROUNDED,
        "measure": "chosen",
        **{f"{figure}_before": round(getattr(before, figure), 4) for figure in figures},
        **{figure: round(getattr(after, figure), 4) for figure in figures},
    }


def _kept_up(before: Judged, after: Judged) -> dict[str, float]:
    """The exam of the model that this one goes on from."""
    return {"earlier_before": round(before.chosen, 4), "earlier": round(after.chosen, 4)}


def _card(name: str, metrics: Mapping[str, Any]) -> str:
    counts = metrics["examples"]
    lead = (
        f"A LoRA adapter for the dialogue model, trained on {counts['learn']} messages of customers and judged by "
        f"{counts['held_out']} that it had not seen. It answers with the words of the sentences it is "
        "shown, and says so where none answers; and it makes follow-ups stand alone."
    )
    points = [
        f"{what}: {metrics[f'{figure}_before']:.1%} before, {metrics[figure]:.1%} after."
        for figure, what in (
            ("chosen", "Sentence that answers, or none where none does"),
            ("quoted", "Every word of the answer"),
            ("declined", "None named where none answers"),
            ("rewritten", "Follow-ups rewritten word for word as a person did"),
        )
    ]
    if "earlier" in metrics:
        points.append(
            f"Not forgotten: the first of these figures for companies of earlier training: {metrics['earlier_before']:.1%} before, {metrics['earlier']:.1%} after."
        )
    points += [
        "`adapter.gguf` is for llama.cpp, `adapter_model.safetensors` for transformers (peft) and vLLM.",
        "It changes a language model and comes under that model's terms: for the default, the Gemma terms of use.",
    ]
    return model_card(f"Dialogue model {name}", lead, points=points, metrics=metrics)
