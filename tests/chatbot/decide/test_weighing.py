"""Stored answers and intents weighed against each other."""

from __future__ import annotations

from dataclasses import replace

from chatbot.decide.calibrate import Judged
from chatbot.decide.questions import Question
from chatbot.decide.scales import Case, fit_scales
from chatbot.decide.thresholds import Calibration, Certificate, Curve, Thresholds
from chatbot.decide.weighing import weigh
from chatbot.types import Understanding
from knowledge.types import Hit, Passage

CERTIFICATE = Certificate("e", 2, 1, 0.1, 0.95, 9, 0.5, 0.0, 0.1, 0.0, "20260105T000000Z", "chats", 0)
CALIBRATION = Calibration(
    {"en": Curve({"cosine_question": 10.0}, -9.0)}, Thresholds(0.9, 0.95, 0.3, 0.5, 0.7, 0.5), CERTIFICATE
)
ASKED = Understanding("do points expire", "en", intent="points_balance", confidence=0.8, nearest=0.90)


def hit(cosine: float, *, exact: float = 0.0, source: str = "faq") -> Hit:
    passage = Passage(f"{source}:points", "18 months.", "Do points expire?", source, "en")  # type: ignore[arg-type]
    return Hit(passage, 0.5, 1, features={"cosine_question": cosine, "nearness": cosine, "exact": exact})


def case(number: int, *, in_chat: bool) -> Case:
    """The answer is right where it is nearer than the intent, else the intent is."""
    answer_nearer = number % 2 == 0
    found = hit(0.95 if answer_nearer else 0.85)
    read_as = "do points expire < hm" if in_chat else ""
    question = Question("do points expire", "en", frozenset({"faq:points"}), "chat", read_as)
    judged = Judged(question, [found], [answer_nearer])
    answers = ("faq:points",) if answer_nearer else ("intent:points_balance",)
    return Case(replace(ASKED, read_as=read_as), judged, answers)


CASES = [case(number, in_chat=in_chat) for in_chat in (False, True) for number in range(120)]


def test_what_is_nearer_gains_and_the_other_loses() -> None:
    scales = fit_scales(CASES, CALIBRATION)

    for_answer, near = weigh(ASKED, [hit(0.95)], scales)
    for_intent, far = weigh(replace(ASKED, read_as="do points expire < hm"), [hit(0.85)], scales)

    assert near[0].score > 0.8 > 0.2 > far[0].score
    assert for_intent.confidence > 0.8 > 0.2 > for_answer.confidence


def test_nothing_is_weighed_without_chats_or_where_nothing_was_classified() -> None:
    hits = [hit(0.95)]

    assert fit_scales(CASES[:50], CALIBRATION) == {}
    assert weigh(ASKED, hits, {}) == (ASKED, hits)
    given = replace(ASKED, nearest=0.0)
    assert weigh(given, hits, fit_scales(CASES, CALIBRATION)) == (given, hits)


def test_a_document_and_a_question_word_for_word_keep_their_probability() -> None:
    hits = [hit(0.85, exact=1.0), hit(0.85, source="document")]

    _, weighed = weigh(ASKED, hits, fit_scales(CASES, CALIBRATION))

    assert [one.score for one in weighed] == [0.5, 0.5]
    assert [one.rank for one in weighed] == [1, 2]
