"""The network of the reranker: question and answer read apart below, together above, and one number comes out.

What the lower layers give for a text never changes, so it is computed once; in service the answers' part is kept.
How alike each token of the question is to the answer's likest, once both have been read, is one more figure: with it a few hundred
questions are enough to learn from, with the means of the tokens alone they are not.
Source: Nogueira & Cho (2019) for reading both together, MacAvaney et al. (2020) for beginning late, Khattab & Zaharia
(2020) for the likest token.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from chatbot.registry import HEAD
from finetune.candidates import Question
from finetune.encoder import LearningEncoder
from finetune.learning import Checkpoints, Learned, Pace, Work, learn
from finetune.wordings import Text
from knowledge.rerank import SHARPNESS_OF_TOKENS, text_of
from knowledge.types import Matrix, Passage, Progress

_SHARPNESS = 30.0
"""Cosine to logit."""
_TOGETHER = 16
"""Pairs of like length that go through together."""


class PairScorer(nn.Module):  # type: ignore[misc]  # torch is Any to the type checker
    """How much more an answer speaks for a question than its nearness tells; "nothing stored answers" is an option, too.

    Args:
        encoder: Of which the upper layers learn to read both together.
        passages: The answers.
        progress: Told while they are read.
    """

    def __init__(self, encoder: LearningEncoder, passages: Sequence[Passage], *, progress: Progress) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(3 * encoder.width, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.near = nn.Parameter(torch.tensor(1.0))  # so that it begins with the retriever's order
        self.alike = nn.Parameter(torch.tensor(0.0))
        self._passages = encoder.below(
            [Text(text_of(passage), 0, stored=True) for passage in passages], progress=progress
        )

    def read(self, questions: Sequence[Question], *, progress: Progress) -> list[Tensor]:
        """What the lower layers give for the questions."""
        return self.encoder.below([Text(question.text, 0) for question in questions], progress=progress)

    def forward(self, states: Sequence[Tensor], asked: Sequence[Question]) -> Tensor:
        """Scores of what was found for each question, shape (questions, found); all have found as many."""
        pairs = [
            (state, self._passages[place])
            for state, one in zip(states, asked, strict=True)
            for place in one.found
        ]
        order = sorted(range(len(pairs)), key=lambda row: len(pairs[row][0]) + len(pairs[row][1]))
        parts = [order[start : start + _TOGETHER] for start in range(0, len(order), _TOGETHER)]
        scores = torch.cat([self._score([pairs[row] for row in rows]) for rows in parts])
        return scores[torch.tensor(order).argsort()].reshape(len(states), -1)

    def with_near(self, scores: Tensor, asked: Sequence[Question]) -> Tensor:
        """The scores with how much nearer each answer is than the others; 0 for "nothing stored answers" before them."""
        near = torch.tensor([one.near for one in asked])
        both = scores + _SHARPNESS * self.near * (near - near.max(1, keepdim=True)[0])
        return torch.cat([torch.zeros(len(asked), 1), both], dim=1)

    def _score(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        read = self.encoder.above([torch.cat(pair) for pair in pairs])
        place = torch.arange(read.shape[1])[None, :]
        ends, begins = (
            torch.tensor(ends)[:, None]
            for ends in ([len(one) + len(other) for one, other in pairs], [len(one) for one, _ in pairs])
        )
        of_question, of_answer = place < begins, (place >= begins) & (place < ends)
        asked, told = _mean(read, of_question), _mean(read, of_answer)
        units = nn.functional.normalize(read, dim=-1)
        likest = (units @ units.mT).masked_fill(~of_answer[:, None, :], -1.0).amax(2, keepdim=True)
        alike = _mean(likest, of_question)[:, 0]
        scores: Tensor = self.head(torch.cat([asked, told, asked * told], dim=1))[:, 0]
        return scores + SHARPNESS_OF_TOKENS * self.alike * alike

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def scores(self, states: Sequence[Tensor], questions: Sequence[Question]) -> Matrix:
        """`with_near` without "nothing" and without dropout, float32, shape (questions, found)."""
        self.eval()
        blocks = []
        for start in range(0, len(questions), 32):
            asked = questions[start : start + 32]
            blocks.append(self.with_near(self(states[start : start + 32], asked), asked)[:, 1:].cpu().numpy())
        return np.concatenate(blocks)

    def save(self, folder: Path) -> None:
        """Write what learned."""
        self.encoder.save(folder)
        save_file(
            {
                "near": self.near.detach(),
                "alike": self.alike.detach(),
                **{name: weight.detach() for name, weight in self.head.named_parameters()},
            },
            str(folder / HEAD),
        )

    def load(self, folder: Path) -> None:
        """Take what `save` wrote."""
        self.encoder.load(folder)
        stored = load_file(str(folder / HEAD))
        with torch.no_grad():
            self.near.copy_(stored.pop("near"))
            self.alike.copy_(stored.pop("alike", torch.tensor(0.0)))  # models from before it have none
        self.head.load_state_dict(stored)


def _mean(figures: Tensor, of: Tensor) -> Tensor:
    """Of the tokens that are marked, shape (pairs, figures of a token)."""
    seen = of.float()
    mean: Tensor = (figures * seen[:, :, None]).sum(1) / seen.sum(1, keepdim=True)
    return mean


def train(
    network: PairScorer,
    learned_from: Sequence[Question],
    held_out: Sequence[Question],
    pace: Pace,
    *,
    checkpoints: Checkpoints,
    progress: Progress,
) -> Learned:
    """Learn; the weights of the epoch that put the right answer first most often stay.

    Args:
        network: Has not learned yet.
        learned_from: Questions with what was found for them.
        held_out: The same, never learned from.
        pace: How long and how fast.
        checkpoints: Where the run is kept.
        progress: Told what is being done.
    """
    states, judged = (network.read(part, progress=progress) for part in (learned_from, held_out))

    def loss(rows: Sequence[int]) -> Tensor:
        asked = [learned_from[row] for row in rows]
        every = network.with_near(network([states[row] for row in rows], asked), asked)
        right = torch.tensor([[not one.right, *(place in one.right for place in one.found)] for one in asked])
        return (every.logsumexp(1) - every.masked_fill(~right, -math.inf).logsumexp(1)).mean()

    work = Work(
        network=network,
        what="Fine-tuning the reranker",
        steps=math.ceil(len(states) / pace.batch_size),
        batches=lambda epoch: _batches(states, pace, epoch=epoch),
        loss=loss,
        judge=lambda: found_first(held_out, network.scores(judged, held_out)),
        before=found_first(held_out, [one.near for one in held_out]),
    )
    return learn(work, pace, checkpoints=checkpoints, progress=progress)


def found_first(questions: Sequence[Question], scores: Sequence[Sequence[float]] | Matrix) -> float:
    """Share of the questions that something answers for which the best scored does."""
    first = [one.first_is_right(own) for one, own in zip(questions, scores, strict=True) if one.right]
    return sum(first) / max(1, len(first))


def _batches(states: Sequence[Tensor], pace: Pace, *, epoch: int) -> Iterator[list[int]]:
    order = np.random.default_rng((pace.seed, epoch)).permutation(len(states))
    for part in np.array_split(order, math.ceil(len(order) / pace.batch_size)):
        yield part.tolist()
