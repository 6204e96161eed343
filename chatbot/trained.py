"""What reads messages besides the retriever's encoder, where a fine-tuned model for it is in force."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from chatbot.registry import METRICS, Registry
from chatbot.settings import Settings
from chatbot.understand.rewrite import Rewriter

if TYPE_CHECKING:
    from chatbot.understand.pointing import EditPointer, TrainedRewriter


def rewriter_in_force(settings: Settings) -> Callable[[Iterable[str]], Rewriter]:
    """Makes the rewriter of follow-ups from the company's wordings: the promoted one, or the rules.

    Raises:
        ModelError: The promoted model is damaged, or was trained from another encoder.
    """
    folder = Registry(settings.models_folder).promoted("rewriter")
    return trained_rewriter(settings, folder) if folder else Rewriter


def trained_rewriter(settings: Settings, folder: Path) -> Callable[[Iterable[str]], TrainedRewriter]:
    """Makes the rewriter in a model's folder; see `rewriter_in_force`."""
    from chatbot.understand.pointing import TrainedRewriter

    pointer, left_alone = _open_pointer(
        settings.knowledge.encoder.weights(cache=settings.project.models_cache), folder
    )
    return lambda wordings: TrainedRewriter(wordings, pointer, left_alone=left_alone)


# Kept: stages are made anew with every edit of the knowledge, and a model's folder never changes.
@functools.lru_cache(maxsize=2)
def _open_pointer(base: tuple[Path, tuple[str, str]], folder: Path) -> tuple[EditPointer, float]:
    """The model, and the share of messages that people left as they were in what it learned from."""
    from chatbot.understand.pointing import EditPointer
    from knowledge.encode.bert import fastest_arithmetic
    from knowledge.encode.states import TokenEncoder

    encoder = TokenEncoder(base[0], folder, arithmetic=fastest_arithmetic())
    metrics = json.loads((folder / METRICS).read_text("utf-8"))
    longest, context = metrics["run"]["model"]["longest"], metrics["context"]
    pointer = EditPointer(encoder, folder, prefix=base[1][0], longest=longest, context=context)
    return pointer, float(metrics["left_alone"])
