"""A fine-tuned encoder that says something of each token, for heads that read more than one vector a text."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from knowledge.encode.adapter import over
from knowledge.encode.bert import Arithmetic, Bert
from knowledge.encode.direct import open_tokenizer
from knowledge.encode.folder import WEIGHTS, BertConfig, read_folder
from knowledge.encode.weights import Tensors, Weights
from knowledge.errors import ModelError
from knowledge.types import Matrix


class TokenEncoder:
    """An encoder with what a fine-tuned model has for it; may be called from several threads at once.

    Args:
        base: Folder of the encoder that was trained from.
        learned: The fine-tuned model's folder: an adapter, or layers of its own.
        longest: Tokens of a text, the rest is cut; None: as many as the encoder can read.
        arithmetic: Of its matrix products.

    Raises:
        ModelError: One of them is missing, damaged, or does not fit the other.
    """

    def __init__(
        self, base: Path, learned: Path, *, longest: int | None = None, arithmetic: Arithmetic = "float32"
    ) -> None:
        config, weights = _over(base, learned)
        self.tokenizer = open_tokenizer(base / "tokenizer.json", longest=longest or config.longest)
        self._bert = Bert(weights, config, arithmetic=arithmetic, pooled=False)

    def states(self, ids: list[int]) -> Matrix:
        """Of each token, float32, shape (tokens, hidden)."""
        return self._bert.vector(ids)


class PairEncoder:
    """An encoder whose upper layers read two texts together; may be called from several threads at once.

    What the layers below give for a text never changes, so it can be kept.

    Source: PreTTR (MacAvaney et al., 2020).

    Args:
        base: Folder of the encoder that was trained from.
        learned: The fine-tuned model's folder.
        prefixes: Of queries and of passages.
        first: The first layer that reads both.
        longest: Tokens of a text; the rest is cut.
        arithmetic: Of its matrix products.

    Raises:
        ModelError: One of them is missing, damaged, or does not fit the other.
    """

    def __init__(
        self,
        base: Path,
        learned: Path,
        *,
        prefixes: tuple[str, str],
        first: int,
        longest: int,
        arithmetic: Arithmetic = "float32",
    ) -> None:
        config, weights = _over(base, learned)
        self._tokenizer = open_tokenizer(base / "tokenizer.json", longest=longest)
        self._prefixes = prefixes
        begins = min(first, config.layers - 1)  # as it was learned
        parts = [(0, begins), (begins, config.layers)]
        self._below, self._above = (
            Bert(weights, config, arithmetic=arithmetic, pooled=False, layers=part) for part in parts
        )

    def below(self, text: str, *, stored: bool) -> Matrix:
        """What the lower layers give for a text alone, float32, shape (tokens, hidden).

        Args:
            text: The text.
            stored: Whether the company wrote it; else a customer.
        """
        prefixed = (self._prefixes[stored] + text).encode("utf-8", "replace").decode("utf-8")
        return self._below.vector(self._tokenizer.encode(prefixed).ids)

    def together(self, one: Matrix, other: Matrix) -> tuple[Matrix, Matrix]:
        """Both texts' tokens after they have read each other, each of shape (tokens, hidden)."""
        states = self._above.above(np.concatenate([one, other]))
        return states[: len(one)], states[len(one) :]


def _over(base: Path, learned: Path) -> tuple[BertConfig, Tensors]:
    """Shape and weights of an encoder with what a fine-tuned model has for it."""
    described = read_folder(base)
    if described.bert is None:
        raise ModelError(
            f"{learned.name} was trained from a BERT-like encoder, and {base} is none. "
            "Name the encoder that it was trained from in knowledge.encoder.model."
        )
    return described.bert, over(Weights(base / WEIGHTS), learned, encoder=described.digest)
