"""Tensors of a safetensors file, memory-mapped: what is not asked for is not read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from knowledge.errors import ModelError
from knowledge.types import Matrix

Stored: TypeAlias = npt.NDArray[Any]

# bfloat16 is unknown to numpy: it is the upper half of a float32.
_DTYPES: dict[str, type[np.generic]] = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}


class Tensors(Protocol):
    """Named tensors of an encoder, as they are in a file or with an adapter merged into them."""

    def __contains__(self, name: str) -> bool:
        """Whether there is such a tensor."""
        ...

    def stored(self, name: str) -> Stored:
        """The tensor as it is in the file."""
        ...

    def tensor(self, name: str) -> Matrix:
        """The whole tensor, float32."""
        ...


class Weights:
    """The tensors of one file, by the names they have inside the encoder ("embeddings.LayerNorm.weight")."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                size = int.from_bytes(file.read(8), "little")
                if size > path.stat().st_size:
                    raise ValueError("its header is longer than the file")
                header = json.loads(file.read(size))
        except (OSError, ValueError) as error:
            raise self._damaged(str(error)) from error
        if not isinstance(header, dict):
            raise self._damaged("its header is no table")
        self._start = 8 + size
        self.metadata: dict[str, str] = header.pop("__metadata__", {})
        """What the file says of itself."""
        self._entries = {inner_name(name): entry for name, entry in header.items()}

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def stored(self, name: str) -> Stored:
        """The tensor as it is in the file; `rows` and `tensor` make float32 of it."""
        if name not in self._entries:
            raise self._damaged(f"it has no tensor '{name}'")
        try:
            entry = self._entries[name]
            begin, _ = entry["data_offsets"]
            shape = tuple(entry["shape"])
            return np.memmap(self._path, _DTYPES[entry["dtype"]], "r", self._start + begin, shape)
        except (KeyError, ValueError, TypeError, OSError) as error:
            raise self._damaged(f"its tensor '{name}' cannot be read: {error}") from error

    def tensor(self, name: str) -> Matrix:
        """The whole tensor, float32."""
        return as_float32(self.stored(name))

    def _damaged(self, why: str) -> ModelError:
        return ModelError(
            f"The weights {self._path} cannot be used ({why}). "
            "Run 'kefu models verify' for the bundled models, or fetch the model again."
        )


def as_float32(stored: Stored) -> Matrix:
    """float32, float16, or bfloat16 (held as uint16), as float32."""
    if stored.dtype == np.uint16:
        return (stored.astype(np.uint32) << 16).view(np.float32)
    return np.asarray(stored, np.float32)


def inner_name(name: str) -> str:
    """The name inside the encoder: without the "bert." or "roberta." that some exports put before it."""
    for prefix in ("bert.", "roberta.", "model."):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name
