"""kefu eval faq: how well questions find their entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ui.commands.eval.report import AsJson, OutFile, Seed, measuring, open_encoder

if TYPE_CHECKING:
    from knowledge.evaluate import Found
    from knowledge.types import Entry


def faq(
    *,
    faq: Annotated[Path, typer.Option(help="Entries in any import format, with ids.", dir_okay=False)],
    queries: Annotated[
        Path, typer.Option(help="CSV: query,relevant_ids (parted by spaces; empty: nothing answers it).")
    ],
    method: Annotated[
        Literal["bm25", "dense", "hybrid", "auto"],
        typer.Option(
            help="auto fits the weights of hybrid on held-back wordings of the entries, where there are enough."
        ),
    ] = "auto",
    seed: Seed = 0,
    as_json: AsJson = False,
    out: OutFile = None,
) -> None:
    """Retrieval: P@1, recall@5, MRR@10, MAP and nDCG@10 over the questions that an entry answers, and times."""
    from knowledge.build import arrange
    from knowledge.evaluate import quality, read_entries, read_judged, search_all
    from knowledge.search import SnapshotRetriever
    from knowledge.settings import RetrievalSettings
    from knowledge.tune import fit_weights

    with measuring("faq", seed=seed, as_json=as_json, out=out) as run:
        judged, (entries, left_out) = read_judged(queries), read_entries(faq)
        encoder, settings = open_encoder(), RetrievalSettings()
        snapshot = arrange(entries, encoder, settings=settings, progress=run.report)
        weights, why = None, ""
        if method == "auto":
            weights, why = fit_weights(
                entries, encoder, settings=settings, seed=seed, known=snapshot, progress=run.report
            )
        mode: Literal["bm25", "dense", "hybrid"] = "hybrid" if method == "auto" else method
        retriever = SnapshotRetriever(snapshot, encoder, method=mode, weights=weights)
        retriever.search(judged[0].query)  # the first search reads dictionaries
        found = search_all(retriever, judged, progress=run.report)
        known = set(snapshot.placed)
        run.finish(
            {
                **asdict(quality(found)),
                "method": method,
                "entries": len(entries),
                "rows_left_out": left_out,
                "encoder": encoder.fingerprint,
                **({"weights": asdict(weights)} if weights else {}),
                **({"auto": why} if why else {}),
                "unanswerable": sum(not one.relevant for one in judged),
                "unknown_ids": len({item for one in judged for item in one.relevant} - known),
                **where_the_loss_sits(found, entries),
            }
        )


def where_the_loss_sits(found: Sequence[Found], entries: Sequence[Entry]) -> dict[str, Any]:
    """The same figures by language and by length, and what is taken for what."""
    from knowledge.evaluate import by_length, confusions

    return {
        **by_language(found),
        "by_length": {name: asdict(part) for name, part in by_length(found).items()},
        "confusions": confusions(found, {one.passage.id: one.passage.title for one in entries}),
    }


def by_language(found: Sequence[Found]) -> dict[str, Any]:
    """The same figures for each language of the questions, where there are several."""
    from chatbot.evaluate.answers import language_of
    from knowledge.evaluate import quality

    parts: dict[str, list[Found]] = {}
    for one in found:
        parts.setdefault(language_of(one.judged.query), []).append(one)
    if len(parts) < 2:
        return {}
    return {"by_language": {language: asdict(quality(part)) for language, part in sorted(parts.items())}}
