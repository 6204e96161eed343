"""What a task learns from and is judged by: three parts of which none knows another.

`[data]` of a run.toml names the files. What is not named is held out of the training file, and a training example
that stands in the validation or test part too is left out: figures would be too good with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from chatbot.evaluate.files import read_columns
from finetune.learning import Table
from knowledge.errors import SettingsError
from knowledge.packaged.manifest import sha256_of

Item = TypeVar("Item")
Rows = npt.NDArray[np.int64]

_HELD_OUT = 0.1
_FEWEST = 3
"""Examples from which a class gives one away."""


class DataTable(Table):
    """[data]: files; relative ones start at the folder of the run.toml, or at --data."""

    train: Path | None = None
    valid: Path | None = None
    """A tenth of the training file where there is none."""
    test: Path | None = None
    """Likewise."""


@dataclass(frozen=True, slots=True)
class Example:
    """A text and its class."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Split(Generic[Item]):
    """The three parts."""

    learn: tuple[Item, ...]
    valid: tuple[Item, ...]
    """Judged after each epoch."""
    test: tuple[Item, ...]
    """Judged before and after."""
    data: Mapping[str, Any]
    """File, examples and SHA-256 of each part."""

    @property
    def counts(self) -> dict[str, int]:
        """How many examples each part has."""
        return {"learn": len(self.learn), "valid": len(self.valid), "test": len(self.test)}


def read_split(
    data: DataTable,
    read: Callable[[Path], Sequence[Item]],
    *,
    root: Path,
    text: Callable[[Item], str],
    label: Callable[[Item], str],
    seed: int,
) -> Split[Item]:
    """Read the files of [data].

    Args:
        data: Names them.
        read: Reads one.
        root: What relative names start at.
        text: Of an example; the same text is never in two parts.
        label: Of an example; each class gives its share where something is held out.
        seed: Of what is held out.

    Raises:
        SettingsError: No training file is named.
        KnowledgeError: A file is missing or wrong.
    """
    if data.train is None:
        raise SettingsError(
            'The run names no training file. Write train = "file" below [data] in the run.toml.'
        )
    parts = {"train": data.train, "valid": data.valid, "test": data.test}
    found = {part: read(root / path) for part, path in parts.items() if path}
    about = {
        part: {"file": path.name, "examples": len(found[part]), "sha256": sha256_of(root / path)}
        for part, path in parts.items()
        if path
    }
    return split(
        found["train"],
        valid=found.get("valid"),
        test=found.get("test"),
        data=about,
        text=text,
        label=label,
        seed=seed,
    )


def split(
    every: Sequence[Item],
    *,
    valid: Sequence[Item] | None = None,
    test: Sequence[Item] | None = None,
    data: Mapping[str, Any],
    text: Callable[[Item], str],
    label: Callable[[Item], str],
    seed: int,
) -> Split[Item]:
    """Hold out what is missing, and take from the training part what stands in another."""
    learn = list(every)
    if test is None:
        learn, test = _hold_out(learn, label, seed=seed)
    if valid is None:
        learn, valid = _hold_out(learn, label, seed=seed + 1)
    judged = {plain(text(item)) for item in (*valid, *test)}
    kept = [item for item in learn if plain(text(item)) not in judged]
    about = {**data, "left_out_because_judged": len(learn) - len(kept)}
    return Split(tuple(kept), tuple(valid), tuple(test), about)


def read_examples(label: str) -> Callable[[Path], list[Example]]:
    """Reads a CSV file of the columns `text` and `label`."""

    def read(path: Path) -> list[Example]:
        return [Example(row["text"], row[label]) for row in read_columns(path, "text", label)]

    return read


def _hold_out(
    items: Sequence[Item], label: Callable[[Item], str], *, seed: int
) -> tuple[list[Item], list[Item]]:
    """Those kept and a tenth of each class, at least one where it has three."""
    rng = np.random.default_rng(seed)
    owners = np.array([label(item) for item in items])
    out: set[int] = set()
    for name in np.unique(owners):
        members = rng.permutation(np.flatnonzero(owners == name))
        count = max(1, round(len(members) * _HELD_OUT)) if len(members) >= _FEWEST else 0
        out |= set(members[:count].tolist())
    return (
        [item for place, item in enumerate(items) if place not in out],
        [items[place] for place in sorted(out)],
    )


def plain(text: str) -> str:
    """The text as it is compared with others: small letters, single spaces."""
    return " ".join(text.casefold().split())
