"""kefu train intent, slots, sentiment, rewriter, reranker: what the encoder can learn to say of a text or its words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ui.commands.training import AsJson, MLflow, Name, TensorBoard, Threads, training
from ui.terminal import out, print_json, progress_bars, talk

if TYPE_CHECKING:
    from chatbot.evaluate.files import TaggedSentence
    from chatbot.evaluate.rewrite import FollowUp
    from finetune.candidates import Questions
    from finetune.examples import Example, Split
    from finetune.intent import IntentRun
    from finetune.reranker import RerankerRun
    from finetune.rewriter import RewriterRun
    from finetune.run import Making, Run
    from finetune.sentiment import SentimentRun
    from finetune.slots import SlotsRun

Config = Annotated[Path, typer.Option(help="A run.toml; samples lie in finetune/runs.")]
Data = Annotated[
    Path | None,
    typer.Option(
        help="What relative file names of the run start at.", show_default="the folder of the run.toml"
    ),
]


def intent(
    *,
    config: Annotated[
        Path | None, typer.Option(help="A run.toml; finetune/runs/intent.toml is a sample.")
    ] = None,
    data: Data = None,
    name: Name = None,
    threads: Threads = 0,
    tensorboard: TensorBoard = None,
    mlflow: MLflow = None,
    as_json: AsJson = False,
) -> None:
    """Teach the encoder your intents: those that were imported, or a CSV file of text,intent.

    A run that was stopped goes on where it was when it is started again with the same --name.
    """
    from finetune.intent import IntentRun, train_intent
    from finetune.run import read_run

    run = read_run(config, IntentRun, sample="intent.toml")
    examples = read_intents(run, root_of(config, data))
    _teach(
        run,
        lambda base, making: train_intent(examples, run, base=base, making=making),
        name=name,
        threads=threads,
        tensorboard=tensorboard,
        mlflow=mlflow,
        as_json=as_json,
    )


def slots(
    *,
    config: Config,
    data: Data = None,
    name: Name = None,
    threads: Threads = 0,
    tensorboard: TensorBoard = None,
    mlflow: MLflow = None,
    as_json: AsJson = False,
) -> None:
    """Teach the encoder to find names and values in sentences, from words tagged in CoNLL columns.

    A run that was stopped goes on where it was when it is started again with the same --name.
    """
    from finetune.run import read_run
    from finetune.slots import SlotsRun, train_slots

    run = read_run(config, SlotsRun, sample="ner.toml")
    sentences = read_sentences(run, root_of(config, data))
    _teach(
        run,
        lambda base, making: train_slots(sentences, run, base=base, making=making),
        name=name,
        threads=threads,
        tensorboard=tensorboard,
        mlflow=mlflow,
        as_json=as_json,
    )


def sentiment(
    *,
    config: Config,
    data: Data = None,
    name: Name = None,
    threads: Threads = 0,
    tensorboard: TensorBoard = None,
    mlflow: MLflow = None,
    as_json: AsJson = False,
) -> None:
    """Teach the encoder to recognise feelings, from a CSV file of text,label.

    A run that was stopped goes on where it was when it is started again with the same --name.
    """
    from finetune.run import read_run
    from finetune.sentiment import SentimentRun, train_sentiment

    run = read_run(config, SentimentRun, sample="sentiment.toml")
    examples = read_remarks(run, root_of(config, data))
    _teach(
        run,
        lambda base, making: train_sentiment(examples, run, base=base, making=making),
        name=name,
        threads=threads,
        tensorboard=tensorboard,
        mlflow=mlflow,
        as_json=as_json,
    )


def rewriter(
    *,
    config: Config,
    data: Data = None,
    name: Name = None,
    threads: Threads = 0,
    tensorboard: TensorBoard = None,
    mlflow: MLflow = None,
    as_json: AsJson = False,
) -> None:
    """Teach the encoder to make follow-ups standalone, from JSON lines of context, current, rewrite.

    It edits the message with words that were said before, and writes none of its own. A run that was stopped goes on
    where it was when it is started again with the same --name.
    """
    from finetune.rewriter import RewriterRun, train_rewriter
    from finetune.run import read_run

    run = read_run(config, RewriterRun, sample="rewriter.toml")
    follow_ups = read_follow_ups(run, root_of(config, data))
    _teach(
        run,
        lambda base, making: train_rewriter(follow_ups, run, base=base, making=making),
        name=name,
        threads=threads,
        tensorboard=tensorboard,
        mlflow=mlflow,
        as_json=as_json,
    )


def reranker(
    *,
    config: Annotated[
        Path | None,
        typer.Option(help="A run.toml; finetune/runs/reranker.toml is a sample with all defaults."),
    ] = None,
    name: Name = None,
    threads: Threads = 0,
    tensorboard: TensorBoard = None,
    mlflow: MLflow = None,
    as_json: AsJson = False,
) -> None:
    """Teach the encoder to read a question together with each answer that was found, from your FAQ and chats.

    It learns from the wordings of the project's FAQ and from the chats that the retriever in force remembers, and is judged
    by what that retriever held out. 'kefu models promote reranker NAME' puts it in force. A run that was stopped goes on
    where it was when it is started again with the same --name.
    """
    from finetune.reranker import RerankerRun, train_reranker
    from finetune.run import read_run

    run = read_run(config, RerankerRun, sample="reranker.toml")
    questions = read_questions(run)
    _teach(
        run,
        lambda base, making: train_reranker(questions, run, base=base, making=making),
        name=name,
        threads=threads,
        tensorboard=tensorboard,
        mlflow=mlflow,
        as_json=as_json,
    )


def _teach(
    run: Run,
    train: Callable[[tuple[Path, tuple[str, str]], Making], Mapping[str, Any]],
    *,
    name: str | None,
    threads: int,
    tensorboard: Path | None,
    mlflow: str | None,
    as_json: bool,
) -> None:
    """Train on the encoder of the project, and say how it went.

    Args:
        run: Its settings.
        train: Called with the encoder's folder and its prefixes, and with where the model goes; gives its metrics.
        name: Of the model; None: date and time of now.
        threads: 0 leaves torch's choice.
        tensorboard: Where TensorBoard's files go; None: as `run` has it.
        mlflow: URI of MLflow's store; None: as `run` has it.
        as_json: Whether its metrics are printed whole.
    """
    from chatbot.settings import load_settings

    settings = load_settings()
    with training(
        settings, name, threads=threads, prefix="r", run=run, tensorboard=tensorboard, mlflow=mlflow
    ) as making:
        metrics = train(settings.knowledge.encoder.weights(cache=settings.project.models_cache), making)
    _say(making.name, metrics, as_json=as_json)


def read_intents(run: IntentRun, root: Path) -> Split[Example]:
    """What intents are learned from: the run's files, or the project's own intents; and messages without a label."""
    from chatbot.assemble import open_encoder, open_knowledge
    from chatbot.settings import load_settings
    from finetune.intent import intents_of_project, with_unlabelled
    from finetune.wordings import messages_of

    seed = run.train.seed
    if run.data.train:
        examples = _labelled(run, "intent", root)
    else:
        examples = intents_of_project(messages_of(open_knowledge(load_settings()).intents()), seed=seed)
    if run.data.unlabelled is None:
        return examples
    with progress_bars() as progress:
        return with_unlabelled(
            examples,
            root / run.data.unlabelled,
            open_encoder(load_settings()),
            seed=seed,
            progress=progress,
        )


def read_sentences(run: SlotsRun, root: Path) -> Split[TaggedSentence]:
    """What slots are learned from."""
    from chatbot.evaluate.files import read_tagged
    from finetune.examples import read_split

    return read_split(
        run.data,
        read_tagged,
        root=root,
        text=lambda one: " ".join(one.words),
        label=lambda one: "" if set(one.tags) == {"O"} else "tagged",
        seed=run.train.seed,
    )


def read_follow_ups(run: RewriterRun, root: Path) -> Split[FollowUp]:
    """What rewriting is learned from."""
    from chatbot.evaluate.rewrite import read_follow_ups as read
    from finetune.examples import read_split

    return read_split(
        run.data,
        read,
        root=root,
        text=lambda one: "\n".join((*one.context, one.current)),
        label=lambda one: "rewritten" if one.rewrite != one.current else "",
        seed=run.train.seed,
    )


def read_questions(run: RerankerRun) -> Questions:
    """What reranking is learned from: the project's wordings and chats, looked up by the retriever in force."""
    from chatbot.assemble import all_intents, open_encoder, open_index, open_knowledge
    from chatbot.registry import asked_of, remembered_by, unseen_by
    from chatbot.settings import load_settings
    from finetune.candidates import look_up
    from knowledge.index.texts import KnowingEncoder

    settings = load_settings()
    knowledge, encoder = open_knowledge(settings), open_encoder(settings)
    with closing(encoder), progress_bars() as progress:
        index = open_index(settings, knowledge, encoder, progress=progress)
        entries, intents = index.snapshot.entries, all_intents(knowledge).values()
        asked, held_out = (
            [one for one in said(settings.retriever, entries, intents) if one.answers is not None]
            for said in (remembered_by, asked_of)
        )
        return look_up(
            entries,
            asked,
            held_out,
            KnowingEncoder(encoder, index.snapshot.texts),
            candidates=run.model.candidates,
            unseen=unseen_by(settings.retriever),
            seed=run.train.seed,
            progress=progress,
        )


def read_remarks(run: SentimentRun, root: Path) -> Split[Example]:
    """What feelings are learned from."""
    return _labelled(run, "label", root)


def _labelled(run: IntentRun | SentimentRun, column: str, root: Path) -> Split[Example]:
    """Texts with the label of a column, from the run's files."""
    from finetune.examples import read_examples, read_split

    return read_split(
        run.data,
        read_examples(column),
        root=root,
        text=lambda one: one.text,
        label=lambda one: one.label,
        seed=run.train.seed,
    )


def root_of(config: Path | None, data: Path | None) -> Path:
    """What relative file names of a run start at."""
    return data or (config.parent if config else Path())


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
