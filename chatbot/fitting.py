"""Fit a project's thresholds on its own knowledge."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from chatbot.assemble import (
    Report,
    all_intents,
    build_index,
    open_encoder,
    open_index,
    open_knowledge,
    silent,
)
from chatbot.calibrations import calibration_path
from chatbot.chats import Asked
from chatbot.decide.thresholds import Calibration, CalibrationError, load_calibration, save_calibration
from chatbot.memory import open_classifier, with_chats
from chatbot.registry import asked_of, unseen_by
from chatbot.settings import Settings
from chatbot.trained import reranked
from chatbot.types import Understanding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatbot.decide.choosing import Case
    from chatbot.understand.intent import IntentClassifier
    from knowledge.build import IndexService
    from knowledge.encode import BatchingEncoder
    from knowledge.sources.intents import Intent
    from knowledge.types import Entry

MOST_AT_START = 20_000
"""Entries up to which a server fits its thresholds by itself; beyond, it would start too late."""


def calibrate_project(
    settings: Settings, *, risk: float, confidence: float, seed: int, progress: Report = silent
) -> Calibration:
    """Fit curves and thresholds on the project's own knowledge, and write them.

    Raises:
        CalibrationError: Too little knowledge to fit from.
    """
    # Here, as most starts only look whether the thresholds still fit, and scikit-learn takes 2 s to load.
    from chatbot.decide.calibrate import MESSAGES, WORDINGS, certify, fit, judge, require_wordings
    from chatbot.decide.choosing import with_choice
    from chatbot.decide.questions import hold_out
    from chatbot.understand.intent import out_of_scope
    from chatbot.understand.trial import held_out_guesses
    from knowledge.build import arrange
    from knowledge.search import SnapshotRetriever

    knowledge = open_knowledge(settings)
    entries = list(with_chats(knowledge, settings.retriever).entries())
    strangers = [(language, text) for language in ("zh", "en") for text in out_of_scope(language)]
    unseen = unseen_by(settings.retriever)
    shown, questions = hold_out(entries, out_of_scope=strangers, seed=seed, unseen=unseen)
    require_wordings(questions)  # at once, and not after the minute that the rest takes
    encoder = open_encoder(settings)
    index = open_index(settings, knowledge, encoder, progress=progress)
    snapshot = arrange(shown, encoder, settings=settings.retrieval, progress=progress, known=index.snapshot)
    trial = SnapshotRetriever(snapshot, encoder, method=settings.retrieval.method)
    judged = judge(questions, reranked(settings, trial), k=settings.retrieval.k, progress=progress)
    intents = list(all_intents(knowledge).values())
    cases = _cases(settings, entries, index, encoder, intents=intents, progress=progress)
    wordings = [question for entry in entries for question in entry.questions]
    guesses = held_out_guesses(intents, encoder, negatives=wordings, seed=seed, unseen=unseen)
    certificate = partial(
        certify,
        encoder=encoder.fingerprint,
        entries=len(entries),
        knowledge_version=knowledge.version(),
        risk=risk,
        confidence=confidence,
        seed=seed,
    )
    fitted = fit(
        [*judged, *(case.judged for case in cases if case.answers is not None)],
        guesses,
        certificate=certificate(made_from=WORDINGS),
        risk=risk,
        confidence=confidence,
        seed=seed,
    )
    of_messages = certificate(made_from=MESSAGES)
    fitted = with_choice(fitted, cases, certificate=of_messages, risk=risk, confidence=confidence, seed=seed)
    save_calibration(fitted, calibration_path(settings))
    encoder.close()
    return fitted


def _cases(
    settings: Settings,
    entries: Sequence[Entry],
    index: IndexService,
    encoder: BatchingEncoder,
    *,
    intents: Sequence[Intent],
    progress: Report,
) -> list[Case]:
    """What customers said in chats that were kept from training, asked of all that is known."""
    from chatbot.decide.calibrate import judge
    from chatbot.decide.choosing import Case
    from chatbot.decide.questions import asked_by_customers

    chats = asked_of(settings.retriever, entries, intents)
    if not chats:
        return []
    found = judge(
        asked_by_customers(chats), reranked(settings, index), k=settings.retrieval.k, progress=progress
    )
    classifier, _ = open_classifier(
        intents,
        encoder,
        index.snapshot,
        retriever=settings.retriever,
        folder=settings.search_folder / "intents",
    )
    return [
        Case(_understood(one, classifier), hits, one.answers) for one, hits in zip(chats, found, strict=True)
    ]


def _understood(asked: Asked, classifier: IntentClassifier) -> Understanding:
    """What a customer's message is taken for in its conversation."""
    guess = classifier.classify(asked.text, read_as=asked.read_as)
    return Understanding(
        asked.text,
        asked.locale,
        intent=guess.intent,
        confidence=guess.confidence,
        near=guess.near,
        unanswered=guess.unanswered,
        remark=guess.remark,
        read_as=asked.read_as,
        scores=guess.scores,
    )


def make_ready(settings: Settings, *, seed: int = 0, progress: Report = silent) -> str:
    """Make the index and thresholds of a retriever before it is promoted; why there are no own thresholds, or "".

    Args:
        settings: With the adapter named (`Settings.with_retriever`).
        seed: As for `calibrate_project`.
        progress: Told what is being done.
    """
    build_index(settings, progress=progress)
    return fit_as_promised(settings, seed=seed, progress=progress)


def fit_as_promised(settings: Settings, *, seed: int = 0, progress: Report = silent) -> str:
    """Fit thresholds for the risk in the settings; why there are none, or ""."""
    promised = settings.decision
    try:
        calibrate_project(
            settings, risk=promised.risk, confidence=promised.confidence, seed=seed, progress=progress
        )
    except CalibrationError as error:
        return str(error)
    return ""


def calibrate_if_stale(settings: Settings, *, seed: int = 0, progress: Report = silent) -> str:
    """Fit thresholds where there are none or they no longer fit; what was done, "" for nothing."""
    entries = sum(1 for _ in open_knowledge(settings).entries())
    own = load_calibration(calibration_path(settings))
    stale = own.stale(encoder=own.certificate.encoder, entries=entries) if own else "there were none yet"
    if not stale or entries > MOST_AT_START:
        return ""
    return fit_as_promised(settings, seed=seed, progress=progress) or f"Thresholds were fitted: {stale}."
