"""Teach the dialogue model what customers liked: composed replies with a thumb, up or down.

Read from top to bottom: run, training, loss, data. Kahneman-Tversky optimisation (KTO; Ethayarajh et al., 2024): one
thumb on one reply is enough, no pairs are needed. The model is held to the one it starts from: by the loss itself,
which looks at the ratio to it, and by a limit on the divergence, at which learning stops.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from chatbot.answer.candidates import MOST, Candidates
from chatbot.answer.prompt import NONE, reading
from finetune.conversations import World
from finetune.decoder import LearningDecoder, Rows, rows
from finetune.dialogue import TASK, Asking, DialogueRun, ModelTable, decoder_of, judgement, split
from finetune.gguf_adapter import write_gguf_adapter
from finetune.in_service import Service, in_service
from finetune.learning import Pace, Table, Work, learn
from finetune.run import Making, Run, curve, described, digest, model_card, new_model, write_model
from finetune.thumbs import Thumb
from knowledge.types import Encoder, Passage


class PreferenceData(Table):
    """[data]: the conversations on which nothing may be forgotten, and the share of the thumbs that judges."""

    train: Path | None = None
    """Companies (*.yaml); None: those that Kefu comes with."""
    held_out: tuple[str, ...] = ()
    """Names of those that judge; empty: every tenth."""
    held_out_share: float = Field(0.2, gt=0, lt=1)
    """Of the thumbs: they tell whether it helped."""
    transcripts: int = Field(20, ge=0, le=200)
    """As for `kefu train dialogue`."""


class PreferencePace(Pace):
    """[train]: how long and how fast to learn, and how far the model may go."""

    batch_size: int = Field(10, ge=2, le=64)
    """Replies that are read together."""
    accumulate: int = Field(2, ge=1, le=1024)
    epochs: int = Field(3, ge=1, le=100)
    learning_rate: float = Field(5e-5, gt=0, lt=1)
    beta: float = Field(0.1, gt=0)
    """How much a likelihood counts that left the first model's."""
    liked_weight: float = Field(1.0, gt=0)
    disliked_weight: float = Field(1.0, gt=0)
    most_divergence: float = Field(8.0, gt=0)
    """Nats by which a held-out reply's likelihood may leave the first model's on average."""


class PreferenceRun(Run):
    """A run.toml of this task."""

    task: ClassVar[str] = TASK
    model: ModelTable = ModelTable()
    data: PreferenceData = PreferenceData()
    train: PreferencePace = PreferencePace()


@dataclass(frozen=True, slots=True)
class _Rated:
    """Some replies: as they are, and each message with another's reply."""

    replies: Rows
    mismatched: Rows
    liked: Tensor
    """bool, one for each reply."""


def train_preference(
    thumbs: Sequence[Thumb],
    worlds: Sequence[World],
    run: PreferenceRun,
    *,
    start: Path,
    base: tuple[Path, str],
    encoder: Encoder,
    making: Making,
    service: Service | None = None,
) -> Mapping[str, Any]:
    """Go on from a dialogue model with the thumbs; the metrics of the new one.

    Args:
        thumbs: What customers liked and did not.
        worlds: Conversations of companies; those held out tell what was forgotten.
        run: The settings.
        start: Folder of the dialogue model to start from.
        base: A transformers folder, and llama.cpp's name of its architecture.
        encoder: Tells which sentences a message is near to.
        making: Where the model goes.
        service: How dialogue models are put to use: what is held out is replied to before and after.

    Raises:
        ModelError: The language model cannot be trained, or the name is taken.
    """
    begun = time.monotonic()
    held_out = split(worlds, run.data.held_out)[1]
    about = _about(thumbs, held_out, start, run)
    seed = run.train.seed
    with new_model(making, TASK, belongs=about["data_sha256"], seed=seed) as (place, kept):
        decoder = decoder_of(base[0], run.model)
        decoder.load(start)
        exam = Asking(decoder, DialogueRun(model=run.model), encoder)
        before = exam.judge(held_out)
        liking = Liking(decoder, thumbs, run, encoder)
        task = Work(
            network=decoder,
            what="Learning what customers liked",
            steps=len(liking.learn),
            batches=liking.batches,
            loss=liking.loss,
            judge=liking.judge,
            before=liking.judge(),
        )
        learned = learn(task, run.train, checkpoints=kept, progress=making.progress)
        after = exam.judge(held_out)
        decoder.save(place)
        write_gguf_adapter(place, architecture=base[1], name=making.name)
        metrics = {
            **about,
            "base": base[0].name,
            **judgement(before, after),
            "preferred_before": round(learned.before, 4),
            "preferred": round(learned.after, 4),
            "divergence": round(liking.divergence(), 3),
            "epochs": curve(learned),
        }
        write_model(place, run, metrics, "")  # it is opened below
        metrics |= in_service(held_out, service, before=start, after=place, progress=making.progress)
        metrics["seconds"] = round(time.monotonic() - begun)
        write_model(place, run, metrics, _card(making.name, start, metrics))
    return metrics


class Liking:
    """Replies with thumbs as a network reads them; the likelihoods of the model that it starts from are kept."""

    def __init__(
        self, decoder: LearningDecoder, thumbs: Sequence[Thumb], run: PreferenceRun, encoder: Encoder
    ) -> None:
        self._decoder, self._run, self._encoder = decoder, run, encoder
        learn, held_out = _divided(thumbs, run)
        self.learn = list(self._rated(learn))
        self.held_out = list(self._rated(held_out))
        with torch.no_grad():
            decoder.eval()
            self._first = {id(one): self._likelihoods(one) for one in (*self.learn, *self.held_out)}

    def batches(self, epoch: int) -> list[_Rated]:
        """All that is learned, in an order that is the epoch's own."""
        batches = list(self.learn)
        random.Random(f"{self._run.train.seed} {epoch}").shuffle(batches)
        return batches

    def loss(self, one: _Rated) -> Tensor:
        """KTO's: how far each reply's likelihood is from where its thumb wants it."""
        pace = self._run.train
        own, other = self._gains(one)
        with torch.no_grad():
            anchor = other.mean().clamp(min=0.0)
        wanted = torch.where(one.liked, own - anchor, anchor - own)
        weight = torch.where(one.liked, pace.liked_weight, pace.disliked_weight)
        return (weight * (1.0 - torch.sigmoid(pace.beta * wanted))).mean()

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def judge(self) -> float:
        """P(a liked reply gained more than one that was not), held out; nothing once the model went too far."""
        self._decoder.eval()
        gains = [(self._gains(one)[0], one.liked) for one in self.held_out]
        rows = [
            (float(gain), bool(liked)) for own, thumb in gains for gain, liked in zip(own, thumb, strict=True)
        ]
        if sum(abs(gain) for gain, _ in rows) / len(rows) > self._run.train.most_divergence:
            return 0.0
        up, down = ([gain for gain, liked in rows if liked is wanted] for wanted in (True, False))
        wins = sum((one > other) + 0.5 * (one == other) for one in up for other in down)
        return wins / (len(up) * len(down))

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def divergence(self) -> float:
        """Mean distance of the held-out replies' log-likelihoods from the first model's, in nats."""
        self._decoder.eval()
        gains = torch.cat([self._gains(one)[0] for one in self.held_out])
        return float(gains.abs().mean())

    def _gains(self, one: _Rated) -> tuple[Tensor, Tensor]:
        """Log-likelihoods over those of the first model: of the replies, and of the mismatched ones."""
        now, first = self._likelihoods(one), self._first[id(one)]
        return now[0] - first[0], now[1] - first[1]

    def _rated(self, thumbs: Sequence[Thumb]) -> Iterator[_Rated]:
        """Replies, a few at a time."""
        most = self._run.train.batch_size
        for start in range(0, len(thumbs), most):
            part = thumbs[start : start + most]
            asked = [self._asked(thumb) for thumb in part]
            written = [self._decoder.tokens(f" {thumb.answer or NONE}\n") for thumb in part]
            yield _Rated(
                _rows(asked, written),
                _rows(asked, [*written[1:], written[0]]),
                torch.tensor([thumb.liked for thumb in part]),
            )

    def _asked(self, thumb: Thumb) -> list[int]:
        *chat, last = (line.content for line in thumb.messages)
        passages = [Passage(one.id, one.text, one.title, "document", "") for one in thumb.passages]
        sentences = Candidates(passages, self._encoder).nearest(last, chat)[:MOST]
        return self._decoder.tokens(reading(last, sentences, chat), begin=True)

    def _likelihoods(self, one: _Rated) -> tuple[Tensor, Tensor]:
        return self._decoder.likelihoods(one.replies), self._decoder.likelihoods(one.mismatched)


def _divided(thumbs: Sequence[Thumb], run: PreferenceRun) -> tuple[list[Thumb], list[Thumb]]:
    """What is learned and what is held out: of each kind the same share, at least one."""
    learn, held_out = list[Thumb](), list[Thumb]()
    for wanted in (True, False):
        kind = [thumb for thumb in thumbs if thumb.liked is wanted]
        random.Random(run.train.seed).shuffle(kind)
        count = max(1, round(run.data.held_out_share * len(kind)))
        held_out += kind[:count]
        learn += kind[count:]
    return learn, held_out


def _rows(asked: Sequence[list[int]], written: Sequence[list[int]]) -> Rows:
    return rows([(prompt, reply, [1.0] * len(reply)) for prompt, reply in zip(asked, written, strict=True)])


def _about(
    thumbs: Sequence[Thumb], held_out: Sequence[World], start: Path, run: PreferenceRun
) -> dict[str, Any]:
    counts = {"liked": sum(thumb.liked for thumb in thumbs), "disliked": sum(not t.liked for t in thumbs)}
    data = {
        "thumbs": digest([thumb.model_dump() for thumb in thumbs]),
        "held_out": digest([world.sha256 for world in held_out]),
        "start": start.name,
    }
    return described(TASK, counts, data, run)


def _card(name: str, start: Path, metrics: Mapping[str, Any]) -> str:
    counts = metrics["examples"]
    lead = (
        f"The dialogue model {start.name}, taught by {counts['liked']} replies that customers liked and "
        f"{counts['disliked']} that they did not."
    )
    helped = f"{metrics['preferred']:.1%} of the held-out pairs ({metrics['preferred_before']:.1%} by chance)"
    kept = f"{metrics['chosen']:.1%} of the messages of held-out companies ({metrics['chosen_before']:.1%} before)"
    points = [
        f"A liked reply gained more than one that was not: {helped}.",
        f"Not forgotten: the sentence that answers is still chosen for {kept}.",
        f"Held-out replies are {metrics['divergence']:.2f} nats from the model that it started from.",
    ]
    return model_card(f"Dialogue model {name}", lead, points=points, metrics=metrics)
