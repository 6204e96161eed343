"""kefu eval sentiment: are feelings recognised?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ui.commands.eval.report import AsJson, OutFile, Seed, measuring, open_encoder


def sentiment(
    *,
    train: Annotated[Path, typer.Option(help="CSV with text,label.")],
    test: Annotated[Path, typer.Option(help="CSV with text,label; never looked at before the end.")],
    seed: Seed = 0,
    as_json: AsJson = False,
    out: OutFile = None,
) -> None:
    """Learn feelings from one file and measure them on another: accuracy, macro F1, each label."""
    from chatbot.evaluate.files import read_columns
    from chatbot.evaluate.sentiment import fit_sentiment, measure_sentiment

    with measuring("sentiment", seed=seed, as_json=as_json, out=out) as run:
        learn, judge = read_columns(train, "text", "label"), read_columns(test, "text", "label")
        encoder = open_encoder()
        started = time.perf_counter()
        head = fit_sentiment(
            [row["text"] for row in learn],
            [row["label"] for row in learn],
            encoder,
            seed=seed,
            progress=run.report,
        )
        train_seconds = time.perf_counter() - started
        figures = measure_sentiment(head, [row["text"] for row in judge], [row["label"] for row in judge])
        run.finish(
            {
                **figures,
                "train_seconds": train_seconds,
                "encoder": encoder.fingerprint,
                "n_train": len(learn),
                "n_test": len(judge),
            }
        )
