"""kefu eval redact: how much private data is masked, and how much else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.commands.eval.report import AsJson, OutFile, Seed, measuring


def redact(
    *,
    data: Annotated[
        Path, typer.Option(help='JSON lines: {"text", "spans": [[start, end, kind], ...]}.', dir_okay=False)
    ],
    seed: Seed = 0,
    as_json: AsJson = False,
    out: OutFile = None,
) -> None:
    """Personal data: recall and precision by kind; a span is found when at least half of it is masked."""
    from chatbot.evaluate.files import read_json_lines
    from chatbot.evaluate.redact import marked_of, measure_redaction

    with measuring("redact", seed=seed, as_json=as_json, out=out) as run:
        run.finish(measure_redaction(marked_of(read_json_lines(data, "text", "spans"))))
