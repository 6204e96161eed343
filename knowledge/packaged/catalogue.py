"""The models that come as packages: prepare them once into the cache, list them, verify them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from filelock import FileLock

from knowledge.errors import ModelError
from knowledge.packaged import e5, gemma, parity
from knowledge.packaged.manifest import Finding, State, being_built, check, quick_state

Progress: TypeAlias = Callable[[str, float], None]
"""Hears (step, done 0..1); steps read "multilingual-e5-small: writing weights"."""

ENCODER = "multilingual-e5-small"
DIALOGUE = "gemma-3-270m"


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model the project knows how to prepare."""

    name: str
    purpose: str
    licence: str
    build: Callable[[Path, Progress], None]
    """Fills an empty folder."""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One line of `kefu models list`."""

    name: str
    purpose: str
    licence: str
    size: int
    """Bytes on disk; 0 while missing."""
    path: Path
    """The folder; for the dialogue model the GGUF file in it."""
    state: State


def prepare(cache: Path, *, progress: Progress) -> None:
    """Make every packaged model ready in `cache`; what is whole already is only checked.

    A model is built in a hidden folder beside its place and renamed into it, so that an interruption at any
    moment leaves either the whole model or none; running again goes on with the first one that lacks.

    Raises:
        ModelError: A package is missing or damaged, the conversion is not faithful, or the disk refused.
    """
    prepare_models(MODELS, cache, progress=progress)


def verify(cache: Path) -> list[Finding]:
    """Compare every byte of every model with its manifest; empty when all is well."""
    return [finding for model in MODELS for finding in check(model.name, cache / model.name)]


def listing(cache: Path) -> list[ModelEntry]:
    """What there is and in which state, by names and sizes (`verify` reads the bytes)."""
    entries = []
    for model in MODELS:
        folder = cache / model.name
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        path = folder / gemma.FILE if model.name == DIALOGUE else folder
        entries.append(ModelEntry(model.name, model.purpose, model.licence, size, path, quick_state(folder)))
    return entries


def require(cache: Path, name: str) -> Path:
    """The folder of a prepared model, ready to load.

    Raises:
        ModelError: It is missing or damaged.
    """
    folder = cache / name
    state = quick_state(folder)
    if state != "prepared":
        raise ModelError(
            f"The model {name} is {'not prepared' if state == 'missing' else 'damaged'} (looked in {folder}). "
            "Run 'kefu models prepare'."
        )
    return folder


def prepare_models(models: Sequence[PackagedModel], cache: Path, *, progress: Progress) -> None:
    """`prepare` for any list of models."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / ".prepare.lock"):
            for model in models:
                _prepare_one(model, cache / model.name, progress)
    except OSError as error:
        raise ModelError(
            f"The models could not be written to {cache} ({error.strerror or error}). "
            "Free some space (1 GB) or make the folder writable, then run 'kefu models prepare' again."
        ) from error


def _prepare_one(model: PackagedModel, place: Path, progress: Progress) -> None:
    def step(name: str, fraction: float) -> None:
        progress(f"{model.name}: {name}", fraction)

    if quick_state(place) == "prepared" and not check(
        model.name, place, on_fraction=lambda done: step("checking", done)
    ):
        return
    with being_built(place) as folder:
        model.build(folder, step)
        step("storing", 0.0)
    step("storing", 1.0)


def _build_encoder(folder: Path, progress: Progress) -> None:
    e5.convert(e5.packaged_file(), folder, progress=progress)
    parity.demand_parity(parity.compare(folder, parity.packaged_engine(), progress=progress))


def _build_dialogue(folder: Path, progress: Progress) -> None:
    gemma.assemble(gemma.packaged_parts(), folder, progress=progress)
    for notice in gemma.packaged_notices():
        shutil.copyfile(notice, folder / notice.name)


MODELS = (
    PackagedModel(ENCODER, "finds what the company knows (retrieval, intents)", "MIT", _build_encoder),
    PackagedModel(
        DIALOGUE, "composes answers from passages (dialogue)", "Gemma terms of use", _build_dialogue
    ),
)
