"""kefu eval answers: how much is answered at a stated risk, and how much of that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.commands.eval.report import AsJson, OutFile, Seed, measuring, open_encoder
from ui.terminal import Report

if TYPE_CHECKING:
    from chatbot.evaluate.answers import FittedPoint
    from knowledge.index.snapshot import Snapshot
    from knowledge.settings import RetrievalSettings
    from knowledge.types import Encoder


def answers(
    *,
    faq: Annotated[Path, typer.Option(help="Entries in any import format, with ids.", dir_okay=False)],
    queries: Annotated[
        Path, typer.Option(help="CSV: query,relevant_ids; unanswerable ones have no ids.", dir_okay=False)
    ],
    calibration: Annotated[
        Path | None,
        typer.Option(
            help="Questions to fit on, as --queries; default: wordings of the entries, held back.",
            dir_okay=False,
        ),
    ] = None,
    risk: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Largest share of wrong answers among given ones.")
    ] = 0.02,
    seed: Seed = 0,
    as_json: AsJson = False,
    out: OutFile = None,
) -> None:
    """Answers at a stated risk: coverage, wrong rate with its bound, unanswerable questions answered, AURC.

    Score -> probability and the threshold are fitted on the calibration questions alone.
    """
    from chatbot.evaluate.answers import ask, fit_point, measure_answers
    from knowledge.build import arrange
    from knowledge.evaluate import read_entries, read_judged
    from knowledge.search import SnapshotRetriever
    from knowledge.settings import RetrievalSettings

    with measuring("answers", seed=seed, as_json=as_json, out=out) as run:
        asked, (entries, left_out) = read_judged(queries), read_entries(faq)
        fitted_on = read_judged(calibration) if calibration else None
        encoder, settings = open_encoder(), RetrievalSettings()
        snapshot = arrange(entries, encoder, settings=settings, progress=run.report)
        retriever = SnapshotRetriever(snapshot, encoder)
        if fitted_on is None:
            point = _own_point(snapshot, encoder, settings, risk=risk, seed=seed, progress=run.report)
        else:
            judged = ask(fitted_on, retriever, k=settings.k, progress=run.report)
            point = fit_point(judged, risk=risk, seed=seed)
        judged = ask(asked, retriever, k=settings.k, progress=run.report)
        run.finish(
            {
                **measure_answers(point, judged, risk=risk),
                "calibration": dict(point.figures),
                "calibrated_on": "the calibration file" if calibration else "held-back wordings and entries",
                "entries": len(entries),
                "rows_left_out": left_out,
                "encoder": encoder.fingerprint,
            }
        )


def _own_point(
    snapshot: Snapshot,
    encoder: Encoder,
    settings: RetrievalSettings,
    *,
    risk: float,
    seed: int,
    progress: Report,
) -> FittedPoint:
    """As `kefu calibrate` does: parts of the entries are held back and asked for."""
    from chatbot.decide.calibrate import judge, require_wordings
    from chatbot.decide.questions import hold_out
    from chatbot.evaluate.answers import fit_point
    from chatbot.understand.intent import out_of_scope
    from knowledge.build import arrange
    from knowledge.search import SnapshotRetriever

    strangers = [(language, text) for language in ("zh", "en") for text in out_of_scope(language)]
    shown, questions = hold_out(snapshot.entries, out_of_scope=strangers, seed=seed)
    require_wordings(questions)
    trial = arrange(shown, encoder, settings=settings, progress=progress, known=snapshot)
    judged = judge(questions, SnapshotRetriever(trial, encoder), k=settings.k, progress=progress)
    return fit_point(judged, risk=risk, seed=seed)
