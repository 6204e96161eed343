"""kefu train: models that learn from the company's own knowledge, offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ui.commands.train_dialogue import dialogue
from ui.commands.train_encoder import intent, reranker, rewriter, sentiment, slots
from ui.commands.train_preference import preference
from ui.commands.train_search import search
from ui.commands.training import AsJson, MLflow, Name, TensorBoard, Threads, condensing, training
from ui.terminal import out, print_json, talk

if TYPE_CHECKING:
    from finetune.wordings import Wordings
    from knowledge.sources.intents import Intent
    from knowledge.types import Entry

app = typer.Typer(no_args_is_help=True, help="Fine-tune models on your own knowledge, offline.")


@app.callback()
def _train() -> None:
    """Fine-tune models on your own knowledge, offline."""


app.command("dialogue")(dialogue)
app.command("preference")(preference)
app.command("intent")(intent)
app.command("slots")(slots)
app.command("sentiment")(sentiment)
app.command("rewriter")(rewriter)
app.command("reranker")(reranker)
app.command("search")(search)


@app.command()
def retriever(
    *,
    config: Annotated[
        Path | None,
        typer.Option(help="A run.toml; finetune/runs/retriever.toml is a sample with all defaults."),
    ] = None,
    faq: Annotated[
        list[Path] | None,
        typer.Option(help="FAQ file to learn from; may be repeated.", show_default="the project's knowledge"),
    ] = None,
    chats: Annotated[
        list[Path] | None,
        typer.Option(
            help="Past chats with what answered each message (JSON lines, see finetune/README.md); may be repeated."
        ),
    ] = None,
    name: Name = None,
    threads: Threads = 0,
    tensorboard: TensorBoard = None,
    mlflow: MLflow = None,
    as_json: AsJson = False,
) -> None:
    """Teach the encoder which wordings belong together, from your FAQ and intents.

    With --chats it also learns to read a message after what was said before it: short follow-ups above all.

    Some wordings are held out and tell whether it helped; the best epoch is kept. What comes out is an adapter of
    a few MB among the project's models; 'kefu models promote retriever NAME' puts it in force. A run that was
    stopped goes on where it was when it is started again with the same --name.
    """
    from chatbot.settings import load_settings
    from finetune.retriever import RetrieverRun, train_retriever
    from finetune.run import read_run

    settings = load_settings()
    run = read_run(config, RetrieverRun, sample="retriever.toml")
    base = settings.knowledge.encoder.weights(cache=settings.project.models_cache)
    with training(
        settings, name, threads=threads, prefix="r", run=run, tensorboard=tensorboard, mlflow=mlflow
    ) as making:
        known = read_known(faq)
        wordings = read_wordings(*known, chats, seed=run.train.seed)
        condense = condensing(settings, *known, making.progress)
        metrics = train_retriever(wordings, run, base=base, making=making, condense=condense)
    if as_json:
        print_json({"name": making.name, **metrics})
        return
    table = Table("epoch", "loss", "held-out found first")
    table.add_row("before", "", f"{metrics['p_at_1_before']:.1%}")
    for row in metrics["epochs"]:
        table.add_row(str(row["epoch"]), f"{row['loss']:.3f}", f"{row['held_out']:.1%}")
    out.print(table)
    if metrics["p_at_1"] > metrics["p_at_1_before"]:
        talk.print(f"Put it in force with 'kefu models promote retriever {making.name}'.")
    else:
        talk.print("It finds no more than before: leave it, or try other settings (--config).")


def read_known(files: list[Path] | None) -> tuple[Sequence[Entry], Sequence[Intent]]:
    """Entries and intents that the retriever learns from: of the named FAQ files, or the project's own."""
    if files:
        from knowledge.evaluate import read_entries

        return [entry for file in files for entry in read_entries(file)[0]], ()
    from chatbot.assemble import open_knowledge
    from chatbot.settings import load_settings

    knowledge = open_knowledge(load_settings())
    return list(knowledge.entries()), knowledge.intents()


def read_wordings(
    entries: Sequence[Entry], intents: Sequence[Intent], chat_files: list[Path] | None, *, seed: int
) -> Wordings:
    """What the retriever learns from."""
    from chatbot.chats import read_chats
    from finetune.wordings import gather

    chats = [chat for file in chat_files or () for chat in read_chats(file)]
    return gather(entries, intents, chats, seed=seed)
