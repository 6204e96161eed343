"""Fit a project's thresholds on its own knowledge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from chatbot.assemble import (
    Report,
    all_intents,
    build_index,
    calibration_path,
    open_encoder,
    open_index,
    open_knowledge,
    silent,
)
from chatbot.chats import Asked
from chatbot.decide.thresholds import Calibration, CalibrationError, load_calibration, save_calibration
from chatbot.memory import open_classifier, with_chats
from chatbot.registry import asked_of, unseen_by
from chatbot.settings import Settings
from chatbot.types import Understanding

if TYPE_CHECKING:
    from chatbot.decide.calibrate import Judged
    from chatbot.understand.intent import IntentClassifier

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
    from chatbot.decide.calibrate import certify, fit, judge, require_wordings
    from chatbot.decide.questions import asked_by_customers, hold_out
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
    judged = judge(questions, trial, k=settings.retrieval.k, progress=progress)
    # Chats are asked of all that is known: what they ask is no wording of it.
    chats = asked_of(settings.retriever, entries, knowledge.intents())
    by_customers = judge(asked_by_customers(chats), index, k=settings.retrieval.k, progress=progress)
    wordings = [question for entry in entries for question in entry.questions]
    intents = list(all_intents(knowledge).values())
    guesses = held_out_guesses(intents, encoder, negatives=wordings, seed=seed, unseen=unseen)
    fitted = fit(
        [*judged, *by_customers],
        guesses,
        certificate=certify(
            encoder=encoder.fingerprint,
            entries=len(entries),
            knowledge_version=knowledge.version(),
            risk=risk,
            confidence=confidence,
            seed=seed,
        ),
        risk=risk,
        confidence=confidence,
        seed=seed,
    )
    if chats:
        folder, retriever = settings.search_folder / "intents", settings.retriever
        classifier, _ = open_classifier(intents, encoder, index.snapshot, retriever=retriever, folder=folder)
        fitted = _weighing(fitted, chats, by_customers, classifier)
    save_calibration(fitted, calibration_path(settings))
    encoder.close()
    return fitted


def _weighing(
    fitted: Calibration, chats: Sequence[Asked], judged: Sequence[Judged], classifier: IntentClassifier
) -> Calibration:
    """With how answers and intents are weighed against each other, as the chats told."""
    from chatbot.decide.scales import Case, fit_scales

    cases = [
        Case(_understood(one, classifier), found, one.answers)
        for one, found in zip(chats, judged, strict=True)
    ]
    return replace(fitted, scales=fit_scales(cases, fitted))


def _understood(asked: Asked, classifier: IntentClassifier) -> Understanding:
    """What a customer's message is taken for in its conversation."""
    guess = classifier.classify(asked.text, read_as=asked.read_as)
    return Understanding(
        asked.text,
        asked.locale,
        intent=guess.intent,
        confidence=guess.confidence,
        nearest=guess.nearest,
        unanswered=guess.unanswered,
        read_as=asked.read_as,
    )


def make_ready(settings: Settings, *, seed: int = 0, progress: Report = silent) -> str:
    """Make the index and thresholds of a retriever before it is promoted; why there are no own thresholds, or "".

    Args:
        settings: With the adapter named (`Settings.with_retriever`).
        seed: As for `calibrate_project`.
        progress: Told what is being done.
    """
    build_index(settings, progress=progress)
    try:
        promised = settings.decision
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
    try:
        promised = settings.decision
        calibrate_project(
            settings, risk=promised.risk, confidence=promised.confidence, seed=seed, progress=progress
        )
    except CalibrationError as error:
        return str(error)
    return f"Thresholds were fitted: {stale}."
