"""kefu eval dialogue: whole dialogues over stored knowledge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.commands.eval.report import AsJson, OutFile, Seed, measuring, open_encoder


def dialogue(
    *,
    faq: Annotated[Path, typer.Option(help="Entries in any import format, with ids.", dir_okay=False)],
    data: Annotated[
        Path,
        typer.Option(help='JSON lines: {"turns": [{"role", "text"}], "relevant_ids", "response"}.'),
    ],
    limit: Annotated[int, typer.Option(min=0, help="Only the first so many dialogues; 0: all.")] = 0,
    compose: Annotated[
        bool, typer.Option("--compose/--stored", help="Let the dialogue model write, or send stored answers.")
    ] = True,
    seed: Seed = 0,
    as_json: AsJson = False,
    out: OutFile = None,
) -> None:
    """Dialogues: is the entry found for the last turn, is the reply grounded, how soon does it come."""
    from chatbot.dialogues import open_chat_model
    from chatbot.evaluate.dialogue import dialogues_of, measure_dialogues
    from chatbot.evaluate.files import read_json_lines
    from chatbot.settings import load_settings
    from chatbot.understand.rewrite import Rewriter
    from knowledge.build import arrange
    from knowledge.evaluate import read_entries
    from knowledge.search import SnapshotRetriever

    with measuring("dialogue", seed=seed, as_json=as_json, out=out) as run:
        settings = load_settings()
        rows = dialogues_of(read_json_lines(data, "turns", "relevant_ids", "response"))[: limit or None]
        (entries, left_out), encoder = read_entries(faq), open_encoder()
        snapshot = arrange(entries, encoder, settings=settings.retrieval, progress=run.report)
        model = open_chat_model(settings) if compose else None
        figures = measure_dialogues(
            rows,
            SnapshotRetriever(snapshot, encoder),
            Rewriter([question for entry in entries for question in entry.questions]),
            model=model,
            encoder=encoder,
            generation=settings.generation,
            progress=run.report,
        )
        run.finish(
            {
                **figures,
                "entries": len(entries),
                "rows_left_out": left_out,
                "encoder": encoder.fingerprint,
                "dialogue_model": settings.generation.model.kind if model else None,
            }
        )
