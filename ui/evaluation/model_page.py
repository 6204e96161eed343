"""A trained model's report as one HTML page: learning curve, figures before and after, texts side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ui.evaluation.page import BOTTOM, HEIGHT, LEFT, PLOT, RIGHT, TOP, WIDTH, shown, tables, template


@dataclass(frozen=True, slots=True)
class Curve:
    """A figure by epoch, in the coordinates of its picture."""

    name: str
    points: str
    """"x,y x,y ..." for an SVG polyline."""
    marks: tuple[tuple[float, float, str], ...]
    """Place and words of each point."""
    lowest: str
    highest: str
    begins: str
    ends: int


def render_model(task: str, name: str, metrics: Mapping[str, Any]) -> str:
    """The page of a model.

    Args:
        task: What it is for.
        name: Its own.
        metrics: As its metrics.json has them.
    """
    measure = metrics["measure"]
    epochs = metrics.get("epochs", [])
    held_out = [(row["epoch"], row["held_out"]) for row in epochs]
    start = metrics.get("held_out_before", metrics[f"{measure}_before"])
    lines = [
        _curve("Loss", [(row["epoch"], row["loss"]) for row in epochs], "{:.3f}"),
        _curve("What is held out for choosing the epoch", [(0, start), *held_out], "{:.1%}"),
    ]
    before, after = metrics.get("test_before", {}), metrics.get("test", {})
    return template("model.html").render(
        task=task,
        name=name,
        seconds=metrics.get("seconds"),
        measure=measure.replace("_", " "),
        before=metrics[f"{measure}_before"],
        after=metrics[measure],
        lines=[line for line in lines if line],
        figures=[
            (figure, before.get(figure), now)
            for figure, now in after.items()
            if not isinstance(now, Mapping | list) and (now, before.get(figure)) != (None, None)
        ],
        changed=metrics.get("changed", []),
        tables={
            **{f"{title} (after)": table for title, table in tables(after).items()},
            **tables({"settings": metrics.get("run", {}), "data": metrics.get("data", {})}),
        },
        shown=shown,
        plot=PLOT,
    )


def _curve(name: str, values: Sequence[tuple[int, float]], form: str) -> Curve | None:
    if len(values) < 2:
        return None
    numbers = [value for _, value in values]
    low, high = min(numbers), max(numbers)
    first, last = values[0][0], values[-1][0]
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    marks = tuple(
        (
            round(LEFT + width * (epoch - first) / (last - first), 1),
            round(TOP + height * (1 - (value - low) / ((high - low) or 1.0)), 1),
            f"epoch {epoch}: {form.format(value)}" if epoch else f"before: {form.format(value)}",
        )
        for epoch, value in values
    )
    points = " ".join(f"{x},{y}" for x, y, _ in marks)
    begins = f"epoch {first}" if first else "before"
    return Curve(name, points, marks, form.format(low), form.format(high), begins, last)
