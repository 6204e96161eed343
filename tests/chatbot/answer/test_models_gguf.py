import struct
from pathlib import Path
from typing import Any

import pytest

from chatbot.answer.models.gguf import read_header, require_adapter, require_generator
from knowledge.errors import ModelError


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def value(held: Any) -> bytes:
    if isinstance(held, str):
        return struct.pack("<I", 8) + text(held)
    if isinstance(held, int):
        return struct.pack("<II", 4, held)
    if held and isinstance(held[0], str):
        return struct.pack("<IIQ", 9, 8, len(held)) + b"".join(text(item) for item in held)
    return struct.pack("<IIQ", 9, 5, len(held)) + struct.pack(f"<{len(held)}i", *held)


def gguf(path: Path, *, tensors: int = 1, data: int = 64, version: int = 3, **keys: Any) -> Path:
    named = {"general.architecture": "gemma3", **{key.replace("__", "."): held for key, held in keys.items()}}
    head = struct.pack("<4sIQQ", b"GGUF", version, tensors, len(named))
    head += b"".join(text(key) + value(held) for key, held in named.items())
    head += b"".join(text(f"t{i}") + struct.pack("<IQQIQ", 2, 2, 2, 0, 32 * i) for i in range(tensors))
    path.write_bytes(head + bytes(-len(head) % 32) + bytes(data))
    return path


def test_the_header_tells_what_the_file_is(tmp_path: Path) -> None:
    path = gguf(
        tmp_path / "m.gguf",
        general__name="Gemma",
        tokenizer__ggml__tokens=["a", "b"],
        tokenizer__ggml__types=[1, 2],
        tokenizer__chat_template="{{x}}",
    )

    header = require_generator(path)

    assert (header.architecture, header.kind, header.name) == ("gemma3", "model", "Gemma")
    assert header.chat_template == "{{x}}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "shorter than a header"),
        (b"PK\x03\x04" + bytes(40), "not a GGUF file"),
        (struct.pack("<4sIQQ", b"GGUF", 99, 0, 0), "version is 99"),
        (struct.pack("<4sIQQ", b"GGUF", 3, 2**60, 2**60), "out of range"),
        (struct.pack("<4sIQQ", b"GGUF", 3, 0, 5) + bytes(8), "cannot be read"),
        (struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + text("k") + struct.pack("<I", 77), "cannot be read"),
        (struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + struct.pack("<Q", 2**62) + b"x", "cannot be read"),
        (
            struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 8, 2**62),
            "cannot be read",
        ),
    ],
)
def test_a_damaged_file_is_named_in_two_sentences(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)

    with pytest.raises(ModelError, match=words) as error:
        read_header(path)
    assert str(path) in str(error.value)
    assert str(error.value).count(". ") >= 1


def test_a_file_that_ends_early_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="before its last tensor"):
        read_header(gguf(tmp_path / "m.gguf", tensors=3, data=64))


def test_a_missing_file_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="kefu models prepare"):
        require_generator(tmp_path / "none.gguf")


@pytest.mark.parametrize(
    "keys",
    [
        {"general__architecture": "bert"},
        {"general__architecture": "nomic-bert"},
        {"gemma3__pooling_type": 3},
        {"general__type": "adapter"},
        {"general__type": "mmproj"},
    ],
)
def test_what_cannot_write_text_is_refused(tmp_path: Path, keys: dict[str, Any]) -> None:
    path = gguf(tmp_path / "m.gguf", **keys)

    with pytest.raises(ModelError, match=r"generation\.model\.path"):
        require_generator(path)


def test_an_adapter_must_be_one_and_belong_to_the_model(tmp_path: Path) -> None:
    base = read_header(gguf(tmp_path / "base.gguf"))
    fits = gguf(tmp_path / "a.gguf", general__type="adapter", adapter__type="lora")
    other = gguf(
        tmp_path / "b.gguf", general__architecture="llama", general__type="adapter", adapter__type="lora"
    )

    assert require_adapter(fits, base).adapter_type == "lora"
    with pytest.raises(ModelError, match="made for 'llama'"):
        require_adapter(other, base)
    with pytest.raises(ModelError, match="not a LoRA adapter"):
        require_adapter(tmp_path / "base.gguf", base)
