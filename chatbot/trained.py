"""What reads messages besides the retriever's encoder, where a fine-tuned model for it is in force."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chatbot.registry import HEAD, METRICS, Registry
from chatbot.settings import Settings
from chatbot.understand.rewrite import Rewriter
from chatbot.understand.sentiment import sentiment_of

if TYPE_CHECKING:
    from chatbot.understand.intent import Tuned
    from chatbot.understand.pointing import EditPointer, TrainedRewriter
    from knowledge.encode.states import TokenEncoder
    from knowledge.rerank import Reranker
    from knowledge.types import Retriever


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


def intents_in_force(settings: Settings) -> Tuned | None:
    """P(intent) of a message by the promoted model; None where there is none.

    Raises:
        ModelError: As for `rewriter_in_force`.
    """
    folder = Registry(settings.models_folder).promoted("intent")
    return trained_intents(settings, folder) if folder else None


def trained_intents(settings: Settings, folder: Path) -> Tuned:
    """That of the model in a folder; see `intents_in_force`."""
    from chatbot.understand.networks import TextClassifier

    return TextClassifier(*_learned(settings, folder)).probabilities


def feelings_in_force(settings: Settings) -> Callable[[str], float]:
    """Tells how a customer feels: the promoted model, or the lexicon.

    Raises:
        ModelError: As for `rewriter_in_force`.
    """
    folder = Registry(settings.models_folder).promoted("sentiment")
    return trained_feelings(settings, folder) if folder else sentiment_of


def trained_feelings(settings: Settings, folder: Path) -> Callable[[str], float]:
    """That of the model in a folder; see `feelings_in_force`.

    Raises:
        ModelError: Its labels are no feelings that the bot knows.
    """
    from chatbot.understand.networks import Feelings, TextClassifier

    return Feelings(TextClassifier(*_learned(settings, folder)))


def names_in_force(settings: Settings) -> Callable[[str], Mapping[str, Sequence[str]]]:
    """Finds names and values in a message, by kind: the promoted model; without one, none.

    Raises:
        ModelError: As for `rewriter_in_force`.
    """
    folder = Registry(settings.models_folder).promoted("slots")
    return trained_names(settings, folder) if folder else lambda _: {}


def trained_names(settings: Settings, folder: Path) -> Callable[[str], Mapping[str, Sequence[str]]]:
    """That of the model in a folder; see `names_in_force`."""
    from chatbot.understand.networks import NamedValues

    return NamedValues(*_learned(settings, folder))


def _learned(settings: Settings, folder: Path) -> tuple[TokenEncoder, Path, str]:
    """Encoder, folder, and prefix of queries: what a network of `kefu train` is opened with."""
    base, (prefix, _) = settings.knowledge.encoder.weights(cache=settings.project.models_cache)
    return _open_encoder(base, folder), folder, prefix


@functools.lru_cache(maxsize=6)
def _open_encoder(base: Path, folder: Path) -> TokenEncoder:
    from knowledge.encode.bert import fastest_arithmetic
    from knowledge.encode.states import TokenEncoder

    longest = json.loads((folder / METRICS).read_text("utf-8"))["run"]["model"]["longest"]
    return TokenEncoder(base, folder, longest=longest, arithmetic=fastest_arithmetic())


def learned_in_force(settings: Settings) -> dict[str, str]:
    """Task -> name of the model in force, of those that read messages; a turn records them."""
    promoted = Registry(settings.models_folder).in_force()
    reranker = reranker_in_force(settings)
    found = {
        task: promoted[task] for task in ("rewriter", "intent", "slots", "sentiment") if task in promoted
    }
    return found | ({"reranker": reranker.name} if reranker else {})


def reranker_in_force(settings: Settings) -> Path | None:
    """Folder of the reranker: named in the settings, or promoted; None where there is none."""
    return settings.knowledge.reranker or Registry(settings.models_folder).promoted("reranker")


def with_reranker(settings: Settings, folder: Path) -> Settings:
    """These settings with that reranker named."""
    return settings.model_copy(
        update={"knowledge": settings.knowledge.model_copy(update={"reranker": folder})}
    )


def reranked(settings: Settings, retriever: Retriever) -> Retriever:
    """A retriever with the reranker in force over it; itself where there is none.

    Raises:
        ModelError: The reranker is damaged, or was trained from another encoder.
    """
    folder = reranker_in_force(settings)
    if folder is None:
        return retriever
    from knowledge.rerank import RerankedRetriever

    base = settings.knowledge.encoder.weights(cache=settings.project.models_cache)
    return RerankedRetriever(retriever, _open_reranker(base, folder))


@functools.lru_cache(maxsize=2)
def _open_reranker(base: tuple[Path, tuple[str, str]], folder: Path) -> Reranker:
    from knowledge.encode.bert import fastest_arithmetic
    from knowledge.encode.states import PairEncoder
    from knowledge.rerank import Reranker

    learned = json.loads((folder / METRICS).read_text("utf-8"))["run"]["model"]
    encoder = PairEncoder(
        base[0],
        folder,
        prefixes=base[1],
        first=learned["first_layer"],
        longest=learned["longest"],
        arithmetic=fastest_arithmetic(),
    )
    return Reranker(encoder, folder / HEAD)
