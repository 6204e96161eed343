"""kefu eval rewrite: how well follow-ups become standalone questions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ui.commands.eval.report import AsJson, OutFile, Seed, measuring, open_encoder


def rewrite(
    *,
    data: Annotated[
        Path, typer.Option(help='JSON lines: {"context": [...], "current", "rewrite"}.', dir_okay=False)
    ],
    method: Annotated[
        Literal["bm25", "dense"], typer.Option(help="How each rewrite looks for the human one.")
    ] = "bm25",
    limit: Annotated[int, typer.Option(min=0, help="Only the first so many rows; 0: all.")] = 0,
    seed: Seed = 0,
    as_json: AsJson = False,
    out: OutFile = None,
) -> None:
    """Follow-ups: exact match, BLEU, ROUGE-L, time, and how much of the human rewrite's retrieval is recovered."""
    from chatbot.evaluate.files import read_json_lines
    from chatbot.evaluate.rewrite import follow_ups_of, measure_rewrites

    with measuring("rewrite", seed=seed, as_json=as_json, out=out) as run:
        rows = follow_ups_of(read_json_lines(data, "context", "current", "rewrite"))[: limit or None]
        encoder = open_encoder() if method == "dense" else None
        run.finish(measure_rewrites(rows, method=method, encoder=encoder, progress=run.report))
