"""kefu train dialogue: the model that composes answers learns to quote the passages it is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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

_FIGURES = {
    "chosen": "sentence that answers, or none",
    "quoted": "every word of the answer",
    "declined": "none named where none answers",
    "rewritten": "follow-ups rewritten word for word",
}


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
    name: Name = None,
    threads: Threads = 0,
    tensorboard: TensorBoard = None,
    mlflow: MLflow = None,
    as_json: AsJson = False,
) -> None:
    """Teach the dialogue model to answer from passages, in their words, and to say when they do not tell.

    Some companies are held out whole and tell whether it helped. What comes out is an adapter of a few MB, for llama.cpp
    and for transformers. A run that was stopped goes on after its last epoch when it is started again with its --name.
    """
    from chatbot.assemble import open_encoder
    from chatbot.settings import load_settings
    from finetune.datasets import earlier, material
    from finetune.dialogue import DialogueRun, train_dialogue
    from finetune.run import read_run

    settings, run = load_settings(), read_run(config, DialogueRun, sample="dialogue.toml")
    with training(
        settings, name, threads=threads, prefix="d", run=run, tensorboard=tensorboard, mlflow=mlflow
    ) as making:
        encoder = open_encoder(settings)
        begun = making.registry.model("dialogue", start) if start else None
        metrics = train_dialogue(
            material(data or run.data.train, replay=run.data.replay),
            run,
            base=base_of(settings, making),
            encoder=encoder,
            making=making,
            service=service_of(settings, encoder, most=run.data.transcripts),
            start=begun.folder if begun else None,
            earlier=earlier(begun.metrics) if begun else (),
        )
    if as_json:
        print_json({"name": making.name, **metrics})
    else:
        before_and_after(making.name, metrics, _FIGURES)
