"""kefu train dialogue: the model that composes answers learns to quote the passages it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from ui.terminal import out, print_json, progress_bars, talk


def dialogue(
    *,
    config: Annotated[
        Path | None,
        typer.Option(help="A run.toml; finetune/runs/dialogue.toml is a sample with all defaults."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of conversations to learn from.", show_default="those Kefu comes with"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the model.", show_default="date and time of now")
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="0: all cores.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Teach the dialogue model to answer from passages, in their words, and to say when they do not tell.

    Some companies are held out whole and tell whether it helped; the best epoch is kept. What comes out is an
    adapter of a few MB, for llama.cpp and for transformers; 'kefu models promote dialogue NAME' puts it in force.
    A run that was stopped goes on after its last whole epoch when it is started again with the same --name.
    """
    import torch

    from chatbot.registry import Registry
    from chatbot.settings import load_settings
    from finetune.conversations import SHIPPED, read_worlds
    from finetune.dialogue import DialogueRun, train_dialogue
    from finetune.run import read_run
    from finetune.unpack import trainable

    settings = load_settings()
    run = read_run(config, DialogueRun, sample="dialogue.toml")
    chosen = name or datetime.now().astimezone().strftime("d-%Y%m%d-%H%M%S")
    torch.set_num_threads(threads or torch.get_num_threads())
    with progress_bars() as report:
        metrics = train_dialogue(
            read_worlds(data or run.data.train or SHIPPED),
            run,
            base=trainable(settings.generation.model, cache=settings.project.models_cache, progress=report),
            registry=Registry(settings.models_folder),
            name=chosen,
            work=settings.models_folder / "runs",
            progress=report,
        )
    if as_json:
        print_json({"name": chosen, **metrics})
        return
    out.print(_table(metrics))
    talk.print(f"Put it in force with 'kefu models promote dialogue {chosen}'.")


def _table(metrics: Mapping[str, Any]) -> Table:
    table = Table("held out", "before", "after")
    for figure, what in (
        ("chosen", "passage that answers, or none"),
        ("quoted", "passage and every word of the answer"),
        ("declined", "none named where none answers"),
        ("rewritten", "follow-ups rewritten word for word"),
    ):
        table.add_row(what, f"{metrics[f'{figure}_before']:.1%}", f"{metrics[figure]:.1%}")
    return table
