"""The thresholds of a project: fitted by `kefu calibrate` for the retriever in force, or shipped."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from chatbot.decide.thresholds import Calibration, CalibrationError, load_calibration
from chatbot.settings import Settings
from chatbot.trained import reranker_in_force


def calibration_path(settings: Settings) -> Path:
    """Where `kefu calibrate` writes: a reranker's scores need thresholds of their own."""
    reranker = reranker_in_force(settings)
    return settings.search_folder / (f"calibration-{reranker.name}.json" if reranker else "calibration.json")


def calibration_in_force(settings: Settings, *, entries: int, encoder: str = "") -> tuple[Calibration, str]:
    """The project's calibration or the shipped one, and why it does not quite fit ("" when it does)."""
    own = load_calibration(calibration_path(settings))
    if own is not None:
        return own, own.stale(encoder=encoder or own.certificate.encoder, entries=entries)
    return shipped_calibration(settings), "thresholds were fitted on other knowledge"


def shipped_calibration(settings: Settings) -> Calibration:
    """What a new project starts with: the demo's thresholds, for the retriever in force where it has any."""
    default = Path(str(files("chatbot") / "decide" / "default_calibration.json"))
    beside = settings.retriever / "calibration.json" if settings.retriever else default
    shipped = load_calibration(beside) or load_calibration(default)
    if shipped is None:
        raise CalibrationError(
            "The shipped calibration is missing. Install Kefu anew, or run 'kefu calibrate'."
        )
    return shipped
