"""kefu eval intents: are intents recognised, and is what has none refused?"""

from __future__ import annotations

import time
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.commands.eval.report import AsJson, OutFile, Run, Seed, measuring, open_encoder

if TYPE_CHECKING:
    from chatbot.evaluate.intents import IntentModel, Labelled


class Method(StrEnum):
    """How intents are learned."""

    head = "head"
    finetune = "finetune"
    auto = "auto"


def intents(
    *,
    train: Annotated[Path, typer.Option(help="CSV with text,intent; 'oos' is out of scope.")],
    test: Annotated[Path, typer.Option(help="CSV with text,intent; never looked at before the end.")],
    valid: Annotated[
        Path | None, typer.Option(help="CSV with text,intent: for the threshold and the choice of method.")
    ] = None,
    method: Annotated[
        Method, typer.Option(help="head: frozen encoder; finetune: train it; auto: the better of both.")
    ] = Method.auto,
    loss: Annotated[
        float,
        typer.Option(min=0.0, max=0.5, help="In-scope answers that refusing out-of-scope texts may cost."),
    ] = 0.01,
    budget_minutes: Annotated[
        float, typer.Option(min=0.0, help="Longest fine-tuning that 'auto' begins.")
    ] = 20.0,
    refit: Annotated[
        bool,
        typer.Option("--refit", help="Once all is chosen, the head learns from the validation file too."),
    ] = False,
    seed: Seed = 0,
    as_json: AsJson = False,
    out: OutFile = None,
) -> None:
    """Learn intents from one file and measure them on another: accuracy, macro F1, out-of-scope recall."""
    from chatbot.evaluate.intents import OUT_OF_SCOPE, measure_intents, ms_per_query

    with measuring("intents", seed=seed, as_json=as_json, out=out) as run:
        learn, judge = _labelled(train), _labelled(test)
        check = _labelled(valid) if valid else None
        started = time.perf_counter()
        model, chosen = _fit(
            learn, check, run, method=method, loss=loss, budget_minutes=budget_minutes, refit=refit
        )
        train_seconds = time.perf_counter() - started
        run.report("Judging the test", 0.0)
        figures = measure_intents(model, judge)
        run.report("Judging the test", 1.0)
        figures |= {
            "train_seconds": train_seconds,
            "ms_per_query": ms_per_query(model, judge.texts),
            **chosen,
            "n_train": len(learn.texts),
            "n_test": len(judge.texts),
            "intents": len({*learn.intents} - {OUT_OF_SCOPE}),
        }
        run.finish(figures)


def _fit(
    train: Labelled,
    valid: Labelled | None,
    run: Run,
    *,
    method: Method,
    loss: float,
    budget_minutes: float,
    refit: bool,
) -> tuple[IntentModel, dict[str, object]]:
    """The model, and how it was chosen."""
    from chatbot.evaluate.intents import fit_intents, learned_from_all

    encoder = open_encoder()
    head = fit_intents(train, valid, encoder, seed=run.seed, loss=loss, progress=run.report)
    final = head
    if refit and valid:
        final = learned_from_all(head, train, valid, encoder, seed=run.seed, progress=run.report)
    chosen: dict[str, object] = {"method": "head", "encoder": encoder.fingerprint, "refit": final is not head}
    if method is Method.head:
        return final, chosen
    from chatbot.settings import load_settings
    from finetune.intent_model import fit_mixed

    settings = load_settings()
    mixed, minutes = fit_mixed(
        head,
        train,
        valid,
        settings.knowledge.encoder.weights(cache=settings.project.models_cache),
        seed=run.seed,
        loss=loss,
        budget_minutes=budget_minutes if method is Method.auto else None,
        shares=(0.0, 0.25, 0.5, 0.75, 1.0) if method is Method.auto else (0.25, 0.5, 0.75, 1.0),
        progress=run.report,
    )
    chosen["finetune_minutes_estimated"] = minutes
    if mixed is None or mixed.share == 0:
        return final, chosen
    return replace(mixed, head=final), {**chosen, "method": "finetune", "finetune_share": mixed.share}


def _labelled(path: Path) -> Labelled:
    from chatbot.evaluate.files import read_columns
    from chatbot.evaluate.intents import Labelled

    rows = read_columns(path, "text", "intent")
    return Labelled(tuple(row["text"] for row in rows), tuple(row["intent"] for row in rows))
