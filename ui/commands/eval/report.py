"""What the commands of `kefu eval` share: their options, what they print, and the encoder they measure."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from rich.table import Table

from ui.terminal import Report, out, print_json, progress_bars, talk

if TYPE_CHECKING:
    from knowledge.types import Encoder

_DIGITS = 6

Seed: TypeAlias = Annotated[int, typer.Option(help="Equal seeds give equal figures.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
OutFile: TypeAlias = Annotated[
    Path | None, typer.Option("--out", "-o", help="Write the JSON here too.", dir_okay=False)
]


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement; `report` shows how far it is, on stderr."""

    task: str
    seed: int
    started: float
    as_json: bool
    out: Path | None
    report: Report

    def finish(self, figures: Mapping[str, Any]) -> None:
        """Print the figures, with task, seed and seconds, and write them where `--out` says."""
        whole = rounded(
            {"task": self.task, **figures, "seed": self.seed, "seconds": time.perf_counter() - self.started}
        )
        if self.out:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self.out.write_text(json.dumps(whole, ensure_ascii=False, indent=2) + "\n", "utf-8")
            talk.print(f"The figures are in {self.out}.")
        if self.as_json:
            print_json(whole)
        else:
            show(whole)


@contextmanager
def measuring(task: str, *, seed: int, as_json: bool, out: Path | None) -> Iterator[Run]:
    """Starts the clock and the progress bars; the command ends with `run.finish(figures)`."""
    with progress_bars() as report:
        yield Run(task, seed, time.perf_counter(), as_json, out, report)


def open_encoder() -> Encoder:
    """The project's encoder with the retriever in force; the bundled one without a project."""
    from chatbot.settings import load_settings

    settings = load_settings()
    return settings.encoder.open(cache=settings.project.models_cache, threads=settings.project.threads)


def rounded(value: Any) -> Any:
    """Floats to 6 digits, and null for what is no number (JSON has no NaN); containers all the way down."""
    if isinstance(value, Mapping):
        return {str(key): rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()  # a numpy number
    if isinstance(value, float):
        return round(value, _DIGITS) if math.isfinite(value) else None
    return value


def show(figures: Mapping[str, Any]) -> None:
    """A table of the single figures, then one for each table among them."""
    single = Table("figure", "value", box=None)
    for name, value in figures.items():
        if not isinstance(value, Mapping | list):
            single.add_row(name, _shown(value))
    out.print(single)
    for name, value in figures.items():
        if isinstance(value, Mapping) and value:
            out.print()
            out.print(_table(name, value))
        elif isinstance(value, list) and value:
            out.print()
            out.print(f"{name}: {', '.join(map(_shown, value))}")


def _table(name: str, rows: Mapping[str, Any]) -> Table:
    """Rows of figures with the same names side by side, or a name and a value in each row."""
    columns: Sequence[str] = list(
        dict.fromkeys(key for row in rows.values() if isinstance(row, Mapping) for key in row)
    )
    table = Table(name, *(columns or ["value"]), box=None)
    for key, row in rows.items():
        cells = [row.get(column) for column in columns] if isinstance(row, Mapping) else [row]
        table.add_row(key, *map(_shown, cells))
    return table


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
