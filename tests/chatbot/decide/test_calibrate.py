"""Thresholds: fitted on knowledge held back from the index, for a stated risk, with a certificate."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from chatbot.chats import Asked
from chatbot.decide.calibrate import GRID, certify, even_point, fit, judge, loosest, upper_bound
from chatbot.decide.questions import asked_by_customers, hold_out
from chatbot.decide.thresholds import (
    IN_CHAT,
    CalibratedRetriever,
    CalibrationError,
    load_calibration,
    save_calibration,
)
from knowledge.types import Entry, Hit, Passage


def entry(number: int, *, questions: int = 4, source: str = "faq") -> Entry:
    text = "First sentence about it. Second sentence on more. Third sentence, which ends it all."
    passage = Passage(f"{source}:{number}", f"{text} {number}", f"question {number}", source, "en")  # type: ignore[arg-type]
    return Entry(passage, tuple(f"wording {n} of question {number}" for n in range(questions)))


class Noisy:
    """Finds the right passage with a high cosine, mostly; strangers get a low one."""

    version = "noisy"

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.by_number = {e.passage.title.split()[-1]: e.passage for e in entries}
        self.rng = random.Random(1)

    def search(
        self, query: str, k: int = 5, *, locale: str | None = None, read_as: str = ""
    ) -> Sequence[Hit]:
        right = self.by_number.get(query.split()[-1]) if "wording" in query else None
        others = self.rng.sample(sorted(self.by_number), 3)
        found = [self.by_number[n] for n in others]
        cosines = [self.rng.uniform(0.80, 0.86) for _ in found]
        if right is not None:
            found, cosines = [right, *found], [self.rng.uniform(0.85, 0.95), *cosines]
        return [
            Hit(passage, cosine, rank, features={"cosine": cosine, "margin": cosines[0] - 0.84})
            for rank, (passage, cosine) in enumerate(zip(found, cosines, strict=True), 1)
        ]


ENTRIES = [entry(number) for number in range(200)]
STRANGERS = [("en", f"tell me a joke about {number}x") for number in range(60)]


def silent(_what: str, _done: float) -> None:
    return


def fitted(*, risk: float = 0.1):  # type: ignore[no-untyped-def]
    shown, questions = hold_out(ENTRIES, out_of_scope=STRANGERS, seed=0)
    judged = judge(questions, Noisy(shown), k=4, progress=silent)
    make = certify(
        encoder="e", entries=200, knowledge_version=1, risk=risk, confidence=0.95, made_from="tests", seed=0
    )
    guesses = [(0.9, True)] * 80 + [(0.3, False)] * 80
    return fit(judged, guesses, certificate=make, risk=risk, confidence=0.95, seed=0)


def test_what_is_held_back_is_not_shown_to_the_index() -> None:
    shown, questions = hold_out(ENTRIES, out_of_scope=STRANGERS, seed=0)

    wordings = {question for e in shown for question in e.questions}
    assert not wordings & {q.text for q in questions if q.origin in ("similar", "left_out")}
    left_out = {q.text.split()[-1] for q in questions if q.origin == "left_out"}
    assert left_out
    assert not left_out & {e.passage.title.split()[-1] for e in shown}
    assert all(not q.answers for q in questions if q.origin in ("left_out", "out_of_scope"))


def test_equal_seeds_hold_back_the_same() -> None:
    assert hold_out(ENTRIES, out_of_scope=STRANGERS, seed=3) == hold_out(
        ENTRIES, out_of_scope=STRANGERS, seed=3
    )
    assert hold_out(ENTRIES, out_of_scope=STRANGERS, seed=3) != hold_out(
        ENTRIES, out_of_scope=STRANGERS, seed=4
    )


def test_an_entry_with_one_wording_is_never_asked_for_by_a_copy_of_it() -> None:
    single = [entry(n, questions=1) for n in range(30)]

    shown, questions = hold_out(single, out_of_scope=[], seed=0)

    assert {q.origin for q in questions} == {"left_out"}
    assert len(shown) == len(single) - len(questions)


def test_faqs_with_one_wording_each_keep_the_shipped_thresholds() -> None:
    single = [entry(n, questions=1) for n in range(200)]
    make = certify(
        encoder="e", entries=200, knowledge_version=1, risk=0.1, confidence=0.95, made_from="tests", seed=0
    )
    shown, questions = hold_out(single, out_of_scope=STRANGERS, seed=0)
    judged = judge(questions, Noisy(shown), k=4, progress=silent)

    with pytest.raises(CalibrationError, match="similar_questions"):
        fit(judged, [], certificate=make, risk=0.1, confidence=0.95, seed=0)


def test_a_document_is_asked_for_by_a_sentence_cut_out_of_it() -> None:
    shown, questions = hold_out([entry(1, source="document")], out_of_scope=[], seed=0)

    (question,) = questions
    assert question.origin == "document"
    assert question.text not in shown[0].passage.text


def test_the_bound_is_the_exact_binomial_one() -> None:
    assert upper_bound(0, 300, confidence=0.95) == pytest.approx(0.0099, abs=1e-4)
    assert upper_bound(5, 1000, confidence=0.95) == pytest.approx(0.0105, abs=1e-4)
    assert upper_bound(3, 3, confidence=0.95) == 1.0


def test_the_loosest_threshold_keeps_the_promise_on_its_own_questions() -> None:
    rng = np.random.default_rng(0)
    probability = rng.uniform(size=4000)
    right = rng.uniform(size=4000) < probability

    threshold = loosest(probability, right, risk=0.1, confidence=0.95)

    given = probability >= threshold
    assert upper_bound(int((given & ~right).sum()), int(given.sum()), confidence=0.95) <= 0.1
    assert 0.7 < threshold < 0.9


def test_a_risk_that_cannot_be_kept_leaves_the_strictest_threshold() -> None:
    probability, right = np.full(400, 0.995), np.arange(400) % 2 == 0

    assert loosest(probability, right, risk=0.05, confidence=0.95) == GRID[0]


def test_offering_ends_where_it_helps_less_often_than_not() -> None:
    judged = [(0.5 + n / 1000, True) for n in range(200)] + [(0.2 + n / 1000, False) for n in range(200)]

    assert 0.35 < even_point(judged) < 0.5


def test_calibration_tells_right_from_wrong_where_cosines_do_not() -> None:
    calibration = fitted()

    sure = calibration.curves["en"].probability({"cosine": 0.94, "margin": 0.1})
    unsure = calibration.curves["en"].probability({"cosine": 0.82, "margin": -0.02})
    t = calibration.thresholds
    assert sure > 0.9 > 0.2 > unsure
    assert max(t.clarify, t.suggest) <= t.answer <= t.strict
    assert calibration.certificate.wrong_rate_upper <= 0.1
    assert calibration.certificate.coverage > 0.5


def test_hits_come_back_with_probabilities_best_first() -> None:
    shown, _ = hold_out(ENTRIES, out_of_scope=[], seed=0)

    hits = CalibratedRetriever(Noisy(shown), fitted()).search(shown[0].questions[0], locale="en")

    assert hits[0].passage == shown[0].passage
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]
    assert all(a.score >= b.score for a, b in pairwise(hits))


def test_a_calibration_reads_back_as_it_was_written(tmp_path: Path) -> None:
    calibration = fitted()

    save_calibration(calibration, tmp_path / "c.json")

    assert load_calibration(tmp_path / "c.json") == calibration
    assert load_calibration(tmp_path / "none.json") is None


def test_a_damaged_calibration_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps({"curves": 3}))

    with pytest.raises(CalibrationError, match="Run 'kefu calibrate'"):
        load_calibration(tmp_path / "c.json")


def test_the_certificate_no_longer_fits_another_encoder_or_grown_knowledge() -> None:
    calibration = fitted()

    assert calibration.stale(encoder="e", entries=210) == ""
    assert "encoder" in calibration.stale(encoder="other", entries=200)
    assert "300 entries" in calibration.stale(encoder="e", entries=300)


def test_too_little_knowledge_is_refused() -> None:
    make = certify(
        encoder="e", entries=2, knowledge_version=1, risk=0.1, confidence=0.95, made_from="tests", seed=0
    )
    shown, questions = hold_out(ENTRIES[:5], out_of_scope=[], seed=0)

    with pytest.raises(CalibrationError, match="at least 60"):
        fit(
            judge(questions, Noisy(shown), k=2, progress=silent),
            [],
            certificate=make,
            risk=0.1,
            confidence=0.95,
            seed=0,
        )


def test_wordings_that_the_encoder_was_trained_on_are_never_asked() -> None:
    entries = [entry(number) for number in range(60)]
    unseen = frozenset(f"wording 3 of question {number}" for number in range(0, 60, 2))

    shown, questions = hold_out(entries, out_of_scope=[], seed=0, unseen=unseen)

    assert questions
    assert {question.text for question in questions} <= unseen
    assert not unseen & {text for one in shown for text in one.questions}


def test_messages_of_chats_have_a_curve_of_their_own() -> None:
    _, questions = hold_out(ENTRIES, out_of_scope=STRANGERS, seed=0)
    chats = [
        Asked(f"wording of question {number}", "question 1 < hm", "en", (f"faq:{number}",))
        for number in range(100)
    ] + [Asked("and my order?", "question 1 < hm", "en", ("intent:order_status",))] * 20
    judged = judge([*questions, *asked_by_customers(chats)], Noisy(ENTRIES), k=4, progress=silent)
    make = certify(
        encoder="e", entries=200, knowledge_version=1, risk=0.1, confidence=0.95, made_from="tests", seed=0
    )

    calibration = fit(judged, [(0.9, True)] * 80, certificate=make, risk=0.1, confidence=0.95, seed=0)

    assert set(calibration.curves) >= {"en", "en" + IN_CHAT}
    alone = CalibratedRetriever(Noisy(ENTRIES), calibration)
    strange = alone.search("wording of question 3", 4, locale="en", read_as="wording of question 3 < hm")
    assert strange[0].score == calibration.curves["en" + IN_CHAT].probability(strange[0].features)
    assert all(question.answers == frozenset() for question in asked_by_customers(chats[100:]))
