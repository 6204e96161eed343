"""The report as one HTML page: figures, changes and plots, nothing fetched from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

WIDTH, HEIGHT = 420, 240
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 12, 36
PLOT = {"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM}
LABELS = 210
BAR = 22
_BESIDE = ("task", "n", "seed", "seconds", "error")


@dataclass(frozen=True, slots=True)
class Line:
    """A risk-coverage curve in the coordinates of its picture."""

    name: str
    points: str
    """"x,y x,y ..." for an SVG polyline."""
    target_y: float | None
    """Where the promised risk lies."""
    highest: float
    """The risk at the upper edge."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A horizontal bar with its label; from 0 to `length`, and on to `longest` in a lighter tone."""

    label: str
    length: float
    longest: float
    text: str


def render(report: Mapping[str, Any], *, commands: Mapping[str, str]) -> str:
    """The page of a report as `kefu eval all` writes it."""
    runs = report["runs"]
    return template("page.html").render(
        suite=report["suite"],
        runs=runs,
        changes=[change for change in report["changes"] if change["fell"] or change["rose"]],
        compared=bool(report["changes"]),
        commands=commands,
        single=single_figures,
        tables=tables,
        shown=shown,
        lines=[line for name, figures in runs.items() if (line := risk_curve(name, figures))],
        latencies=latency_bars(runs),
        confusions={
            name: confusion_bars(figures["most_confused"])
            for name, figures in runs.items()
            if figures.get("most_confused")
        },
        plot=PLOT,
        bars={"labels": LABELS, "step": BAR},
    )


def single_figures(figures: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in the summary line of a run."""
    return {
        name: value
        for name, value in figures.items()
        if name not in _BESIDE and not isinstance(value, Mapping | list)
    }


def tables(figures: Mapping[str, Any]) -> dict[str, tuple[list[str], list[list[str]]]]:
    """Tables among the figures: header and rows of each; curves are drawn instead."""
    found = {}
    for name, value in figures.items():
        if not isinstance(value, Mapping) or name in ("curve", "most_confused"):
            continue
        inner = [row for row in value.values() if isinstance(row, Mapping)]
        columns = list(dict.fromkeys(key for row in inner for key in row)) or ["value"]
        rows = [
            [str(key), *(shown(row.get(c) if isinstance(row, Mapping) else row) for c in columns)]
            for key, row in value.items()
        ]
        found[name] = (columns, rows)
    return found


def risk_curve(name: str, figures: Mapping[str, Any]) -> Line | None:
    """The risk among the surest answers, by how many of all questions are answered."""
    curve = figures.get("curve")
    if not isinstance(curve, Mapping) or not curve:
        return None
    values = [(float(coverage), float(point["risk"])) for coverage, point in curve.items()]
    target = figures.get("risk")
    highest = max([risk for _, risk in values] + [2 * (target or 0.0), 0.05])
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    points = " ".join(
        f"{LEFT + coverage * inner_width:.1f},{TOP + (1 - risk / highest) * inner_height:.1f}"
        for coverage, risk in values
    )
    target_y = TOP + (1 - target / highest) * inner_height if target else None
    return Line(name, points, target_y, highest)


def latency_bars(runs: Mapping[str, Mapping[str, Any]]) -> list[Bar]:
    """The median time of each run, and its 99th percentile in a lighter tone."""
    timed = []
    for name, figures in runs.items():
        for key in ("ms_p50", "ms_per_query", "search_ms_p50"):
            if isinstance(figures.get(key), int | float):
                timed.append((name, float(figures[key]), float(figures.get("ms_p99") or figures[key])))
                break
    longest = max((late for _, _, late in timed), default=1.0) or 1.0
    scale = WIDTH / longest
    return [
        Bar(
            name,
            middle * scale,
            late * scale,
            f"{middle:.1f} ms" + (f", 99 % within {late:.1f} ms" if late > middle else ""),
        )
        for name, middle, late in timed
    ]


def confusion_bars(confused: Mapping[str, int]) -> list[Bar]:
    """How often one was taken for another."""
    most = max(confused.values(), default=1)
    return [
        Bar(pair, WIDTH * count / most, WIDTH * count / most, str(count)) for pair, count in confused.items()
    ]


def shown(value: Any) -> str:
    """A figure as a person reads it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(shown, value))
    return str(value)


@cache
def template(name: str) -> Template:
    """One of the pages beside this file."""
    environment = Environment(
        loader=FileSystemLoader(str(files("ui") / "evaluation")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
