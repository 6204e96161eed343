"""A suite file: which tasks of `kefu eval` to run, with which options.

    [[run]]
    name = "stackfaq"
    task = "faq"
    faq = "faq/stackfaq_en/faq.csv"
    queries = "faq/stackfaq_en/queries.csv"
    method = "hybrid"

Every key beside name and task is an option of the task. A text with a dot in it is a file, and starts at the
root; other texts are left as they are.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knowledge.errors import KefuError


class SuiteError(KefuError):
    """The suite file cannot be read, or a run in it is wrong."""


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """One measurement."""

    name: str
    task: str
    options: Mapping[str, str | int | float | bool]

    @property
    def command(self) -> str:
        """What a person would type."""
        return " ".join(["kefu eval", self.task, *arguments(self)])


def read_suite(path: Path, *, root: Path, only: Collection[str] = ()) -> list[SuiteRun]:
    """The runs of a suite file, in order.

    Args:
        path: The file.
        root: What relative paths in it start at.
        only: Names to keep; empty keeps all.

    Raises:
        SuiteError: Not TOML, no runs, a run without name or task, a name twice, or an unknown one in `only`.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SuiteError(f"{path} cannot be read: {error}. Write a TOML file with [[run]] tables.") from error
    tables = document.get("run")
    if not isinstance(tables, list) or not tables:
        raise SuiteError(f"{path} has no [[run]]. Add one with name, task and the task's options.")
    runs = [_run(table, number, path, root) for number, table in enumerate(tables, 1)]
    names = [run.name for run in runs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SuiteError(f"{path} has two runs named '{twice[0]}'. Give each its own name.")
    if unknown := sorted(set(only) - set(names)):
        raise SuiteError(f"{path} has no run '{unknown[0]}'. It has: {', '.join(names)}.")
    return [run for run in runs if not only or run.name in only]


def arguments(run: SuiteRun) -> list[str]:
    """The options as they stand on a command line."""
    given: list[str] = []
    for key, value in run.options.items():
        flag = f"--{key.replace('_', '-')}"
        if value is True:
            given.append(flag)
        elif value is not False:
            given += [flag, str(value)]
    return given


def _run(table: Any, number: int, path: Path, root: Path) -> SuiteRun:
    if not isinstance(table, dict) or not all(
        isinstance(table.get(key), str) and table[key] for key in ("name", "task")
    ):
        raise SuiteError(f"{path}: run {number} has no name or no task. Give it both, as texts.")
    options = {}
    for key, value in table.items():
        if key in ("name", "task"):
            continue
        if not isinstance(value, str | int | float | bool):
            raise SuiteError(
                f"{path}: '{key}' of run '{table['name']}' is a {type(value).__name__}. Write a text, a number, true or false."
            )
        options[key] = str(root / value) if isinstance(value, str) and "." in value else value
    return SuiteRun(table["name"], table["task"], options)
