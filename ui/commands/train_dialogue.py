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
        typer.Option(
            help="Folder of companies (*.yaml), or DATASETS/dialogue of 'kefu train data build'.",
            show_default="the companies Kefu comes with",
        ),
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="Dialogue model to go on from.", show_default="the untrained one")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the model.", show_default="date and time of now")
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="0: all cores.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Teach the dialogue model to answer from passages, in their words, and to say when they do not tell.

    Some companies are held out whole and tell whether it helped. What comes out is an adapter of a few MB, for llama.cpp
    and for transformers. A run that was stopped goes on after its last epoch when it is started again with its --name.
    """
    import torch

    from chatbot.registry import Registry
    from chatbot.settings import load_settings
    from finetune.datasets import earlier, material
    from finetune.dialogue import DialogueRun, train_dialogue
    from finetune.run import read_run
    from finetune.unpack import trainable

    settings = load_settings()
    run = read_run(config, DialogueRun, sample="dialogue.toml")
    chosen = name or datetime.now().astimezone().strftime("d-%Y%m%d-%H%M%S")
    torch.set_num_threads(threads or torch.get_num_threads())
    registry = Registry(settings.models_folder)
    begun = registry.model("dialogue", start) if start else None
    with progress_bars() as report:
        metrics = train_dialogue(
            material(data or run.data.train, replay=run.data.replay),
            run,
            base=trainable(settings.generation.model, cache=settings.project.models_cache, progress=report),
            registry=registry,
            name=chosen,
            work=settings.models_folder / "runs",
            progress=report,
            start=begun.folder if begun else None,
            earlier=earlier(begun.metrics) if begun else (),
        )
    _show(chosen, metrics, as_json=as_json)


def _show(name: str, metrics: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json({"name": name, **metrics})
        return
    table = Table("held out", "before", "after")
    for figure, what in (
        ("chosen", "sentence that answers, or none"),
        ("quoted", "every word of the answer"),
        ("declined", "none named where none answers"),
        ("rewritten", "follow-ups rewritten word for word"),
    ):
        table.add_row(what, f"{metrics[f'{figure}_before']:.1%}", f"{metrics[figure]:.1%}")
    out.print(table)
    talk.print(f"Put it in force with 'kefu models promote dialogue {name}'.")
