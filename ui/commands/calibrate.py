"""kefu calibrate: fit the thresholds to the company's own knowledge."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ui.terminal import out, print_json, progress_bars

if TYPE_CHECKING:
    from rich.table import Table

    from chatbot.decide.thresholds import Calibration


def calibrate(
    *,
    risk: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=0.5,
            help="Largest share of wrong answers among given ones.",
            show_default="decision.risk of kefu.toml, 0.1",
        ),
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option(
            min=0.5, max=0.999, help="Of the bound on that share.", show_default="decision.confidence, 0.95"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal thresholds.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fit score -> probability and the thresholds for a stated risk, from the knowledge itself.

    Parts of the knowledge are held back and asked for; nothing needs to be labelled. The table shows what
    other risks would cost; put the one you choose into kefu.toml ([decision] risk) so that a server keeps it.
    Run it again when the knowledge has grown by a fifth or the encoder was changed: until then the bot is stricter.
    """
    from chatbot.fitting import calibrate_project
    from chatbot.settings import load_settings

    settings = load_settings()
    with progress_bars() as report:
        fitted = calibrate_project(
            settings,
            risk=risk or settings.decision.risk,
            confidence=confidence or settings.decision.confidence,
            seed=seed,
            progress=report,
        )
    if as_json:
        print_json(asdict(fitted))
        return
    out.print(summary(fitted))
    out.print(choices(fitted))


def summary(fitted: Calibration) -> str:
    """What a manager reads."""
    c, t = fitted.certificate, fitted.thresholds
    met = (
        "kept" if c.wrong_rate_upper <= c.risk else "NOT reached: more questions or better answers are needed"
    )
    return (
        f"Fitted on {c.questions:,} held-out questions over {c.entries:,} entries ({c.made_from}).\n"
        f"At most {c.risk:.0%} wrong among answered: {met} "
        f"(measured {c.wrong_rate:.1%}, at most {c.wrong_rate_upper:.1%} with {c.confidence:.0%} confidence).\n"
        f"Of the questions that the knowledge answers, {c.coverage:.0%} are answered at once; "
        f"{c.unanswerable_answered:.1%} of the unanswerable ones are.\n"
        f"Thresholds: answer {t.answer:.2f}, strict {t.strict:.2f}, clarify {t.clarify:.2f}, "
        f"documents {t.compose:.2f}, intents {t.intent:.2f}."
    )


def choices(fitted: Calibration) -> Table:
    """What each risk would cost: the fewer wrong answers are allowed, the fewer questions are answered."""
    from rich.table import Table

    table = Table(
        "language", "risk", "answered at once", "wrong, measured", "wrong, at most", "promise", box=None
    )
    for point in fitted.points:
        chosen = point.risk == fitted.certificate.risk and point.language == "all"
        table.add_row(
            point.language,
            f"{point.risk:.0%}",
            f"{point.coverage:.0%}",
            f"{point.wrong_rate:.1%}",
            f"{point.wrong_rate_upper:.1%}",
            "kept" if point.kept else "unproven",
            style="bold" if chosen else None,
        )
    return table
