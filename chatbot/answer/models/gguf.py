"""What a GGUF file is, read from its header before llama.cpp is given the file.

A wrong file must end in two sentences, never in a crash of the process, so the header is looked at first:
magic, version, architecture, kind, chat template, and whether the file is as long as its tensors need.

Source: the GGUF specification, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knowledge.errors import ModelError

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_ALIGNMENT = 32
_MOST_ENTRIES = 100_000
"""No real model has so many keys or tensors; a damaged count must not keep us reading."""
_ENCODERS = frozenset(
    {
        *("bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "modern-bert", "eurobert"),
        *("jina-bert-v2", "jina-bert-v3", "gemma-embedding", "llama-embed"),
        *("t5", "t5encoder", "clip", "wavtokenizer-dec", "dream", "llada", "llada-moe"),
    }
)
"""Architectures of llama.cpp that do not write text from left to right."""


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """The part of a GGUF header that decides whether and how the file can be used."""

    architecture: str
    """llama.cpp's name, e.g. "gemma3"."""
    kind: str
    """"model", "adapter", "mmproj" ..."""
    name: str
    chat_template: str | None
    """Present in instruction-tuned models; a base model has none."""
    pooling: int
    """Above 0 for embedding and re-ranking models."""
    adapter_type: str


def read_header(path: Path) -> GgufHeader:
    """Read the header of `path`.

    Raises:
        ModelError: There is no such file, it is not GGUF, or its header or its end is damaged.
    """
    if not path.is_file():
        msg = (
            f"There is no model file at {path}. Run 'kefu models prepare', or correct generation.model.path."
        )
        raise ModelError(msg)
    if path.stat().st_size < 24:
        raise _damaged(path, "it is shorter than a header")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != b"GGUF":
            msg = f"{path} is not a GGUF file: it begins with {data[:4]!r}. Convert the model with llama.cpp's convert_hf_to_gguf.py, or name another file."
            raise ModelError(msg)
        try:
            return _parse(_Cursor(data), path)
        except (struct.error, UnicodeDecodeError, KeyError, RecursionError) as error:
            raise _damaged(path, f"its header cannot be read ({type(error).__name__})") from error


def require_generator(path: Path) -> GgufHeader:
    """The header of a model that writes text.

    Raises:
        ModelError: As `read_header`; also when the file is an adapter, an encoder or a part of a model.
    """
    header = read_header(path)
    if header.kind != "model":
        msg = f"{path} holds a '{header.kind}', not a whole model. Name the base model in generation.model.path; an adapter belongs in generation.model.adapter."
        raise ModelError(msg)
    if header.architecture in _ENCODERS or header.pooling > 0:
        msg = f"{path} is a '{header.architecture}' encoder, which cannot write text. Name a generating model in generation.model.path."
        raise ModelError(msg)
    return header


def require_adapter(path: Path, base: GgufHeader) -> GgufHeader:
    """The header of a LoRA adapter made for `base`.

    Raises:
        ModelError: As `read_header`; also when the file is no LoRA adapter or belongs to another architecture.
    """
    header = read_header(path)
    if header.kind != "adapter" or header.adapter_type != "lora":
        msg = f"{path} is not a LoRA adapter: it holds a '{header.kind}'. Name an adapter file in generation.model.adapter, or leave it out."
        raise ModelError(msg)
    if header.architecture != base.architecture:
        msg = f"The adapter {path} was made for '{header.architecture}', but the model is '{base.architecture}'. Train the adapter on this model, or name its own base."
        raise ModelError(msg)
    return header


class _Cursor:
    """Reads little-endian values from left to right."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 4

    def scalar(self, code: str) -> Any:
        layout = f"<{code}"
        (value,) = struct.unpack_from(layout, self.data, self.at)
        self.at += struct.calcsize(layout)
        return value

    def skip(self, count: int) -> None:
        self.at += count
        if self.at > len(self.data):
            msg = "past the end"
            raise struct.error(msg)

    def string(self) -> str:
        start = self.at + 8
        self.skip(8 + self.scalar_at("Q"))
        return self.data[start : self.at].decode("utf-8")

    def scalar_at(self, code: str) -> int:
        """An integer at the cursor, which stays where it is."""
        value: int = struct.unpack_from(f"<{code}", self.data, self.at)[0]
        return value

    def value(self, kind: int) -> Any:
        """A value; None for an array, which is only passed over."""
        if kind == _STRING:
            return self.string()
        if kind != _ARRAY:
            return self.scalar(_SCALARS[kind])
        inner, count = self.scalar("I"), self.scalar("Q")
        if inner in _SCALARS:
            self.skip(struct.calcsize(f"<{_SCALARS[inner]}") * count)
        else:
            for _ in range(min(count, len(self.data))):
                self.skip(8 + self.scalar_at("Q")) if inner == _STRING else self.value(inner)
        return None


def _parse(cursor: _Cursor, path: Path) -> GgufHeader:
    version = cursor.scalar("I")
    if version not in (2, 3):
        raise _damaged(path, f"its version is {version}, known are 2 and 3")
    tensors, keys = cursor.scalar("Q"), cursor.scalar("Q")
    if max(tensors, keys) > _MOST_ENTRIES:
        raise _damaged(path, "its header counts are out of range")
    values: dict[str, Any] = {}
    for _ in range(keys):
        key = cursor.string()
        values[key] = cursor.value(cursor.scalar("I"))
    last = 0
    for _ in range(tensors):
        cursor.string()
        cursor.skip(8 * cursor.scalar("I") + 4)
        last = max(last, cursor.scalar("Q"))
    align = int(values.get("general.alignment") or _ALIGNMENT) or _ALIGNMENT
    start = (cursor.at + align - 1) // align * align
    if tensors and start + last >= len(cursor.data):
        raise _damaged(path, f"it ends after {len(cursor.data)} bytes, before its last tensor")
    architecture = str(values.get("general.architecture", ""))
    template = values.get("tokenizer.chat_template")
    return GgufHeader(
        architecture=architecture,
        kind=str(values.get("general.type") or "model"),
        name=str(values.get("general.name") or path.stem),
        chat_template=template if isinstance(template, str) else None,
        pooling=int(values.get(f"{architecture}.pooling_type") or 0),
        adapter_type=str(values.get("adapter.type") or ""),
    )


def _damaged(path: Path, why: str) -> ModelError:
    return ModelError(
        f"The model file {path} is damaged: {why}. Copy it again, or run 'kefu models prepare' for the default model."
    )
