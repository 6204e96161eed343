"""Fine-tuned models of a project, and which of them are in force.

A model is a folder `models/TASK/NAME` with its weights, its card and the SHA-256 of each file. `promoted.json`
points at the one in force for each task, with those before it; promote and rollback move that pointer and
nothing else.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatbot.chats import Asked, Chat, read_chats, remembered_in, titles_of
from knowledge.errors import ModelError
from knowledge.packaged.manifest import being_built, check
from knowledge.sources.intents import Intent
from knowledge.types import Entry

METRICS = "metrics.json"
HEAD = "head.safetensors"
"""What stands over the encoder."""
LABELS = "labels.json"
"""The names of what a head gives."""
HELD_OUT = "held_out.json"
"""The texts that a model was judged by, and did not learn from."""
CHATS = "chats.jsonl"
"""Chats that a retriever was judged by; it learned to read messages in others like them."""
REMEMBERED = "remembered.jsonl"
"""Those others, and what was added since: the index remembers them beside what answered them."""
_POINTER = "promoted.json"
_MUST_NOT_FALL = ("grounded_rate", "safe_rate")


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """One fine-tuned model."""

    task: str
    name: str
    folder: Path
    metrics: Mapping[str, Any]
    promoted: bool

    @property
    def measured(self) -> tuple[str, float, float]:
        """The figure that a model of its task is known by: its name, what it is, and what it was before training."""
        name = str(self.metrics.get("measure", "p_at_1"))
        after, before = (float(self.metrics.get(key, 0.0)) for key in (name, f"{name}_before"))
        return name, after, before

    @property
    def less_safe(self) -> Mapping[str, tuple[float, float]]:
        """Figures of replies in service that must not fall, and did: what each is, and what it was."""
        now, was = (self.metrics.get(part, {}) for part in ("test", "test_before"))
        both = {name: (now[name], was[name]) for name in _MUST_NOT_FALL if name in now and name in was}
        return {name: (after, before) for name, (after, before) in both.items() if after < before}


class Registry:
    """The fine-tuned models below one folder.

    Args:
        folder: `models` of a project; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pointer = folder / _POINTER

    def models(self) -> list[TrainedModel]:
        """All of them, by task and name."""
        found = sorted(self._folder.glob(f"*/*/{METRICS}"))
        return [self._described(path.parent) for path in found if not path.parent.name.startswith(".")]

    def model(self, task: str, name: str) -> TrainedModel:
        """One of them.

        Raises:
            ModelError: There is none of this name, or its files differ from their manifest.
        """
        folder = self._folder / task / name
        if not (folder / METRICS).is_file():
            known = ", ".join(model.name for model in self.models() if model.task == task) or "none yet"
            raise ModelError(
                f"There is no {task} model '{name}'. Known: {known}; 'kefu models list' shows all."
            )
        if problems := check(name, folder):
            raise ModelError(
                f"The model {folder} cannot be used: {problems[0].path.name}: {problems[0].problem}. Train it again."
            )
        return self._described(folder)

    def making(self, task: str, name: str) -> AbstractContextManager[Path]:
        """A folder to write a model into; it becomes the model when the block ends well.

        Raises:
            ModelError: The name is taken, or is no plain folder name.
        """
        if not name or Path(name).name != name or name.startswith("."):
            raise ModelError(f"'{name}' is no name for a model. Use letters, digits, dots and dashes.")
        if (self._folder / task / name).exists():
            raise ModelError(f"There already is a {task} model '{name}'. Choose another --name.")
        return being_built(self._folder / task / name)

    def promoted(self, task: str) -> Path | None:
        """Folder of the model in force; None where it is the one that came with the settings."""
        names = self._read().get(task, [])
        return self._folder / task / names[-1] if names else None

    def in_force(self) -> dict[str, str]:
        """Task -> name of what is promoted, whether or not it is still there."""
        return {task: names[-1] for task, names in self._read().items() if names}

    def promote(self, task: str, name: str) -> None:
        """Put a model in force.

        Raises:
            ModelError: It is missing or damaged.
        """
        self.model(task, name)
        pointer = self._read()
        names = pointer.get(task, [])
        if names[-1:] != [name]:
            self._write({**pointer, task: [*names, name]})

    def rollback(self, task: str) -> str:
        """Put what was in force before back; its name, "" for the model of the settings.

        Raises:
            ModelError: Nothing was promoted.
        """
        pointer = self._read()
        names = pointer.get(task, [])
        if not names:
            raise ModelError(f"No {task} model is promoted, so there is nothing to roll back.")
        self._write({**pointer, task: names[:-1]})
        return names[-2] if len(names) > 1 else ""

    def version(self) -> int:
        """Changes whenever a model is promoted or rolled back."""
        try:
            return self._pointer.stat().st_mtime_ns
        except OSError:
            return 0

    def _described(self, folder: Path) -> TrainedModel:
        task = folder.parent.name
        try:
            metrics = json.loads((folder / METRICS).read_text("utf-8"))
        except (OSError, ValueError):
            metrics = {}
        return TrainedModel(task, folder.name, folder, metrics, promoted=self.promoted(task) == folder)

    def _read(self) -> dict[str, list[str]]:
        try:
            content = json.loads(self._pointer.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._unreadable(str(error)) from error
        if not isinstance(content, dict) or not all(_names(names) for names in content.values()):
            raise self._unreadable("it is no table of names")
        return content

    def _write(self, pointer: Mapping[str, Sequence[str]]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        fresh = self._pointer.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(pointer, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._pointer)

    def _unreadable(self, why: str) -> ModelError:
        return ModelError(
            f"{self._pointer} cannot be read ({why}). Remove it to use the default models, then promote again."
        )


def prompt_of(adapter: Path | None) -> str:
    """The form of prompt that a dialogue model's adapter learned; "" where it was not trained here.

    Args:
        adapter: The adapter's file or folder, beside its metrics.
    """
    return _told_of(adapter, "prompt") if adapter else ""


def base_of(adapter: Path) -> str:
    """The language model that a dialogue model's adapter was trained for; "" where it does not say."""
    return _told_of(adapter, "base")


def _told_of(adapter: Path, key: str) -> str:
    try:
        metrics = json.loads(((adapter if adapter.is_dir() else adapter.parent) / METRICS).read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    return str(metrics.get(key, "")) if isinstance(metrics, dict) else ""


def unseen_by(retriever: Path | None) -> frozenset[str] | None:
    """Texts that were held out when a retriever was trained; None where it was not trained here.

    Thresholds are fitted on them alone: of the texts that it learned from it finds more than of a customer's.
    """
    if retriever is None or not (retriever / HELD_OUT).is_file():
        return None
    return frozenset(json.loads((retriever / HELD_OUT).read_text("utf-8")))


def asked_of(retriever: Path | None, entries: Iterable[Entry], intents: Iterable[Intent]) -> list[Asked]:
    """What was said in the chats that were held out when a retriever was trained; none where it reads no chats."""
    return _asked(retriever, CHATS, entries, intents)


def remembered_by(retriever: Path | None, entries: Iterable[Entry], intents: Iterable[Intent]) -> list[Asked]:
    """What was said in the chats that a retriever remembers; none where it reads no chats."""
    return _asked(retriever, REMEMBERED, entries, intents)


def _asked(
    retriever: Path | None, name: str, entries: Iterable[Entry], intents: Iterable[Intent]
) -> list[Asked]:
    if retriever is None or not (retriever / name).is_file():
        return []
    path = retriever / name
    written = path.stat().st_mtime_ns
    named = _chats(path, written)[1]
    titles = frozenset(one for one in titles_of(entries, intents).items() if one[0][0] in named)
    return list(_said_in(path, written, titles))


@functools.lru_cache(maxsize=2)
def _chats(path: Path, _written: int) -> tuple[tuple[Chat, ...], frozenset[str]]:
    """The chats of a file, and the answers that they name. Kept: several parts of a start want the same."""
    chats = tuple(read_chats(path))
    return chats, frozenset(name for chat in chats for line in chat.messages for name in line.answers or ())


@functools.lru_cache(maxsize=2)
def _said_in(path: Path, written: int, titles: frozenset[tuple[tuple[str, str], str]]) -> tuple[Asked, ...]:
    known = dict(titles)
    return tuple(asked for chat in _chats(path, written)[0] for asked in remembered_in(chat, known))


def _names(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(name, str) and Path(name).name == name for name in value
    )
