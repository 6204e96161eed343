"""kefu eval: how good each part is, on files with known results; every figure can be measured again."""

from __future__ import annotations

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="Measure quality on files with known results; offline, with a seed, as JSON or a table.",
)


@app.callback()
def _root() -> None:
    """Keeps `eval` a group whatever the number of tasks."""
