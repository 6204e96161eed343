"""A prepared model is a folder whose `manifest.json`, written last, holds the SHA-256 of each of its files.

A folder is built beside its place and renamed into it, so a model is either whole or not there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

MANIFEST = "manifest.json"
State: TypeAlias = Literal["prepared", "missing", "damaged"]

_FORMAT = 1
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a prepared model."""

    model: str
    path: Path
    problem: str


def sha256_of(path: Path, on_bytes: Callable[[int], None] = lambda _: None) -> str:
    """Hexadecimal SHA-256 of a file; `on_bytes` hears how many bytes were read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            on_bytes(len(chunk))
    return digest.hexdigest()


def read_manifest(folder: Path) -> Mapping[str, Mapping[str, object]] | None:
    """File name -> its size and SHA-256; None where there is no manifest that can be read."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        return None
    files = content.get("files")
    if not isinstance(files, dict) or not all(isinstance(entry, dict) for entry in files.values()):
        return None
    return files or None


def quick_state(folder: Path) -> State:
    """What a look at names and sizes says; `check` reads every byte."""
    if not folder.exists():
        return "missing"
    files = read_manifest(folder)
    if files is None:
        return "damaged"
    whole = all(_size(folder / name) == entry.get("size") for name, entry in files.items())
    return "prepared" if whole else "damaged"


def check(
    model: str, folder: Path, *, on_fraction: Callable[[float], None] = lambda _: None
) -> list[Finding]:
    """Compare every file of a prepared model with its manifest, byte for byte."""
    if not folder.exists():
        return [Finding(model, folder, "it is not prepared")]
    files = read_manifest(folder)
    if files is None:
        return [Finding(model, folder / MANIFEST, "the manifest is missing or cannot be read")]
    total = sum(_size(folder / name) or 0 for name in files)
    read = 0

    def on_bytes(count: int) -> None:
        nonlocal read
        read += count
        on_fraction(read / max(total, 1))

    findings = []
    for name, entry in files.items():
        path = folder / name
        if not path.is_file():
            findings.append(Finding(model, path, "the file is missing"))
        elif sha256_of(path, on_bytes) != entry.get("sha256"):
            findings.append(Finding(model, path, "the content differs from the manifest"))
    return findings


@contextmanager
def being_built(place: Path) -> Iterator[Path]:
    """A fresh folder beside `place` that becomes `place` when the block ends well, and goes otherwise.

    The caller holds the cache's lock, so whatever an interrupted build left here is nobody's.
    """
    partial = place.with_name(f".{place.name}.partial")
    replaced = place.with_name(f".{place.name}.replaced")
    for leftover in (partial, replaced):
        shutil.rmtree(leftover, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        _seal(partial)
        if place.exists():
            place.rename(replaced)
        partial.rename(place)
        _sync(place.parent)
    finally:
        for leftover in (partial, replaced):
            shutil.rmtree(leftover, ignore_errors=True)


def _seal(folder: Path) -> None:
    """Write the manifest after everything it speaks of is on the disk."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {}
    for path in paths:
        _sync(path)
        files[path.relative_to(folder).as_posix()] = {
            "size": path.stat().st_size,
            "sha256": sha256_of(path),
        }
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps({"format": _FORMAT, "files": files}, indent=2) + "\n", encoding="utf-8")
    _sync(manifest)
    for path in (folder, *folder.rglob("*/")):
        _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
