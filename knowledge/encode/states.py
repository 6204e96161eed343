"""A fine-tuned encoder that says something of each token, for heads that read more than one vector a text."""

from __future__ import annotations

from pathlib import Path

from knowledge.encode.adapter import over
from knowledge.encode.bert import Arithmetic, Bert
from knowledge.encode.direct import open_tokenizer
from knowledge.encode.folder import WEIGHTS, read_folder
from knowledge.encode.weights import Weights
from knowledge.errors import ModelError
from knowledge.types import Matrix


class TokenEncoder:
    """An encoder with what a fine-tuned model has for it; may be called from several threads at once.

    Args:
        base: Folder of the encoder that was trained from.
        learned: The fine-tuned model's folder: an adapter, or layers of its own.
        arithmetic: Of its matrix products.

    Raises:
        ModelError: One of them is missing, damaged, or does not fit the other.
    """

    def __init__(self, base: Path, learned: Path, *, arithmetic: Arithmetic = "float32") -> None:
        described = read_folder(base)
        if described.bert is None:
            raise ModelError(
                f"{learned.name} was trained from a BERT-like encoder, and {base} is none. "
                "Name the encoder that it was trained from in knowledge.encoder.model."
            )
        self.tokenizer = open_tokenizer(base / "tokenizer.json", longest=described.bert.longest)
        self._bert = Bert(
            over(Weights(base / WEIGHTS), learned, encoder=described.digest),
            described.bert,
            arithmetic=arithmetic,
            pooled=False,
        )

    def states(self, ids: list[int]) -> Matrix:
        """Of each token, float32, shape (tokens, hidden)."""
        return self._bert.vector(ids)
