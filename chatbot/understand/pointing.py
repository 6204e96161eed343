"""The trained rewriter: makes follow-ups standalone by edits that a fine-tuned encoder points at.

The network is that of finetune/rewriting.py, without what only learning needs; `kefu train rewriter` trains it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from scipy.special import erf

from chatbot.registry import HEAD, LABELS
from chatbot.understand.edits import (
    LONGEST_INSERTION,
    MOST_INSERTIONS,
    Insertion,
    UnitTokens,
    edited,
    lay_out,
)
from chatbot.understand.rewrite import Rewriter, hangs_on_context
from knowledge.encode.states import TokenEncoder
from knowledge.encode.weights import Weights
from knowledge.types import Matrix

_DECIDES_FROM = 0.05
"""Share of messages that people left as they were, from which the model knows which ones to leave."""


class EditPointer:
    """Says the likeliest edits, one after the other; immutable, safe between threads.

    Args:
        encoder: With what the model learned.
        folder: Of the model.
        prefix: Of queries.
        longest: Tokens of a conversation in what it learned from.
        context: Utterances before a message, at most, in what it learned from.
    """

    def __init__(
        self, encoder: TokenEncoder, folder: Path, *, prefix: str, longest: int, context: int
    ) -> None:
        self._encoder, self._longest, self._context = encoder, longest, context
        self._tokens = UnitTokens(encoder.tokenizer, prefix)
        head = Weights(folder / HEAD)
        self._head = {name: head.tensor(name) for name in _TENSORS}
        self._glue: list[str] = json.loads((folder / LABELS).read_text("utf-8"))

    def rewrite(self, spoken: Sequence[str], text: str) -> str:
        """The message after its edits; as it came where it is too long to be read.

        Args:
            spoken: What was said before, oldest first.
            text: The message.
        """
        layout = lay_out([*spoken[-self._context :], text], self._tokens, longest=self._longest)
        if layout is None:
            return text
        states = self._encoder.states(list(layout.ids))
        units = states[list(layout.tokens)]
        beside = self._through("between.0", states[np.array(layout.gaps)].reshape(-1, 2 * states.shape[1]))
        gaps = np.concatenate([_gelu(beside), self._head["nothing"][None]])
        candidates = np.concatenate([self._head["glued"], units])
        words = (*self._glue, *layout.units)
        spoken_by = [*range(-len(self._glue), 0), *layout.spoken]
        put: list[Insertion] = []
        before, gap = self._head["begin"], 0
        for _ in range(MOST_INSERTIONS):
            gap += _best(gaps[gap:] @ self._through("where", before))
            if gap > layout.own:
                break
            first = _best(candidates @ self._two_layers("first", gaps[gap], before))
            ends = candidates[first : first + LONGEST_INSERTION] @ self._two_layers(
                "last", gaps[gap], candidates[first]
            )
            same = [spoken_by[first + place] == spoken_by[first] for place in range(len(ends))]
            last = first + _best(np.where(same, ends, -math.inf))
            put.append(Insertion(gap, tuple(words[first : last + 1])))
            before = _gelu(self._through("behind.0", np.concatenate([gaps[gap], candidates[last]])))
        own = units[-layout.own :]
        kept = (self._through("stays", own)[:, 0] > 0).tolist()
        if not put and all(kept):
            return text
        return edited(layout.units[-layout.own :], kept, put)

    def _two_layers(self, name: str, left: Matrix, right: Matrix) -> Matrix:
        inner = _gelu(self._through(f"{name}.0", np.concatenate([left, right])))
        return self._through(f"{name}.2", inner)

    def _through(self, name: str, vectors: Matrix) -> Matrix:
        product: Matrix = vectors @ self._head[f"{name}.weight"].T + self._head[f"{name}.bias"]
        return product


class TrainedRewriter(Rewriter):
    """Completes follow-ups as people did in what the model was trained on.

    Where those rewrote every message, the rules go on to decide which messages need it.

    Args:
        wordings: As `Rewriter` takes them.
        pointer: The model.
        left_alone: Share of messages that people left as they were in what it was trained on.
    """

    def __init__(self, wordings: Iterable[str], pointer: EditPointer, *, left_alone: float) -> None:
        super().__init__(wordings)
        self._pointer = pointer
        self._decides = left_alone >= _DECIDES_FROM

    def after(self, text: str, spoken: Sequence[str]) -> str:
        """The message as a standalone question after what was `spoken`, oldest first."""
        needed = self._decides or hangs_on_context(text, " ".join(spoken))
        return self.complete(text, spoken) if spoken and needed else text

    def complete(self, text: str, spoken: Sequence[str]) -> str:
        """Edit the message with words of what was `spoken`."""
        return self._pointer.rewrite(spoken, text)


_TENSORS = (
    *("glued", "nothing", "begin"),
    *(f"{layer}.{part}" for layer in ("between.0", "behind.0", "where") for part in ("weight", "bias")),
    *(
        f"{layer}.{part}"
        for layer in ("first.0", "first.2", "last.0", "last.2")
        for part in ("weight", "bias")
    ),
    *("stays.weight", "stays.bias"),
)


def _gelu(values: Matrix) -> Matrix:
    return np.asarray(values * 0.5 * (1 + erf(values / math.sqrt(2))), np.float32)


def _best(scores: Matrix) -> int:
    return int(np.argmax(scores))
