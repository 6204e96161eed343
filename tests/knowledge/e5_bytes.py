"""A small E5S1 file: two layers, 32 wide, a few dozen pieces."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

HIDDEN, LAYERS, HEADS, INNER, POSITIONS = 32, 2, 2, 64, 40
WORDS = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁query", "▁passage", ":", "▁refund", "▁order", "退货", "退", "货", "～", *"abcdefghijklmnopqrstuvwxyz0123456789", "<mask>"]  # fmt: skip
NORMALISATION = {"\t": " ", "\n": " ", "\x01": "", "\u200b": " ", "Ａ": "A", "㍿": "株式会社"}


def e5_bytes(*, version: int = 1, seed: int = 0) -> bytes:
    """The file; weights differ with the seed."""
    text = [word.encode() for word in WORDS]
    offsets = np.cumsum([0, *map(len, text)]).astype("<u4")
    scores = np.array([0.0] * 4 + [-float(3 + len(word) % 3) for word in WORDS[4:]], "<f4")
    head = b"E5S1" + struct.pack(
        "<I7ifi", version, HIDDEN, LAYERS, HEADS, INNER, len(WORDS), POSITIONS, 2, 1e-12, 32
    )
    head += struct.pack("<5iQ", len(WORDS), 0, 2, 1, 3, len(b"".join(text)))
    head += offsets.tobytes() + scores.tobytes() + b"".join(text)
    entries = b"".join(
        struct.pack(f"<IB{len(to)}I", ord(char), len(to), *map(ord, to)) for char, to in NORMALISATION.items()
    )
    head += struct.pack("<iI", len(NORMALISATION), len(entries)) + entries
    tensors = list(_tensors(np.random.default_rng(seed)))
    directory_size = 4 + sum(2 + len(name) + 1 + 4 + 8 + 8 for name, *_ in tensors)
    offset = len(head) + directory_size
    directory = struct.pack("<i", len(tensors))
    for name, dtype, elements, raw in tensors:
        directory += (
            struct.pack("<H", len(name))
            + name.encode()
            + struct.pack("<BIQQ", dtype, elements, offset, len(raw))
        )
        offset += len(raw)
    return head + directory + b"".join(raw for *_, raw in tensors)


def write_e5(path: Path, *, seed: int = 0) -> Path:
    path.write_bytes(e5_bytes(seed=seed))
    return path


def _tensors(rng: np.random.Generator) -> Iterator[tuple[str, int, int, bytes]]:
    def q4(name: str, rows: int, columns: int) -> tuple[str, int, int, bytes]:
        blocks = np.zeros(rows * columns // 32, np.dtype([("d", "<f2"), ("q", "u1", (16,))]))
        blocks["d"] = rng.uniform(0.01, 0.05, len(blocks))
        blocks["q"] = rng.integers(0, 256, (len(blocks), 16))
        return name, 1, rows * columns, blocks.tobytes()

    def f32(name: str, count: int, around: float) -> tuple[str, int, int, bytes]:
        return name, 0, count, (around + 0.1 * rng.standard_normal(count)).astype("<f4").tobytes()

    yield q4("emb.word", len(WORDS), HIDDEN)
    yield f32("emb.pos", POSITIONS * HIDDEN, 0)
    yield f32("emb.type", 2 * HIDDEN, 0)
    yield f32("emb.ln.w", HIDDEN, 1)
    yield f32("emb.ln.b", HIDDEN, 0)
    for layer in range(LAYERS):
        for short, rows, columns in [("q", 32, 32), ("k", 32, 32), ("v", 32, 32), ("ao", 32, 32), ("fi", 64, 32), ("fo", 32, 64)]:  # fmt: skip
            yield q4(f"l{layer}.{short}.w", rows, columns)
            yield f32(f"l{layer}.{short}.b", rows, 0)
        for short in ("aln", "oln"):
            yield f32(f"l{layer}.{short}.w", HIDDEN, 1)
            yield f32(f"l{layer}.{short}.b", HIDDEN, 0)
