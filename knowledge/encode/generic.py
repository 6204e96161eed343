"""The encoder for every other folder: sentence-transformers itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from knowledge.encode import Precision
from knowledge.encode.fingerprint import fingerprint_of
from knowledge.encode.folder import ModelFolder
from knowledge.errors import ModelError
from knowledge.types import Matrix

_LONGEST = 512
_BATCH = 32


class SentenceEncoder:
    """Implements knowledge.types.Encoder."""

    def __init__(
        self, folder: ModelFolder, *, prefixes: tuple[str, str], precision: Precision, threads: int
    ) -> None:
        if precision == "int8":
            raise ModelError(
                f"The model {folder.path} is not BERT-like, and int8 is only for those. "
                'Set knowledge.encoder.precision = "auto".'
            )
        import torch

        if threads:
            torch.set_num_threads(threads)
        self.precision = _processor_likes(torch) if precision == "auto" else precision
        self._model = _load(folder, getattr(torch, self.precision))
        self._model.max_seq_length = min(self._model.max_seq_length or _LONGEST, _LONGEST)
        self._prefixes = prefixes
        self.dimension = int(self._model.get_embedding_dimension())
        self.fingerprint = fingerprint_of(folder.digest, self.dimension, prefixes)

    def encode_queries(self, texts: Sequence[str]) -> Matrix:
        """What customers ask; float32, shape (len(texts), dimension), L2 norm 1."""
        return self._encode([self._prefixes[0] + text for text in texts])

    def encode_passages(self, texts: Sequence[str]) -> Matrix:
        """What the company wrote; float32, shape (len(texts), dimension), L2 norm 1."""
        return self._encode([self._prefixes[1] + text for text in texts])

    def _encode(self, texts: Sequence[str]) -> Matrix:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        # prompt="": the prefix is already there, and a folder may name a default prompt of its own.
        vectors = self._model.encode(
            clean, batch_size=_BATCH, prompt="", convert_to_tensor=True, show_progress_bar=False
        )
        rows: Matrix = vectors.float().cpu().numpy()
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return rows


def _processor_likes(torch: Any) -> Precision:
    """bfloat16 where the processor multiplies it; elsewhere it is 100 times slower than float32."""
    has_tiles = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
    has_avx = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
    return "bfloat16" if has_tiles or has_avx else "float32"


def _load(folder: ModelFolder, dtype: Any) -> Any:
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(
            str(folder.path),
            device="cpu",
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True, "dtype": dtype},
        )
    except Exception as error:  # transformers raises many unrelated kinds for a wrong folder
        reason = str(error).strip().split("\n")[0]
        raise ModelError(
            f"The model {folder.path} cannot be loaded ({type(error).__name__}: {reason}). "
            "Name another sentence-transformers folder in knowledge.encoder.model."
        ) from error
