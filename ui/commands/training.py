"""What every `kefu train` command has around its run: options, threads, where the model goes, who is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ui.terminal import out, progress_bars, talk

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from chatbot.settings import Settings
    from finetune.in_service import Service
    from finetune.run import Making, Run
    from knowledge.sources.intents import Intent
    from knowledge.types import Encoder, Entry, Progress

_IN_SERVICE = {
    "rouge_l": "like the right answer (ROUGE-L)",
    "composed_rate": "written by the model",
    "grounded_rate": "stands in its sources",
    "safe_rate": "safe when pressed",
    "first_token_ms_p50": "first words, ms",
}
Name = Annotated[str | None, typer.Option(help="Of the model.", show_default="date and time of now")]
Threads = Annotated[int, typer.Option(min=0, help="0: all cores.")]
TensorBoard = Annotated[
    Path | None,
    typer.Option(
        "--tensorboard",
        help="Folder for TensorBoard: loss and learning rate of each step, held-out figure of each epoch.",
        show_default="none, or models/runs/tensorboard with [log] tensorboard = true",
    ),
]
MLflow = Annotated[
    str | None,
    typer.Option(
        "--mlflow",
        help="MLflow server or store for the same: http://host:5000, sqlite:///runs.db.",
        show_default="none, or what [log] mlflow names",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@contextmanager
def training(
    settings: Settings,
    name: str | None,
    *,
    threads: int,
    prefix: str,
    run: Run | None = None,
    tensorboard: Path | None = None,
    mlflow: str | None = None,
) -> Iterator[Making]:
    """A run with a progress bar; torch has its threads back afterwards.

    Args:
        settings: Of the project.
        name: Of the model; None: date and time of now.
        threads: 0 leaves torch's choice.
        prefix: Of a name that is made from date and time.
        run: Its settings.
        tensorboard: Where TensorBoard's files go; None: as `run` has it.
        mlflow: URI of MLflow's store; None: as `run` has it.

    Raises:
        SettingsError: TensorBoard or MLflow is asked for and not installed.
    """
    from chatbot.registry import Registry
    from finetune.learning import Watched
    from finetune.processes import joined
    from finetune.run import Making
    from finetune.scalars import scalars_in
    from finetune.tracking import tracked_in

    chosen = name or named_by_time(prefix)
    work = settings.models_folder / "runs"
    shown = tensorboard or (work / "tensorboard" if run and run.log.tensorboard else None)
    told = mlflow or (run.log.mlflow if run else None)
    with joined() as first, ExitStack() as around:
        models = settings.models_folder
        if not first:  # this process helps another, which says and writes everything
            out.quiet = talk.quiet = True
            models, shown, told = Path(around.enter_context(TemporaryDirectory())), None, None
        around.enter_context(threads_of(threads))
        task, tables = (run.task, run.model_dump(mode="json")) if run else ("", {})
        watching = (
            around.enter_context(scalars_in(shown / f"{task}-{chosen}" if task and shown else None)),
            around.enter_context(tracked_in(told, task=task, name=chosen, settings=tables)),
        )
        report = around.enter_context(progress_bars())
        yield Making(Registry(models), chosen, work, report, Watched(*watching))
    if shown:
        talk.print(f"Look at its curves with 'tensorboard --logdir {shown}'.")


def condensing(
    settings: Settings, entries: Sequence[Entry], intents: Sequence[Intent], report: Progress
) -> Callable[[Path], None]:
    """What marks the messages that a retriever in a folder need not remember; see `chatbot.memory.condense`."""

    def condense_in(retriever: Path) -> None:
        from chatbot.assemble import open_encoder
        from chatbot.memory import condense

        encoder = open_encoder(settings.with_retriever(retriever))
        try:
            needed, asked = condense(retriever, encoder, entries, intents, progress=report)
        finally:
            encoder.close()
        talk.print(
            f"Of {asked:,} messages of chats {needed:,} are kept in mind; the others are found without."
        )

    return condense_in


def named_by_time(prefix: str) -> str:
    """A name for what was given none."""
    return datetime.now().astimezone().strftime(f"{prefix}-%Y%m%d-%H%M%S")


@contextmanager
def threads_of(threads: int) -> Iterator[None]:
    """Let torch have so many in this block; 0 leaves its choice."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def base_of(settings: Settings, making: Making) -> tuple[Path, str]:
    """The project's language model as it is trained, and llama.cpp's name of its architecture."""
    from finetune.unpack import trainable

    cache = settings.project.models_cache
    return trainable(settings.generation.model, cache=cache, progress=making.progress)


def service_of(settings: Settings, encoder: Encoder, *, most: int) -> Service:
    """How the project's dialogue models are put to use, for replies before and after learning."""
    from chatbot.settings import LlamaCppModel, TransformersModel
    from finetune.in_service import Service

    model, project = settings.generation.model, settings.project

    def opened(adapter: Path | None) -> BaseChatModel:
        if not isinstance(model, LlamaCppModel | TransformersModel):
            raise TypeError(model)  # pragma: no cover - such a model cannot be trained
        chosen = model.with_adapter(adapter) if adapter else model.model_copy(update={"adapter": None})
        return chosen.open(cache=project.models_cache, threads=project.threads)

    return Service(opened, encoder, settings.generation, most)


def before_and_after(name: str, metrics: Mapping[str, Any], figures: Mapping[str, str]) -> None:
    """Show figures of a dialogue model, and how to use it.

    Args:
        name: Of the model.
        metrics: Of its run.
        figures: What each of them is, in words.
    """
    table = Table("held out", "before", "after")
    for figure, what in figures.items():
        table.add_row(what, f"{metrics[f'{figure}_before']:.1%}", f"{metrics[figure]:.1%}")
    was, now = metrics.get("test_before", {}), metrics.get("test", {})
    for figure, what in _IN_SERVICE.items():
        if now.get(figure) is not None and was.get(figure) is not None:
            form = ".0f" if figure.endswith("ms_p50") else ".1%"
            table.add_row(f"in service: {what}", f"{was[figure]:{form}}", f"{now[figure]:{form}}")
    out.print(table)
    talk.print(f"Put it in force with 'kefu models promote dialogue {name}'.")
