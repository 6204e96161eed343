"""kefu eval slots: are names and values found in sentences?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ui.commands.eval.report import AsJson, OutFile, Seed, measuring


def slots(
    *,
    train: Annotated[
        Path, typer.Option(help="CoNLL columns: word first, BIO tag last, empty lines between.")
    ],
    test: Annotated[Path, typer.Option(help="The same; never looked at before the end.")],
    seed: Seed = 0,
    as_json: AsJson = False,
    out: OutFile = None,
) -> None:
    """Learn to tag words from one file and measure it on another: entities found whole, and by token."""
    from chatbot.evaluate.files import read_tagged
    from chatbot.evaluate.slots import measure_slots
    from chatbot.understand.tagger import fit_tagger

    with measuring("slots", seed=seed, as_json=as_json, out=out) as run:
        learn, judge = read_tagged(train), read_tagged(test)
        started = time.perf_counter()
        tagger = fit_tagger(
            [sentence.words for sentence in learn],
            [sentence.tags for sentence in learn],
            progress=run.report,
        )
        train_seconds = time.perf_counter() - started
        begun = time.perf_counter()
        said = [tagger.tag(sentence.words) for sentence in judge]
        per_sentence = 1000 * (time.perf_counter() - begun) / len(judge)
        run.finish(
            {
                **measure_slots(judge, said),
                "train_seconds": train_seconds,
                "ms_per_sentence": per_sentence,
                "n_train": len(learn),
                "n_test": len(judge),
            }
        )
