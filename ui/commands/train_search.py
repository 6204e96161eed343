"""kefu train search: which settings a task learns best with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.table import Table

from ui.commands.train_encoder import (
    Data,
    read_follow_ups,
    read_intents,
    read_remarks,
    read_sentences,
    root_of,
)
from ui.commands.training import AsJson, TensorBoard, Threads, named_by_time, threads_of
from ui.terminal import out, print_json, progress_bars, talk

if TYPE_CHECKING:
    from chatbot.settings import Settings
    from finetune.examples import Split
    from finetune.intent import IntentRun
    from finetune.rewriter import RewriterRun
    from finetune.search import Job, Tried
    from finetune.sentiment import SentimentRun
    from finetune.slots import SlotsRun

    WithData = TypeVar("WithData", IntentRun, SlotsRun, SentimentRun, RewriterRun)

_SHOWN = 10


class Task(StrEnum):
    """What the encoder can be taught."""

    retriever = "retriever"
    intent = "intent"
    slots = "slots"
    sentiment = "sentiment"
    rewriter = "rewriter"


What = Annotated[Task, typer.Argument(help="What is learned.")]
SpaceFile = Annotated[
    Path,
    typer.Option(
        help="A search.toml: which settings may be what; finetune/runs/search-intent.toml is a sample."
    ),
]
Start = Annotated[
    Path | None, typer.Option(help="The run.toml to start from.", show_default="the task's defaults")
]
Trials = Annotated[int, typer.Option(min=1, max=1000, help="In all, with those of a search that goes on.")]
Minutes = Annotated[
    float | None,
    typer.Option(min=0.1, help="Begin no trial after so many.", show_default="until all trials are through"),
]
Material = Annotated[
    list[Path] | None,
    typer.Option(help="Of the retriever: as for 'kefu train retriever'; may be repeated."),
]
SearchName = Annotated[str | None, typer.Option(help="Of the search.", show_default="date and time of now")]
Best = Annotated[
    Path | None,
    typer.Option(help="The run.toml that comes out.", show_default="models/runs/search-TASK-NAME/best.toml"),
]
Seed = Annotated[int, typer.Option(min=0, max=1000, help="Of what is drawn.")]


def search(
    task: What,
    *,
    space: SpaceFile,
    config: Start = None,
    trials: Trials = 20,
    minutes: Minutes = None,
    data: Data = None,
    faq: Material = None,
    chats: Material = None,
    name: SearchName = None,
    best: Best = None,
    seed: Seed = 0,
    threads: Threads = 0,
    tensorboard: TensorBoard = None,
    as_json: AsJson = False,
) -> None:
    """Try settings of a run, and write those that were best on what is held out.

    The first trial is the run as it is. Trials that fall behind are stopped early. A search that was stopped goes on
    where it was when it is started again with the same --name.
    """
    from transformers.utils import logging

    from chatbot.settings import load_settings
    from finetune.run import read_run
    from finetune.search import Plan
    from finetune.search import search as search_settings
    from finetune.space import Space

    logging.disable_progress_bar()  # the weights of each trial would have a bar of their own
    settings = load_settings()
    called = _plain(name) if name else named_by_time("s")
    place = settings.models_folder / "runs" / f"search-{task}-{called}"
    written = best or place / "best.toml"
    with threads_of(threads), progress_bars() as report:
        tried = search_settings(
            _job(task, settings, config, data=data, faq=faq, chats=chats),
            read_run(space, Space, sample="search-intent.toml"),
            Plan(trials, minutes, seed),
            place=place,
            best=written,
            progress=report,
            tensorboard=tensorboard / f"search-{task}-{called}" if tensorboard else None,
        )
    if as_json:
        print_json({"name": called, "best": str(written), "trials": [asdict(one) for one in tried]})
        return
    _show(tried)
    talk.print(f"Learn with the best: kefu train {task} --config {written}")


def _job(
    task: Task, settings: Settings, config: Path | None, *, data: Path | None, faq: Material, chats: Material
) -> Job[Any]:
    base = settings.knowledge.encoder.weights(cache=settings.project.models_cache)
    root = root_of(config, data)
    match task:
        case Task.retriever:
            return _retriever(config, faq, chats, base=base)
        case Task.intent:
            return _intent(config, root, base)
        case Task.slots:
            return _slots(config, root, base)
        case Task.sentiment:
            return _sentiment(config, root, base)
        case Task.rewriter:
            return _rewriter(config, root, base)


def _retriever(
    config: Path | None, faq: Material, chats: Material, *, base: tuple[Path, tuple[str, str]]
) -> Job[Any]:
    from finetune.retriever import RetrieverRun, train_retriever
    from finetune.run import digest, read_run
    from finetune.search import Job
    from ui.commands.train import read_known, read_wordings

    run = read_run(config, RetrieverRun, sample="retriever.toml")
    wordings = read_wordings(*read_known(faq), chats, seed=run.train.seed)
    texts = digest([asdict(text) for text in (*wordings.learn, *wordings.held_out)])
    return Job(
        "retriever",
        run,
        texts,
        len(wordings.held_out),
        lambda run, making: train_retriever(wordings, run, base=base, making=making),
    )


def _intent(config: Path | None, root: Path, base: tuple[Path, tuple[str, str]]) -> Job[Any]:
    from finetune.intent import IntentRun, train_intent
    from finetune.run import read_run

    run = _placed(read_run(config, IntentRun, sample="intent.toml"), root)
    examples = read_intents(run, root)
    return _over(examples, run, lambda run, making: train_intent(examples, run, base=base, making=making))


def _slots(config: Path | None, root: Path, base: tuple[Path, tuple[str, str]]) -> Job[Any]:
    from finetune.run import read_run
    from finetune.slots import SlotsRun, train_slots

    run = _placed(read_run(config, SlotsRun, sample="ner.toml"), root)
    sentences = read_sentences(run, root)
    return _over(sentences, run, lambda run, making: train_slots(sentences, run, base=base, making=making))


def _sentiment(config: Path | None, root: Path, base: tuple[Path, tuple[str, str]]) -> Job[Any]:
    from finetune.run import read_run
    from finetune.sentiment import SentimentRun, train_sentiment

    run = _placed(read_run(config, SentimentRun, sample="sentiment.toml"), root)
    examples = read_remarks(run, root)
    return _over(examples, run, lambda run, making: train_sentiment(examples, run, base=base, making=making))


def _rewriter(config: Path | None, root: Path, base: tuple[Path, tuple[str, str]]) -> Job[Any]:
    from finetune.rewriter import RewriterRun, train_rewriter
    from finetune.run import read_run

    run = _placed(read_run(config, RewriterRun, sample="rewriter.toml"), root)
    follow_ups = read_follow_ups(run, root)
    return _over(
        follow_ups, run, lambda run, making: train_rewriter(follow_ups, run, base=base, making=making)
    )


def _over(split: Split[Any], run: WithData, train: Any) -> Job[Any]:
    from finetune.run import digest
    from finetune.search import Job

    return Job(run.task, run, digest(split.data), len(split.valid), train)


def _placed(run: WithData, root: Path) -> WithData:
    """Its files named from the root of the disk: what comes out lies in another folder."""
    files = {part: (root / path).resolve() for part, path in run.data if path}
    return run.model_copy(update={"data": run.data.model_copy(update=files)})


def _plain(name: str) -> str:
    from knowledge.errors import SettingsError

    if Path(name).name != name or name.startswith("."):
        raise SettingsError(f"'{name}' is no name for a search. Use letters, digits, dots and dashes.")
    return name


def _show(tried: Sequence[Tried]) -> None:
    keys = list(tried[0].settings)
    table = Table()
    for column in ("trial", "held out", *(key.split(".")[1] for key in keys), "epochs", "seconds"):
        table.add_column(column, overflow="fold")
    for one in tried[:_SHOWN]:
        values = [one.settings[key] for key in keys]
        table.add_row(
            str(one.number + 1),
            f"{one.held_out:.1%}",
            *(f"{value:.3g}" if isinstance(value, float) else str(value) for value in values),
            f"{one.epochs}, stopped" if one.stopped else str(one.epochs),
            f"{one.seconds:.0f}",
        )
    out.print(table)
