"""The encoder for BERT-like folders: tokenizer, `bert.py`, and one worker a core for lists of texts."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
from tokenizers import Tokenizer

from knowledge.encode import Precision
from knowledge.encode.adapter import Adapter
from knowledge.encode.bert import Bert, fastest_arithmetic
from knowledge.encode.fingerprint import fingerprint_of
from knowledge.encode.folder import WEIGHTS, BertConfig, ModelFolder, read_folder
from knowledge.encode.weights import Tensors, Weights
from knowledge.errors import ModelError
from knowledge.types import Matrix

_CHARACTERS_A_TOKEN = 32
"""Texts are cut here before they are tokenized, so that a megabyte of text costs what 512 tokens cost."""


class DirectEncoder:
    """Implements knowledge.types.Encoder; may be called from several threads at once."""

    def __init__(
        self,
        folder: ModelFolder,
        config: BertConfig,
        *,
        prefixes: tuple[str, str],
        precision: Precision,
        threads: int,
        adapter: Adapter | None = None,
    ) -> None:
        if precision not in ("auto", "float32", "int8"):
            raise ModelError(f"This encoder cannot compute in '{precision}'. Use auto, float32 or int8.")
        self.dimension = config.hidden
        self.fingerprint = fingerprint_of(
            folder.digest, config.hidden, prefixes, adapter=adapter.digest if adapter else ""
        )
        self.precision = fastest_arithmetic() if precision == "auto" else precision
        self._query_prefix, self._passage_prefix = prefixes
        self._characters = config.longest * _CHARACTERS_A_TOKEN
        self._tokenizer = open_tokenizer(folder.path / "tokenizer.json", longest=config.longest)
        weights: Tensors = Weights(folder.path / WEIGHTS)
        self._bert = Bert(adapter.over(weights) if adapter else weights, config, arithmetic=self.precision)
        known, rows = self._tokenizer.get_vocab_size(), self._bert.vocabulary
        if known > rows:
            raise ModelError(
                f"The tokenizer of {folder.path} knows {known} pieces, but the weights only {rows}: they do not "
                "belong together. Fetch the model again."
            )
        self.lanes = self._threads = threads or cores()
        self._workers: ThreadPoolExecutor | None = None
        self._starting = threading.Lock()

    def encode_queries(self, texts: Sequence[str]) -> Matrix:
        """What customers ask; float32, shape (len(texts), dimension), L2 norm 1."""
        return self._encode([self._query_prefix + text for text in texts])

    def encode_passages(self, texts: Sequence[str]) -> Matrix:
        """What the company wrote; float32, shape (len(texts), dimension), L2 norm 1."""
        return self._encode([self._passage_prefix + text for text in texts])

    def tokens(self, text: str) -> list[int]:
        """The ids the network sees for a text that has its prefix already."""
        # A lone surrogate ("\ud83d" from a cut emoji) is legal in a str, but not in UTF-8.
        clean = text[: self._characters].encode("utf-8", "replace").decode("utf-8")
        ids: list[int] = self._tokenizer.encode(clean).ids
        return ids

    def _encode(self, texts: Sequence[str]) -> Matrix:
        out = np.empty((len(texts), self.dimension), np.float32)

        def fill(row: int) -> None:
            out[row] = self._bert.vector(self.tokens(texts[row]))

        if len(texts) == 1 or self._threads == 1:
            for row in range(len(texts)):
                fill(row)
            return out
        # Longest first, so that no long text is left for one worker at the end.
        order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
        for _ in self._pool().map(fill, order):
            pass
        return out

    def _pool(self) -> ThreadPoolExecutor:
        with self._starting:
            if self._workers is None:
                self._workers = ThreadPoolExecutor(self._threads, thread_name_prefix="encode")
            return self._workers


def open_direct(folder: Path, *, precision: Precision) -> DirectEncoder:
    """A BERT-like folder without prefixes, one text at a time.

    Raises:
        ModelError: The folder is not BERT-like.
    """
    described = read_folder(folder)
    if described.bert is None:
        raise ModelError(f"{folder} does not hold a BERT-like encoder. Run 'kefu models prepare' again.")
    return DirectEncoder(described, described.bert, prefixes=("", ""), precision=precision, threads=1)


def cores() -> int:
    """Physical cores this process may use: a second thread on one core adds nothing to matrix products."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))


@functools.lru_cache(maxsize=4)
def open_tokenizer(path: Path, *, longest: int) -> Tokenizer:
    """The tokenizer of a folder; reading it takes a second, and all networks over one encoder share it.

    Args:
        path: Its tokenizer.json.
        longest: Tokens behind which a text is cut.

    Raises:
        ModelError: It cannot be read.
    """
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the Rust side raises plain Exception
        raise ModelError(
            f"The tokenizer {path} cannot be read ({error}). Run 'kefu models verify', or fetch the model again."
        ) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest)
    return tokenizer
