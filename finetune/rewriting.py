"""The network that makes follow-ups standalone: an encoder, and pointers that say one edit after the other.

Where (a gap of the message, or nothing more), from which word said before, up to which; and of each word of the
message whether it stays. Nothing is generated, so nothing can be invented: all words come from the conversation,
or from a short list of those that such rewrites need.

Sources: edits instead of generation, Liu et al. (2020, "Incomplete Utterance Rewriting as Semantic Segmentation");
spans of the context for each gap, Jin et al. (2022, "Hierarchical Context Tagging for Utterance Rewriting").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from chatbot.evaluate.likeness import exact_match
from chatbot.evaluate.rewrite import FollowUp
from chatbot.registry import HEAD
from chatbot.understand.edits import (
    LONGEST_INSERTION,
    MOST_INSERTIONS,
    Insertion,
    Layout,
    edited,
)
from finetune.classifier import batches
from finetune.edits import edits_of
from finetune.encoder import LearningEncoder
from finetune.learning import Checkpoints, Learned, Pace, Work, learn
from knowledge.types import Progress

_NEVER = -1e4


@dataclass(frozen=True, slots=True)
class Step:
    """One edit."""

    gap: int
    """The gap behind the last one says: nothing more."""
    firsts: tuple[int, ...] = (0,)
    """Candidates that it may begin with."""
    last: int = 0
    """Where it ends if it begins with the last of them."""


@dataclass(frozen=True, slots=True)
class Read:
    """A follow-up as the network sees it."""

    follow_up: FollowUp
    layout: Layout
    states: Tensor
    """From the frozen layers, float16, shape (tokens, hidden)."""
    steps: tuple[Step, ...]
    """What to learn; none where a person's rewrite cannot be made with edits."""
    kept: Tensor
    """Which units of the message stay, float32."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the network makes of some follow-ups: what pointers point at."""

    gaps: Tensor
    """Shape (texts, gaps + 1, hidden); of each text the one behind its last gap stands for nothing more."""
    places: Tensor
    """Which of them there are, bool, shape (texts, gaps + 1)."""
    candidates: Tensor
    """Glue, then the units, shape (texts, glue + units, hidden)."""
    spoken: Tensor
    """The utterance of each; of glue a number of its own, -1 where there is none."""
    stays: Tensor
    """Logits of the units of each message, one message after the other."""


class EditPointer(nn.Module):  # type: ignore[misc]  # torch is Any to the type checker
    """Says edits.

    Args:
        encoder: Reads the conversation.
        glue: Words that may be put in though nobody said them.
    """

    def __init__(self, encoder: LearningEncoder, glue: Sequence[str]) -> None:
        super().__init__()
        self.encoder = encoder
        self.glue = tuple(glue)
        width = encoder.width
        self.glued = nn.Parameter(torch.randn(len(glue), width))
        self.nothing = nn.Parameter(torch.randn(width))
        self.begin = nn.Parameter(torch.randn(width))
        self.between = nn.Sequential(nn.Linear(2 * width, width), nn.GELU())
        self.behind = nn.Sequential(nn.Linear(2 * width, width), nn.GELU())
        self.where = nn.Linear(width, width)
        self.first = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, width))
        self.last = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, width))
        self.stays = nn.Linear(width, 1)

    def read(self, follow_ups: Sequence[FollowUp], *, progress: Progress) -> list[Read]:
        """Put follow-ups through the frozen layers; those whose message is empty or too long are left out."""
        laid = [(one, self.encoder.lay_out([*one.context, one.current])) for one in follow_ups]
        known = [(one, layout) for one, layout in laid if layout]
        states = self.encoder.frozen([layout.ids for _, layout in known], progress=progress)
        return [
            Read(one, layout, state, *self._gold(one, layout))
            for (one, layout), state in zip(known, states, strict=True)
        ]

    def _gold(self, one: FollowUp, layout: Layout) -> tuple[tuple[Step, ...], Tensor]:
        edits = edits_of(one, self.glue)
        if edits is None:
            return (), torch.ones(layout.own)
        steps = []
        for put in edits.put:
            glued = self.glue.index(put.words[0]) if put.words[0] in self.glue else -1
            firsts = [glued] if glued >= 0 and len(put.words) == 1 else []
            firsts += [
                len(self.glue) + layout.spoken.index(source.utterance) + source.first
                for source in put.sources
                if source.utterance in layout.spoken
            ]
            if not firsts:
                return (), torch.ones(layout.own)
            steps.append(Step(put.gap, tuple(firsts), firsts[-1] + len(put.words) - 1))
        steps.append(Step(layout.own + 1))
        return tuple(steps), torch.tensor(edits.kept, dtype=torch.float32)

    def see(self, part: Sequence[Read]) -> Seen:
        """Read some follow-ups."""
        states = self.encoder.above([one.states for one in part])
        gaps, candidates, spoken, stays = [], [], [], []
        glue = torch.arange(len(self.glue)) - len(self.glue) - 1
        for state, one in zip(states, part, strict=True):
            sides = torch.tensor(one.layout.gaps)
            beside = self.between(state[sides].flatten(1))
            gaps.append(torch.cat([beside, self.nothing[None]]))
            units = state[torch.tensor(one.layout.tokens)]
            candidates.append(torch.cat([self.glued, units]))
            spoken.append(torch.cat([glue, torch.tensor(one.layout.spoken)]))
            stays.append(self.stays(units[-one.layout.own :])[:, 0])
        pad = nn.utils.rnn.pad_sequence
        lengths = torch.tensor([len(one) for one in gaps])
        padded = pad(gaps, batch_first=True)
        places = torch.arange(padded.shape[1])[None] < lengths[:, None]
        said = pad(spoken, batch_first=True, padding_value=-1)
        return Seen(padded, places, pad(candidates, batch_first=True), said, torch.cat(stays))

    def where_next(self, seen: Seen, rows: Tensor, before: Tensor, gap: Tensor) -> Tensor:
        """Log-probabilities of gaps.

        Args:
            seen: The follow-ups.
            rows: Which of them, int64, shape (steps,).
            before: What the last edit was, shape (steps, hidden).
            gap: Where it was, int64; edits are said from left to right.
        """
        scores = self._scores(self.where(before), seen.gaps[rows])
        allowed = seen.places[rows] & (torch.arange(scores.shape[1])[None] >= gap[:, None])
        return scores.masked_fill(~allowed, _NEVER).log_softmax(1)

    def first_word(self, seen: Seen, rows: Tensor, before: Tensor, gap: Tensor) -> Tensor:
        """Log-probabilities of candidates to begin with; arguments as of `where_next`, the gap is the new one."""
        query = self.first(torch.cat([seen.gaps[rows, gap], before], 1))
        scores = self._scores(query, seen.candidates[rows])
        return scores.masked_fill(seen.spoken[rows] == -1, _NEVER).log_softmax(1)

    def last_word(self, seen: Seen, rows: Tensor, gap: Tensor, first: Tensor) -> Tensor:
        """Log-probabilities of candidates to end with, given the first: of the same utterance, and not too far."""
        query = self.last(torch.cat([seen.gaps[rows, gap], seen.candidates[rows, first]], 1))
        scores = self._scores(query, seen.candidates[rows])
        spoken = seen.spoken[rows]
        place = torch.arange(scores.shape[1])[None] - first[:, None]
        same = spoken == spoken.gather(1, first[:, None])
        allowed = same & (place >= 0) & (place < LONGEST_INSERTION)
        return scores.masked_fill(~allowed, _NEVER).log_softmax(1)

    def said(self, seen: Seen, rows: Tensor, gap: Tensor, last: Tensor) -> Tensor:
        """An edit as what comes `before` the next, shape (steps, hidden)."""
        return self.behind(torch.cat([seen.gaps[rows, gap], seen.candidates[rows, last]], 1))

    def loss(self, part: Sequence[Read]) -> Tensor:
        """Mean negative log-likelihood of persons' edits."""
        seen = self.see(part)
        flat = [(row, step) for row, one in enumerate(part) for step in one.steps]
        rows = torch.tensor([row for row, _ in flat])
        gap = torch.tensor([step.gap for _, step in flat])
        last = torch.tensor([step.last for _, step in flat])
        begins = torch.tensor(
            [number == 0 or flat[number - 1][0] != row for number, (row, _) in enumerate(flat)]
        )
        earlier = torch.roll(self.said(seen, rows, gap, last), 1, 0)
        before = torch.where(begins[:, None], self.begin[None], earlier)
        came = torch.roll(gap, 1).masked_fill(begins, 0)
        loss = -self.where_next(seen, rows, before, came).gather(1, gap[:, None]).sum()
        put = torch.tensor(
            [number for number, (row, step) in enumerate(flat) if step.gap <= part[row].layout.own]
        )
        if len(put):
            steps = [flat[number][1] for number in put.tolist()]
            first = self.first_word(seen, rows[put], before[put], gap[put])
            fine = torch.zeros_like(first, dtype=torch.bool)
            for number, step in enumerate(steps):
                fine[number, list(step.firsts)] = True
            loss = loss - first.masked_fill(~fine, _NEVER).logsumexp(1).sum()
            chosen = torch.tensor([step.firsts[-1] for step in steps])
            ends = self.last_word(seen, rows[put], gap[put], chosen)
            loss = loss - ends.gather(1, last[put][:, None]).sum()
        kept = torch.cat([one.kept for one in part])
        loss = loss + nn.functional.binary_cross_entropy_with_logits(seen.stays, kept, reduction="sum")
        return loss / len(part)

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def rewrites(self, every: Sequence[Read]) -> list[str]:
        """Each message after its likeliest edits, one after the other."""
        self.eval()
        order = sorted(range(len(every)), key=lambda row: len(every[row].states))
        found = [""] * len(every)
        for start in range(0, len(order), 64):
            places = order[start : start + 64]
            for place, text in zip(places, self._rewrites([every[place] for place in places]), strict=True):
                found[place] = text
        return found

    def _rewrites(self, part: Sequence[Read]) -> list[str]:
        seen = self.see(part)
        put: list[list[Insertion]] = [[] for _ in part]
        rows = torch.arange(len(part))
        gap = torch.zeros(len(part), dtype=torch.long)
        before = self.begin.expand(len(part), -1)
        own = torch.tensor([one.layout.own for one in part])
        for _ in range(MOST_INSERTIONS):
            gap = self.where_next(seen, rows, before, gap).argmax(1)
            more = gap <= own[rows]
            rows, gap, before = rows[more], gap[more], before[more]
            if not len(rows):
                break
            first = self.first_word(seen, rows, before, gap).argmax(1)
            last = self.last_word(seen, rows, gap, first).argmax(1)
            for row, where, begin, end in zip(
                rows.tolist(), gap.tolist(), first.tolist(), last.tolist(), strict=True
            ):
                words = (*self.glue, *part[row].layout.units)[begin : end + 1]
                put[row].append(Insertion(where, words))
            before = self.said(seen, rows, gap, last)
        kept = (seen.stays > 0).split(own.tolist())
        return [
            edited(one.layout.units[-one.layout.own :], stay.tolist(), edits)
            for one, stay, edits in zip(part, kept, put, strict=True)
        ]

    def _scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        return (keys @ queries[:, :, None])[:, :, 0] / math.sqrt(keys.shape[2])

    def save(self, folder: Path) -> None:
        """Write what learned."""
        self.encoder.save(folder)
        save_file(
            {
                name: weight.detach()
                for name, weight in self.state_dict().items()
                if not name.startswith("encoder.")
            },
            str(folder / HEAD),
        )

    def load(self, folder: Path) -> None:
        """Take what `save` wrote."""
        self.encoder.load(folder)
        self.load_state_dict(load_file(str(folder / HEAD)), strict=False)


def exact(network: EditPointer, every: Sequence[Read]) -> float:
    """Share of follow-ups rewritten as a person did."""
    texts = network.rewrites(every)
    right = [exact_match(text, one.follow_up.rewrite) for text, one in zip(texts, every, strict=True)]
    return sum(right) / len(right)


def train(
    network: EditPointer,
    learned_from: Sequence[Read],
    held_out: Sequence[Read],
    pace: Pace,
    *,
    checkpoints: Checkpoints,
    progress: Progress,
) -> Learned:
    """Learn from persons' rewrites; the weights of the epoch that matched most held-out ones stay."""
    usable = [one for one in learned_from if one.steps]
    work = Work(
        network=network,
        what="Fine-tuning the rewriter",
        steps=math.ceil(len(usable) / pace.batch_size),
        batches=lambda epoch: batches([len(one.states) for one in usable], pace, epoch=epoch),
        loss=lambda rows: network.loss([usable[row] for row in rows]),
        judge=(lambda: exact(network, held_out)) if held_out else None,
        before=exact(network, held_out) if held_out else 0.0,
    )
    return learn(work, pace, checkpoints=checkpoints, progress=progress)
