"""kefu eval rewrite: how well follow-ups become standalone questions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ui.commands.eval.report import AsJson, OutFile, Seed, measuring, open_encoder

if TYPE_CHECKING:
    from chatbot.understand.rewrite import Rewriter


def rewrite(
    *,
    data: Annotated[
        Path, typer.Option(help='JSON lines: {"context": [...], "current", "rewrite"}.', dir_okay=False)
    ],
    method: Annotated[
        Literal["bm25", "dense"], typer.Option(help="How each rewrite looks for the human one.")
    ] = "bm25",
    model: Annotated[
        str | None,
        typer.Option(
            help="A rewriter of 'kefu train rewriter', which rewrites every message.",
            show_default="the rules",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Only the first so many rows; 0: all.")] = 0,
    seed: Seed = 0,
    as_json: AsJson = False,
    out: OutFile = None,
) -> None:
    """Follow-ups: exact match, BLEU, ROUGE-L, time, and how much of the human rewrite's retrieval is recovered."""
    from chatbot.evaluate.rewrite import measure_rewrites, read_follow_ups

    with measuring("rewrite", seed=seed, as_json=as_json, out=out) as run:
        rows = read_follow_ups(data)[: limit or None]
        rewriter = _open(model) if model else None
        encoder = open_encoder() if method == "dense" else None
        run.finish(
            measure_rewrites(rows, method=method, encoder=encoder, rewriter=rewriter, progress=run.report)
        )


def _open(name: str) -> Rewriter:
    """A rewriter of the project, which is asked for every message."""
    from chatbot.registry import Registry
    from chatbot.settings import load_settings
    from chatbot.trained import trained_rewriter

    settings = load_settings()
    folder = Registry(settings.models_folder).model("rewriter", name).folder
    return trained_rewriter(settings, folder)([])
