"""kefu bench: speed on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import platformdirs
import typer
from rich.table import Table

from ui.terminal import out, print_json, progress_bars

app = typer.Typer(
    no_args_is_help=True, help="Speed on this machine, with its description; run it when nothing else runs."
)


@app.command()
def serve(
    *,
    faqs: Annotated[int, typer.Option(min=10, max=10_000, help="Entries in the index.")] = 10_000,
    turns: Annotated[int, typer.Option(min=32, help="Turns of the 16 visitors together.")] = 1_600,
    folder: Annotated[
        Path | None, typer.Option(help="Where the trial project is kept; default: the user's cache.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Start a real server on 10,000 FAQs and measure turns, streams, memory and start."""
    from ui.bench.serve import bench_serve

    place = folder or Path(platformdirs.user_cache_dir("kefu")) / f"speed-{faqs}"
    with progress_bars() as report:
        figures = bench_serve(place, faqs=faqs, turns=turns, progress=report)
    _print(figures, as_json=as_json)


@app.command()
def window(
    url: Annotated[
        str, typer.Argument(help="A page that shows the chat window, e.g. the sample site of 'kefu demo'.")
    ] = "http://127.0.0.1:8080/site/en.html",
    *,
    opens: Annotated[int, typer.Option(min=1, max=100, help="How often the window is opened.")] = 9,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Open the chat window of a running server in Chromium and measure how soon it is painted."""
    from ui.bench.window import bench_window

    with progress_bars() as report:
        figures = bench_window(url, opens=opens, progress=report)
    _print(figures, as_json=as_json)


@app.command()
def train(
    *,
    texts: Annotated[int, typer.Option(min=32, help="Texts to learn from.")] = 240,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over them.")] = 3,
    rounds: Annotated[int, typer.Option(min=1, help="How often each way learns.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fine-tune the encoder beside a bare PyTorch loop and transformers' Trainer: texts a second, and memory."""
    from chatbot.settings import load_settings
    from ui.bench.train import bench_train

    settings = load_settings()
    base = settings.knowledge.encoder.weights(cache=settings.project.models_cache)
    with progress_bars() as report:
        figures = bench_train(base, texts=texts, epochs=epochs, rounds=rounds, progress=report)
    _print(figures, as_json=as_json)


def _print(figures: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(figures)
        return
    table = Table("figure", "value", box=None)
    for name, value in figures.items():
        table.add_row(name, str(value))
    out.print(table)
