"""kefu train preference: the dialogue model learns from thumbs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ui.terminal import out, print_json, progress_bars, talk

if TYPE_CHECKING:
    from chatbot.registry import Registry
    from chatbot.settings import Settings
    from chatbot.types import Rating, Turn
    from finetune.thumbs import Thumb


def preference(
    *,
    config: Annotated[
        Path | None,
        typer.Option(help="A run.toml; finetune/runs/preference.toml is a sample with all defaults."),
    ] = None,
    thumbs: Annotated[
        Path | None,
        typer.Option(help="JSONL of rated replies.", show_default="the project's recorded turns"),
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="Dialogue model to go on from.", show_default="the one in force")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the new model.", show_default="date and time of now")
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="0: all cores.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Teach the dialogue model what customers liked: replies that it composed and that got a thumb, up or down.

    A fifth of the thumbs is held out and tells whether it helped; the exam of 'kefu train dialogue' tells what was
    forgotten, and 'kefu models promote dialogue NAME' refuses a model that became worse at it.
    """
    import torch

    from chatbot.registry import Registry
    from chatbot.settings import load_settings
    from finetune.conversations import SHIPPED, read_worlds
    from finetune.preference import PreferenceRun, train_preference
    from finetune.run import read_run
    from finetune.unpack import trainable

    settings = load_settings()
    run = read_run(config, PreferenceRun, sample="preference.toml")
    chosen = name or datetime.now().astimezone().strftime("p-%Y%m%d-%H%M%S")
    torch.set_num_threads(threads or torch.get_num_threads())
    registry = Registry(settings.models_folder)
    with progress_bars() as report:
        metrics = train_preference(
            _thumbs(thumbs, settings),
            read_worlds(run.data.train or SHIPPED),
            run,
            start=_start(registry, start),
            base=trainable(settings.generation.model, cache=settings.project.models_cache, progress=report),
            registry=registry,
            name=chosen,
            work=settings.models_folder / "runs",
            progress=report,
        )
    if as_json:
        print_json({"name": chosen, **metrics})
        return
    out.print(_table(metrics))
    talk.print(f"Put it in force with 'kefu models promote dialogue {chosen}'.")


def _thumbs(file: Path | None, settings: Settings) -> list[Thumb]:
    from chatbot.assemble import open_records
    from finetune.thumbs import read_thumbs, require_both, thumbs_of

    if file:
        found = read_thumbs(file)
    else:
        store = open_records(settings)

        def rated() -> Iterator[tuple[list[Turn], dict[str, Rating]]]:
            for _, group in groupby(store.turns(), key=lambda turn: turn.message.conversation_id):
                turns = list(group)
                yield turns, dict(store.ratings([turn.id for turn in turns]))

        found = [thumb for turns, ratings in rated() for thumb in thumbs_of(turns, ratings)]
    require_both(found)
    return found


def _start(registry: Registry, name: str | None) -> Path:
    from knowledge.errors import ModelError

    if name:
        return registry.model("dialogue", name).folder
    promoted = registry.promoted("dialogue")
    if promoted is None:
        raise ModelError(
            "No dialogue model is in force to go on from. Run 'kefu train dialogue' first, or name one with --start."
        )
    return registry.model("dialogue", promoted.name).folder


def _table(metrics: Mapping[str, Any]) -> Table:
    table = Table("held out", "before", "after")
    for figure, what in (
        ("preferred", "liked replies gained more"),
        ("chosen", "sentence that answers, or none"),
    ):
        table.add_row(what, f"{metrics[f'{figure}_before']:.1%}", f"{metrics[figure]:.1%}")
    return table
