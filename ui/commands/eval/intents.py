"""kefu eval intents: are intents recognised, and is what has none refused?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.commands.eval.report import AsJson, OutFile, Run, Seed, measuring, open_encoder

if TYPE_CHECKING:
    from chatbot.evaluate.intents import HeadModel, IntentModel, Labelled
    from finetune.intent_model import MixedModel


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
    unlabelled: Annotated[
        Path | None,
        typer.Option(help="CSV with text: messages whose intents nobody told, which examples spread to."),
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
        typer.Option("--refit", help="Once all is chosen, learn anew from the validation file too."),
    ] = False,
    seed: Seed = 0,
    as_json: AsJson = False,
    out: OutFile = None,
) -> None:
    """Learn intents from one file and measure them on another: accuracy, macro F1, out-of-scope recall."""
    from chatbot.evaluate.intents import OUT_OF_SCOPE, measure_intents, ms_per_query

    with measuring("intents", seed=seed, as_json=as_json, out=out) as run:
        learn, judge = _labelled(train), _labelled(test)
        check, more = _labelled(valid) if valid else None, _texts(unlabelled) if unlabelled else ()
        started = time.perf_counter()
        plan = _Plan(method=method, loss=loss, budget_minutes=budget_minutes, refit=refit)
        model, chosen = _fit(learn, check, more, run, plan)
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


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the model is fitted, as the options say it."""

    method: Method
    loss: float
    budget_minutes: float
    refit: bool


def _fit(
    train: Labelled, valid: Labelled | None, unlabelled: Sequence[str], run: Run, plan: _Plan
) -> tuple[IntentModel, dict[str, object]]:
    """The model, and how it was chosen."""
    from chatbot.evaluate.intents import fit_intents, learned_from_all, with_guessed

    encoder, labelled, refit = open_encoder(), len(train.texts), plan.refit and valid is not None
    head = fit_intents(train, valid, encoder, seed=run.seed, loss=plan.loss, progress=run.report)
    if unlabelled:
        train = with_guessed(head, train, unlabelled)
        head = fit_intents(train, valid, encoder, seed=run.seed, loss=plan.loss, progress=run.report)
    final = head
    if refit and valid:
        final = learned_from_all(head, train, valid, encoder, seed=run.seed, progress=run.report)
    chosen: dict[str, object] = {"method": "head", "encoder": encoder.fingerprint, "refit": refit}
    chosen["n_guessed"] = len(train.texts) - labelled
    if plan.method is Method.head:
        return final, chosen
    mixed, minutes = _tuned(head, final, train, valid, run, plan)
    chosen["finetune_minutes_estimated"] = minutes
    if mixed is None:
        return final, chosen
    return mixed, {**chosen, "method": "finetune", "finetune_share": mixed.share}


def _tuned(
    head: HeadModel, final: HeadModel, train: Labelled, valid: Labelled | None, run: Run, plan: _Plan
) -> tuple[MixedModel | None, float]:
    """The fine-tuned network beside the head, where that is better; and the minutes that it was thought to take.

    Args:
        head: Fitted on the training texts: says how much the network counts.
        final: The one that it is put beside.
        train: Training texts.
        valid: Validation texts.
        run: Seed and progress.
        plan: The options.
    """
    from chatbot.evaluate.intents import together
    from chatbot.settings import load_settings
    from finetune.intent_model import fit_mixed, learned_from_all

    settings = load_settings()
    base = settings.knowledge.encoder.weights(cache=settings.project.models_cache)
    auto = plan.method is Method.auto
    mixed, minutes = fit_mixed(
        head,
        train,
        valid,
        base,
        seed=run.seed,
        loss=plan.loss,
        budget_minutes=plan.budget_minutes if auto else None,
        shares=(0.0, 0.25, 0.5, 0.75, 1.0) if auto else (0.25, 0.5, 0.75, 1.0),
        progress=run.report,
    )
    if mixed is None or mixed.share == 0:
        return None, minutes
    if plan.refit and valid:
        every = together(train, valid)
        mixed = learned_from_all(mixed, final, every, base, seed=run.seed, progress=run.report)
    return mixed, minutes


def _texts(path: Path) -> tuple[str, ...]:
    from chatbot.evaluate.files import read_columns

    return tuple(row["text"] for row in read_columns(path, "text"))


def _labelled(path: Path) -> Labelled:
    from chatbot.evaluate.files import read_columns
    from chatbot.evaluate.intents import Labelled

    rows = read_columns(path, "text", "intent")
    return Labelled(tuple(row["text"] for row in rows), tuple(row["intent"] for row in rows))
