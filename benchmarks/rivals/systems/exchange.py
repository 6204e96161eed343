"""How a rival is asked and what it prints: a file of tasks in, one JSON object on stdout.

A rival gives back what it found, never figures: all are judged by the same function, in `judge.py`. This file
and its neighbours run in the rivals' environment, so they import nothing of Kefu.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

QUERY = "query: "
PASSAGE = "passage: "
"""What texts of the E5 family begin with; without them every rival over the encoder is worse."""

Search: TypeAlias = Callable[[str], Sequence[str]]
"""Ids, best first."""
Classify: TypeAlias = Callable[[Sequence[str]], tuple[Sequence[str], Sequence[float]]]
"""The intent of each text, and how sure it is."""


@dataclass(frozen=True, slots=True)
class SearchTask:
    """What is searched, and with what."""

    encoder: str
    ids: list[str]
    texts: list[str]
    queries: list[str]
    depth: int


@dataclass(frozen=True, slots=True)
class IntentTask:
    """What is learned, and what is asked then."""

    encoder: str
    texts: list[str]
    intents: list[str]
    queries: list[str]
    seed: int
    steps: int


def answer_searches(build: Callable[[SearchTask], Search], packages: Sequence[str]) -> None:
    """Build each index, ask its questions one by one, print ids and times: a list, one for each task."""
    said = []
    with contextlib.redirect_stdout(sys.stderr):  # libraries talk on stdout
        for given in _tasks():
            task = SearchTask(**given)
            search = build(task)
            search(task.queries[0])  # the first search loads what is loaded late
            found, times = [], []
            for query in task.queries:
                start = time.perf_counter()
                found.append(list(search(query)))
                times.append(1000 * (time.perf_counter() - start))
            said.append({"ids": found, "ms": times})
    _print(said, packages)


def answer_intents(fit: Callable[[IntentTask], Classify], packages: Sequence[str]) -> None:
    """Learn, name the intent of every text, time up to a hundred of them alone; print all three for each task."""
    said = []
    with contextlib.redirect_stdout(sys.stderr):
        for given in _tasks():
            task = IntentTask(**given)
            start = time.perf_counter()
            classify = fit(task)
            learned = time.perf_counter() - start
            intents, sure = classify(task.queries)
            times = []
            for text in task.queries[:: max(1, len(task.queries) // 100)][:100]:
                start = time.perf_counter()
                classify([text])
                times.append(1000 * (time.perf_counter() - start))
            said.append(
                {
                    "intents": [str(name) for name in intents],
                    "sure": [float(value) for value in sure],
                    "ms": times,
                    "train_seconds": learned,
                }
            )
    _print(said, packages)


def _tasks() -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    return tasks


def _print(answers: Sequence[dict[str, Any]], packages: Sequence[str]) -> None:
    versions = {name: version(name) for name in packages}
    sys.stdout.write(json.dumps({"answers": answers, "versions": versions}, ensure_ascii=False) + "\n")
