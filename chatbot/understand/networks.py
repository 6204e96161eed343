"""What fine-tuned encoders say of a message: its class, or the names and values in it.

The networks are those of finetune/classifier.py and finetune/tagging.py, without what only learning needs; `kefu train
intent`, `sentiment` and `slots` train them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from chatbot.registry import HEAD, LABELS
from chatbot.types import VERY_UNHAPPY
from chatbot.understand.logits import softmax
from chatbot.understand.sentiment import sentiment_of
from chatbot.understand.tags import OUTSIDE, best_path, following, joined, tokens_of
from knowledge.encode.states import TokenEncoder
from knowledge.encode.weights import Weights
from knowledge.errors import ModelError
from knowledge.types import Matrix

_SCALE = 20.0
"""Cosine to logit, as it was learned."""
_WORD = re.compile(r"[\u3040-\u9fff]|[^\W\u3040-\u9fff]+(?:['’._@/-][^\W\u3040-\u9fff]+)*|\S")
_FEELINGS = {
    -1.0: ("angry", "very negative", "愤怒", "生气"),
    -0.5: ("negative", "neg", "sad", "负面", "消极", "悲伤"),
    0.0: ("neutral", "none", "中性", "平静"),
    0.5: ("positive", "pos", "happy", "正面", "积极", "高兴"),
}
_VALUES = {label: value for value, labels in _FEELINGS.items() for label in labels}


class TextClassifier:
    """P(class) of texts; may be called from several threads at once.

    Args:
        encoder: With what the model learned; cuts texts as they were cut then.
        folder: Of the model.
        prefix: Of queries.
    """

    def __init__(self, encoder: TokenEncoder, folder: Path, prefix: str) -> None:
        self._encoder, self._prefix = encoder, prefix
        head = Weights(folder / HEAD)
        self._centres, self._common = _unit(head.tensor("centres")), head.tensor("common")
        self.names: tuple[str, ...] = tuple(json.loads((folder / LABELS).read_text("utf-8")))

    def probabilities(self, text: str) -> dict[str, float]:
        """By class."""
        ids = self._encoder.tokenizer.encode(_encodable(self._prefix + text)).ids
        vector = _unit(self._encoder.states(ids).mean(axis=0)) - self._common
        logits: Matrix = (self._centres @ _unit(vector)) * np.float32(_SCALE)
        shares = softmax(logits[None])[0]
        return dict(zip(self.names, shares.tolist(), strict=True))


class Feelings:
    """How a customer feels, -1 (angry) .. +1 (happy); takes the place of `sentiment_of`.

    Strong words stay anger, whatever the model says of them.

    Args:
        classifier: Of feelings.

    Raises:
        ModelError: Its classes are not feelings, or there is none for messages without any.
    """

    def __init__(self, classifier: TextClassifier) -> None:
        unknown = [name for name in classifier.names if name.lower() not in _VALUES]
        if unknown:
            raise ModelError(
                f"The bot does not know how bad '{unknown[0]}' is. Train with the labels {', '.join(_VALUES)}."
            )
        if all(_VALUES[name.lower()] for name in classifier.names):
            raise ModelError(
                "The model knows no label for messages without a feeling, which most are. Add such examples to "
                "its training file, labelled 'neutral'."
            )
        self._classifier = classifier

    def __call__(self, text: str) -> float:
        """Feeling of one message: 0 is neutral."""
        by_words = sentiment_of(text)
        if by_words <= VERY_UNHAPPY:
            return by_words
        said = self._classifier.probabilities(text)
        return round(sum(_VALUES[name.lower()] * share for name, share in said.items()), 3)


class NamedValues:
    """Finds names and values in messages; may be called from several threads at once.

    Args:
        encoder: With what the model learned; cuts texts as they were cut then.
        folder: Of the model.
        prefix: Of queries.
    """

    def __init__(self, encoder: TokenEncoder, folder: Path, prefix: str) -> None:
        self._encoder, self._prefix = encoder, prefix
        head = Weights(folder / HEAD)
        self._first, self._inside = (
            (head.tensor(f"{name}.weight"), head.tensor(f"{name}.bias")) for name in ("first", "inside")
        )
        self.tags: tuple[str, ...] = tuple(json.loads((folder / LABELS).read_text("utf-8")))
        self._following = following(self.tags)

    def __call__(self, text: str) -> Mapping[str, list[str]]:
        """Kind -> its values in the text, left to right; as they are written there."""
        words = list(_WORD.finditer(text))
        found: list[tuple[str, int, int]] = []
        for word, tag in zip(words, self._tag([word[0] for word in words]), strict=False):
            if tag.startswith("B-"):
                found.append((tag[2:], *word.span()))
            elif tag != OUTSIDE:
                found[-1] = (*found[-1][:2], word.end())
        values: dict[str, list[str]] = {}
        for kind, start, end in found:
            values.setdefault(kind, []).append(text[start:end])
        return values

    def _tag(self, words: list[str]) -> list[str]:
        """A tag for each word that is not cut."""
        written, starts = joined(words)
        piece = self._encoder.tokenizer.encode(_encodable(self._prefix + written))
        tokens = np.array(tokens_of(starts, piece.offsets, len(self._prefix)), np.int64)
        states = self._encoder.states(piece.ids)[tokens]
        inside = np.diff(tokens, prepend=-1) == 0
        first, later = (states @ weight.T + bias for weight, bias in (self._first, self._inside))
        scores: Matrix = np.where(inside[:, None], later, first)
        return [self.tags[tag] for tag in best_path(np.log(softmax(scores) + 1e-12), self._following)]


def _encodable(text: str) -> str:
    """Without lone surrogates, which are legal in a str, but not in UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _unit(vectors: Matrix) -> Matrix:
    unit: Matrix = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return unit
