"""What an index folder promises about itself, and how a new one takes the place of the old.

    index/CURRENT              the name of the folder that serves, one line
    index/12-3f9a0c41/         manifest.json, vectors.faiss, keys.npy, tokens.npz, vocabulary.txt
    index/13-77b1e02d.tmp/     being built; never read

FAISS loads damaged files without complaint (314 of 400 mutated files searched on with no error), so every
file's SHA-256 stands in the manifest, which is written last and checked before anything else is read.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import psutil

from knowledge.errors import IndexMismatchError

FORMAT = 1
"""Layout of the folder; an index of another layout is built anew."""
NAME = "manifest.json"
POINTER = "CURRENT"
REMEDY = "Run 'kefu index build'."


@dataclass(frozen=True, slots=True)
class Manifest:
    """The identity of an index."""

    format: int
    knowledge_version: int
    encoder: str
    """Fingerprint of the encoder that made the vectors."""
    dimension: int
    passages: int
    rows: int
    tokenizer: str
    kind: str
    """flat, hnsw or ivf."""
    description: str
    """The kind of index and why, in one line."""
    noise: float
    """Cosine of unrelated texts under this encoder."""
    digest: str
    """Of encoder, tokenizer and all texts: equal digests are equal indexes."""
    built_at: str
    """RFC 3339, UTC."""
    files: Mapping[str, str]
    """SHA-256 of each file, by name."""

    @property
    def name(self) -> str:
        """Name of the folder and of the version, e.g. "12-3f9a0c41"."""
        return f"{self.knowledge_version}-{self.digest[:8]}"


def current(folder: Path) -> Path | None:
    """The index folder that CURRENT points to; None before the first build.

    Raises:
        IndexMismatchError: CURRENT names something that is not there.
    """
    pointer = folder / POINTER
    if not pointer.is_file():
        return None
    name = pointer.read_text("utf-8", errors="replace").strip()
    if not name or Path(name).name != name or not (folder / name).is_dir():
        msg = f"{pointer} names '{name}', which is not an index folder. {REMEDY}"
        raise IndexMismatchError(msg)
    return folder / name


def read_manifest(index: Path) -> Manifest:
    """The manifest of an index folder.

    Raises:
        IndexMismatchError: Missing, damaged, or of another format.
    """
    path = index / NAME
    try:
        values = json.loads(path.read_text("utf-8"))
        if values["format"] != FORMAT:
            msg = f"{path} has format {values['format']}, but this version reads {FORMAT}. {REMEDY}"
            raise IndexMismatchError(msg)
        return Manifest(**{field.name: values[field.name] for field in fields(Manifest)})
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path} is missing or damaged ({type(error).__name__}). {REMEDY}"
        raise IndexMismatchError(msg) from error


def check_files(index: Path, manifest: Manifest) -> list[str]:
    """What is wrong with the files of an index, one sentence each; [] when all are as they were written."""
    findings = []
    for name, digest in manifest.files.items():
        path = index / name
        if not path.is_file():
            findings.append(f"{path} is missing.")
        elif sha256_of(path) != digest:
            findings.append(f"{path} is not as it was written: its SHA-256 differs from the manifest's.")
    return findings


def require(index: Path, *, encoder: str, dimension: int, tokenizer: str) -> Manifest:
    """The manifest of an index that is whole and was made by this encoder and tokenizer.

    Raises:
        IndexMismatchError: Names the file or the value that differs, and the command that repairs it.
    """
    manifest = read_manifest(index)
    if (manifest.encoder, manifest.dimension) != (encoder, dimension):
        msg = (
            f"The index {index} was built by encoder '{manifest.encoder}' ({manifest.dimension} wide), "
            f"but settings name '{encoder}' ({dimension} wide). {REMEDY}"
        )
        raise IndexMismatchError(msg)
    if manifest.tokenizer != tokenizer:
        msg = f"The index {index} has words of tokenizer {manifest.tokenizer}, not {tokenizer}. {REMEDY}"
        raise IndexMismatchError(msg)
    if findings := check_files(index, manifest):
        raise IndexMismatchError(f"{findings[0]} {REMEDY}")
    return manifest


@contextmanager
def new_folder(folder: Path, name: str) -> Iterator[Path]:
    """A folder to build in; thrown away unless the block ends well and calls `publish`."""
    building = folder / f"{name}.{os.getpid()}.tmp"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    try:
        yield building
    finally:
        shutil.rmtree(building, ignore_errors=True)


def publish(building: Path, manifest: Manifest) -> Path:
    """Make a built folder durable, give it its name, and let CURRENT point to it.

    The order is what makes a crash harmless: files, manifest, folder, rename, pointer; each is on disk before
    the next begins, and the pointer itself is replaced in one step.
    """
    folder = building.parent
    for name in manifest.files:
        _sync(building / name)
    _write(building / NAME, json.dumps(asdict(manifest), indent=1, ensure_ascii=False))
    _sync(building)
    final = _free_name(folder, manifest.name)
    building.rename(final)
    _sync(folder)
    previous = _pointed_to(folder)
    point_to(folder, final.name)
    _clean(folder, keep={final.name, previous})
    return final


def point_to(folder: Path, name: str) -> None:
    """Let CURRENT name an index folder, in one step."""
    draft = folder / f"{POINTER}.{os.getpid()}.tmp"
    _write(draft, name + "\n")
    draft.replace(folder / POINTER)
    _sync(folder)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pointed_to(folder: Path) -> str:
    try:
        found = current(folder)
    except IndexMismatchError:
        return ""
    return found.name if found else ""


def _free_name(folder: Path, name: str) -> Path:
    """The same version may be built again, say when the first was damaged: it never replaces in place."""
    candidates = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(folder / candidate for candidate in candidates if not (folder / candidate).exists())


def _clean(folder: Path, *, keep: set[str]) -> None:
    """Remove the index folders that neither serve nor served before, and what crashed builds left."""
    for path in list(folder.iterdir()):
        if path.is_dir() and path.name not in keep and _is_left_over(path):
            shutil.rmtree(path, ignore_errors=True)


def _is_left_over(path: Path) -> bool:
    if not path.name.endswith(".tmp"):
        return (path / NAME).is_file()
    process = path.name.removesuffix(".tmp").rpartition(".")[2]
    return not (process.isdecimal() and psutil.pid_exists(int(process)))


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
