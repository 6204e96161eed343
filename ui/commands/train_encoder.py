"""kefu train intent, slots, sentiment: what the encoder can learn to say of a text or its words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from knowledge.types import Progress
from ui.terminal import out, print_json, progress_bars, talk

if TYPE_CHECKING:
    from chatbot.registry import Registry
    from finetune.examples import Example, Split
    from finetune.intent import IntentRun

Config = Annotated[Path, typer.Option(help="A run.toml; samples lie in finetune/runs.")]
Data = Annotated[
    Path | None,
    typer.Option(
        help="What relative file names of the run start at.", show_default="the folder of the run.toml"
    ),
]
Name = Annotated[str | None, typer.Option(help="Of the model.", show_default="date and time of now")]
Threads = Annotated[int, typer.Option(min=0, help="0: all cores.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def intent(
    *,
    config: Annotated[
        Path | None, typer.Option(help="A run.toml; finetune/runs/intent.toml is a sample.")
    ] = None,
    data: Data = None,
    name: Name = None,
    threads: Threads = 0,
    as_json: AsJson = False,
) -> None:
    """Teach the encoder your intents: those that were imported, or a CSV file of text,intent.

    A run that was stopped goes on where it was when it is started again with the same --name.
    """
    from finetune.intent import IntentRun, train_intent
    from finetune.run import read_run

    run = read_run(config, IntentRun, sample="intent.toml")
    examples = _intents(run, _root(config, data))
    with _training(name, threads) as place:
        metrics = train_intent(
            examples,
            run,
            base=place.base,
            registry=place.registry,
            name=place.name,
            work=place.work,
            progress=place.progress,
        )
    _say(place.name, metrics, as_json=as_json)


def slots(
    *, config: Config, data: Data = None, name: Name = None, threads: Threads = 0, as_json: AsJson = False
) -> None:
    """Teach the encoder to find names and values in sentences, from words tagged in CoNLL columns.

    A run that was stopped goes on where it was when it is started again with the same --name.
    """
    from chatbot.evaluate.files import read_tagged
    from finetune.examples import read_split
    from finetune.run import read_run
    from finetune.slots import SlotsRun, train_slots

    run = read_run(config, SlotsRun, sample="ner.toml")
    sentences = read_split(
        run.data,
        read_tagged,
        root=_root(config, data),
        text=lambda one: " ".join(one.words),
        label=lambda one: "" if set(one.tags) == {"O"} else "tagged",
        seed=run.train.seed,
    )
    with _training(name, threads) as place:
        metrics = train_slots(
            sentences,
            run,
            base=place.base,
            registry=place.registry,
            name=place.name,
            work=place.work,
            progress=place.progress,
        )
    _say(place.name, metrics, as_json=as_json)


def sentiment(
    *, config: Config, data: Data = None, name: Name = None, threads: Threads = 0, as_json: AsJson = False
) -> None:
    """Teach the encoder to recognise feelings, from a CSV file of text,label.

    A run that was stopped goes on where it was when it is started again with the same --name.
    """
    from finetune.examples import read_examples, read_split
    from finetune.run import read_run
    from finetune.sentiment import SentimentRun, train_sentiment

    run = read_run(config, SentimentRun, sample="sentiment.toml")
    examples = read_split(
        run.data,
        read_examples("label"),
        root=_root(config, data),
        text=lambda one: one.text,
        label=lambda one: one.label,
        seed=run.train.seed,
    )
    with _training(name, threads) as place:
        metrics = train_sentiment(
            examples,
            run,
            base=place.base,
            registry=place.registry,
            name=place.name,
            work=place.work,
            progress=place.progress,
        )
    _say(place.name, metrics, as_json=as_json)


def _intents(run: IntentRun, root: Path) -> Split[Example]:
    from finetune.examples import read_examples, read_split
    from finetune.intent import intents_of_project

    if run.data.train:
        return read_split(
            run.data,
            read_examples("intent"),
            root=root,
            text=lambda one: one.text,
            label=lambda one: one.label,
            seed=run.train.seed,
        )
    from chatbot.assemble import open_knowledge
    from chatbot.settings import load_settings

    examples = {
        (intent.name, locale): texts
        for intent in open_knowledge(load_settings()).intents()
        for locale, texts in intent.examples.items()
    }
    return intents_of_project(examples, seed=run.train.seed)


def _root(config: Path | None, data: Path | None) -> Path:
    return data or (config.parent if config else Path())


@dataclass(frozen=True, slots=True)
class _Place:
    """What a run works with."""

    base: tuple[Path, tuple[str, str]]
    registry: Registry
    name: str
    work: Path
    progress: Progress


@contextmanager
def _training(name: str | None, threads: int) -> Iterator[_Place]:
    import torch

    from chatbot.registry import Registry
    from chatbot.settings import load_settings

    settings = load_settings()
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        with progress_bars() as report:
            yield _Place(
                settings.knowledge.encoder.weights(cache=settings.project.models_cache),
                Registry(settings.models_folder),
                name or datetime.now().astimezone().strftime("r-%Y%m%d-%H%M%S"),
                settings.models_folder / "runs",
                report,
            )
    finally:
        torch.set_num_threads(before)


def _say(name: str, metrics: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json({"name": name, **metrics})
        return
    table = Table("epoch", "loss", "held out")
    table.add_row("before", "", f"{metrics['held_out_before']:.1%}")
    for row in metrics["epochs"]:
        table.add_row(str(row["epoch"]), f"{row['loss']:.3f}", f"{row['held_out']:.1%}")
    out.print(table)
    measure = metrics["measure"]
    talk.print(
        f"On the test {measure} is {metrics[measure]:.1%}, {metrics[f'{measure}_before']:.1%} before. "
        f"'kefu models show {metrics['task']} {name}' tells more."
    )
