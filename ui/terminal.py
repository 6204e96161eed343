"""What commands say: results on stdout, talk and progress bars on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Report: TypeAlias = Callable[[str, float], None]
"""Called with what is being done and how much of it is done, 0..1."""

talk = Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())
"""In a file or a pipe a sentence stays on its line, so that it can be searched for."""
out = Console(highlight=False, soft_wrap=True)


@contextmanager
def progress_bars() -> Iterator[Report]:
    """One bar for each thing that is reported, with elapsed and remaining time; plain lines without a terminal."""
    if not talk.is_terminal:
        yield _plain_lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=talk, transient=False) as bars:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: float) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=1.0)
            bars.update(tasks[what], completed=done)

        yield report


def _plain_lines() -> Report:
    seen: dict[str, int] = {}

    def report(what: str, done: float) -> None:
        quarter = int(done * 4)
        if seen.get(what, -1) < quarter:
            seen[what] = quarter
            talk.print(f"{what}: {done:.0%}")

    return report


def print_json(value: Any) -> None:
    """One JSON value on stdout, for programs."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")
