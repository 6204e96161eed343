"""The network that tags words: encoder, a linear head over a word's first token, and the best path of tags.

The tokens of the encoder often hold several Chinese characters, each of which has a tag of its own. A second head
answers for a word that is not the first of its token.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from chatbot.evaluate.files import TaggedSentence
from chatbot.evaluate.slots import measure_slots
from chatbot.registry import HEAD
from chatbot.understand.tags import OUTSIDE, best_path, following, joined, tokens_of
from finetune.classifier import TaskTable, batches, open_encoder
from finetune.encoder import LearningEncoder
from finetune.learning import Checkpoints, Learned, Pace, Work, learn
from knowledge.types import Progress

Labels = npt.NDArray[np.int64]

_SHARPNESS = 8.0
"""Logits of what the linear start is sure of."""
_RIDGE = 1e-3
_STARTED_ON = 2_000
"""Sentences from which the linear start is solved."""
_UNKNOWN = -100
"""The tag that is learned nothing from: of a word that was cut."""


class SlotsPace(Pace):
    """[train]: how long and how fast to learn."""

    dropout: float = Field(0.1, ge=0, lt=1)


@dataclass(frozen=True, slots=True)
class Read:
    """A sentence as the network sees it."""

    sentence: TaggedSentence
    states: Tensor
    """From the frozen layers, float16, shape (tokens, hidden)."""
    tokens: Tensor
    """The token of each word, int64; those behind the last token are cut."""
    inside: Tensor
    """Whether a word is not the first of its token, bool."""
    tags: Tensor
    """int64, of the words that are not cut."""


class SlotTagger(nn.Module):  # type: ignore[misc]  # torch is Any to the type checker
    """Tags words; made by `open_tagger`."""

    def __init__(self, encoder: LearningEncoder, tags: Sequence[str]) -> None:
        super().__init__()
        self.encoder = encoder
        self.tags = tuple(tags)
        self.first = nn.Linear(encoder.width, len(tags))
        self.inside = nn.Linear(encoder.width, len(tags))

    def read(self, sentences: Sequence[TaggedSentence], *, progress: Progress) -> list[Read]:
        """Put sentences through the frozen layers."""
        written = [joined(sentence.words) for sentence in sentences]
        pieces = self.encoder.pieces([text for text, _ in written], [False] * len(written))
        states = self.encoder.frozen([piece.ids for piece in pieces], progress=progress)
        begins = self.encoder.prefix_length
        places = {tag: place for place, tag in enumerate(self.tags)}
        found = []
        for sentence, (_, starts), piece, state in zip(sentences, written, pieces, states, strict=True):
            tokens = tokens_of(starts, piece.offsets, begins)
            inside = [place > 0 and tokens[place - 1] == token for place, token in enumerate(tokens)]
            tags = [places.get(tag, _UNKNOWN) for tag in sentence.tags[: len(tokens)]]
            found.append(
                Read(
                    sentence,
                    state,
                    torch.tensor(tokens, dtype=torch.long),
                    torch.tensor(inside, dtype=torch.bool),
                    torch.tensor(tags, dtype=torch.long),
                )
            )
        return found

    def forward(self, sentences: Sequence[Read]) -> Tensor:
        """Logits of all words, one sentence after the other, shape (words, tags)."""
        words = self._words(sentences)
        inside = torch.cat([one.inside for one in sentences])
        return torch.where(inside[:, None], self.inside(words), self.first(words))

    def _words(self, sentences: Sequence[Read]) -> Tensor:
        """What the encoder says of each word's token, shape (words, hidden)."""
        states = self.encoder.above([one.states for one in sentences])
        return torch.cat([states[row, one.tokens] for row, one in enumerate(sentences)])

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def tag(self, sentences: Sequence[Read]) -> list[list[str]]:
        """A tag for each word, with no I- that nothing begins; O for words that were cut."""
        self.eval()
        allowed = following(self.tags)
        order = sorted(range(len(sentences)), key=lambda row: len(sentences[row].states))
        said: list[list[str]] = [[] for _ in sentences]
        for start in range(0, len(order), 32):
            rows = order[start : start + 32]
            scores = self([sentences[row] for row in rows]).log_softmax(1)
            for row, part in zip(
                rows, scores.split([len(sentences[row].tokens) for row in rows]), strict=True
            ):
                cut = len(sentences[row].sentence.words) - len(part)
                path = [self.tags[tag] for tag in best_path(part.cpu().numpy(), allowed)]
                said[row] = path + [OUTSIDE] * cut
        return said

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def start_from(self, learned_from: Sequence[Read]) -> None:
        """Solve both heads over the encoder as it came: a linear probe, from which learning goes on."""
        self.eval()
        chosen = learned_from[:: max(1, len(learned_from) // _STARTED_ON)]
        parts = [chosen[start : start + 32] for start in range(0, len(chosen), 32)]
        words = torch.cat([self._words(part) for part in parts])
        inside = torch.cat([one.inside for one in chosen])
        tags = torch.cat([one.tags for one in chosen])
        for head, kind in ((self.first, ~inside), (self.inside, inside)):
            head.weight.zero_()
            head.bias.zero_()
            rows = kind & (tags != _UNKNOWN)
            if rows.any():
                _solve(head, words[rows], tags[rows])

    def save(self, folder: Path) -> None:
        """Write what learned."""
        self.encoder.save(folder)
        heads = {"first": self.first, "inside": self.inside}
        tensors = {
            f"{name}.{part}": weight.detach()
            for name, head in heads.items()
            for part, weight in (("weight", head.weight), ("bias", head.bias))
        }
        save_file(tensors, str(folder / HEAD))

    def load(self, folder: Path) -> None:
        """Take what `save` wrote."""
        self.encoder.load(folder)
        self.load_state_dict(load_file(str(folder / HEAD)), strict=False)


def open_tagger(
    base: tuple[Path, tuple[str, str]], model: TaskTable, *, tags: Sequence[str], dropout: float = 0.0
) -> SlotTagger:
    """A network that has not learned yet.

    Args:
        base: Folder of the encoder, and its prefixes of queries and passages.
        model: Its settings.
        tags: O, and B-kind and I-kind of each kind.
        dropout: While it learns.

    Raises:
        ModelError: The encoder cannot be trained.
    """
    return SlotTagger(open_encoder(base, model, dropout=dropout), tags)


def train(
    tagger: SlotTagger,
    learned_from: Sequence[Read],
    held_out: Sequence[Read],
    pace: SlotsPace,
    *,
    checkpoints: Checkpoints,
    progress: Progress,
) -> Learned:
    """Learn from tagged sentences; the weights of the epoch with the best entity F1 on the held-out ones stay."""

    def found() -> float:
        said = tagger.tag(held_out)
        return float(measure_slots([one.sentence for one in held_out], said)["f1"])

    def loss(rows: Labels) -> Tensor:
        part = [learned_from[row] for row in rows]
        tags = torch.cat([one.tags for one in part])
        return nn.functional.cross_entropy(tagger(part), tags, ignore_index=_UNKNOWN)

    work = Work(
        network=tagger,
        what="Fine-tuning the tagger",
        steps=math.ceil(len(learned_from) / pace.batch_size),
        batches=lambda epoch: batches([len(one.states) for one in learned_from], pace, epoch=epoch),
        loss=loss,
        judge=found if held_out else None,
        before=found() if held_out else 0.0,
    )
    return learn(work, pace, checkpoints=checkpoints, progress=progress)


def _solve(head: nn.Linear, words: Tensor, tags: Tensor) -> None:
    """Ridge regression of "has this tag" (Hoerl & Kennard, 1970), sharpened to logits."""
    targets = nn.functional.one_hot(tags, head.out_features).float()
    mean, share = words.mean(0), targets.mean(0)
    centred = (words - mean).double()
    squares = centred.T @ centred / len(words)
    squares += _RIDGE * squares.diagonal().mean() * torch.eye(len(squares), dtype=torch.double)
    weights = torch.linalg.solve(squares, centred.T @ (targets - share).double() / len(words)).float()
    head.weight.copy_(_SHARPNESS * weights.T)
    head.bias.copy_(_SHARPNESS * (share - mean @ weights))
