"""kefu train preference: the dialogue model learns from thumbs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.commands.training import (
    AsJson,
    MLflow,
    Name,
    TensorBoard,
    Threads,
    base_of,
    before_and_after,
    service_of,
    training,
)
from ui.terminal import print_json

if TYPE_CHECKING:
    from chatbot.registry import Registry
    from chatbot.settings import Settings
    from finetune.thumbs import Thumb

_FIGURES = {"preferred": "liked replies gained more", "chosen": "sentence that answers, or none"}

Companies = Annotated[
    Path | None,
    typer.Option(
        help="Folder of companies (*.yaml) on whose conversations nothing may be forgotten.",
        show_default="the companies Kefu comes with",
    ),
]


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
    data: Companies = None,
    start: Annotated[
        str | None, typer.Option(help="Dialogue model to go on from.", show_default="the one in force")
    ] = None,
    name: Name = None,
    threads: Threads = 0,
    tensorboard: TensorBoard = None,
    mlflow: MLflow = None,
    as_json: AsJson = False,
) -> None:
    """Teach the dialogue model what customers liked: replies that it composed and that got a thumb, up or down.

    A fifth of the thumbs is held out and tells whether it helped; the exam of 'kefu train dialogue' tells what was
    forgotten, and 'kefu models promote dialogue NAME' refuses a model that became worse at it.
    """
    from chatbot.assemble import open_encoder
    from chatbot.settings import load_settings
    from finetune.conversations import SHIPPED, read_worlds
    from finetune.preference import PreferenceRun, train_preference
    from finetune.run import read_run

    settings = load_settings()
    run = read_run(config, PreferenceRun, sample="preference.toml")
    with training(
        settings, name, threads=threads, prefix="p", run=run, tensorboard=tensorboard, mlflow=mlflow
    ) as making:
        encoder = open_encoder(settings)
        metrics = train_preference(
            _thumbs(thumbs, settings),
            read_worlds(data or run.data.train or SHIPPED),
            run,
            start=_start(making.registry, start),
            base=base_of(settings, making),
            encoder=encoder,
            making=making,
            service=service_of(settings, encoder, most=run.data.transcripts),
        )
    if as_json:
        print_json({"name": making.name, **metrics})
    else:
        before_and_after(making.name, metrics, _FIGURES)


def _thumbs(file: Path | None, settings: Settings) -> list[Thumb]:
    from chatbot.assemble import open_records
    from finetune.data.records import rated
    from finetune.thumbs import read_thumbs, require_both, thumbs_of

    if file:
        found = read_thumbs(file)
    else:
        found = [
            thumb for turns, ratings in rated(open_records(settings)) for thumb in thumbs_of(turns, ratings)
        ]
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
