"""kefu calibrate: fit the thresholds to the company's own knowledge."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ui.terminal import out, print_json, progress_bars

if TYPE_CHECKING:
    from chatbot.decide.thresholds import Calibration

DEFAULT_RISK = 0.1
"""Of answers to held-out questions, where one of three wordings and one of five entries is held back."""


def calibrate(
    *,
    risk: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Largest share of wrong answers among given ones.")
    ] = 0.05,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="Of the bound on that share.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal thresholds.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fit score -> probability and the thresholds for a stated risk, from the knowledge itself.

    Parts of the knowledge are held back and asked for; nothing needs to be labelled. Run it again when
    the knowledge has grown by a fifth or the encoder was changed: until then the bot is stricter.
    """
    from chatbot.fitting import calibrate_project
    from chatbot.settings import load_settings

    with progress_bars() as report:
        fitted = calibrate_project(
            load_settings(), risk=risk, confidence=confidence, seed=seed, progress=report
        )
    if as_json:
        print_json(asdict(fitted))
    else:
        out.print(summary(fitted))


def summary(fitted: Calibration) -> str:
    """What a manager reads."""
    c, t = fitted.certificate, fitted.thresholds
    met = (
        "kept" if c.wrong_rate_upper <= c.risk else "NOT reached: more questions or better answers are needed"
    )
    return (
        f"Fitted on {c.questions} held-out questions over {c.entries} entries ({c.made_from}).\n"
        f"At most {c.risk:.0%} wrong among answered: {met} "
        f"(measured {c.wrong_rate:.1%}, at most {c.wrong_rate_upper:.1%} with {c.confidence:.0%} confidence).\n"
        f"Of the questions that the knowledge answers, {c.coverage:.0%} are answered at once; "
        f"{c.unanswerable_answered:.1%} of the unanswerable ones are.\n"
        f"Thresholds: answer {t.answer:.2f}, strict {t.strict:.2f}, clarify {t.clarify:.2f}, "
        f"documents {t.compose:.2f}, intents {t.intent:.2f}."
    )
