"""All that a message may mean, weighed against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from chatbot.decide.calibrate import Judged
from chatbot.decide.choosing import Case, with_choice
from chatbot.decide.questions import Question
from chatbot.decide.thresholds import Calibration, Certificate, Curve, Thresholds
from chatbot.decide.weighing import options_of, shares, weigh
from chatbot.types import Understanding
from knowledge.types import Hit, Passage

CERTIFICATE = Certificate("e", 2, 1, 0.1, 0.95, 9, 0.5, 0.0, 0.1, 0.0, "20260105T000000Z", "chats", 0)
CALIBRATION = Calibration(
    {"en": Curve({"cosine_question": 10.0}, -9.0)}, Thresholds(0.9, 0.95, 0.3, 0.5, 0.7, 0.5), CERTIFICATE
)
INTENT = "points_balance"
ASKED = Understanding(
    "do points expire",
    "en",
    intent=INTENT,
    confidence=0.5,
    near={INTENT: 0.90},
    scores={INTENT: 0.5},
    unanswered=0.80,
    remark=0.70,
)
CONTEXT = "do points expire < hm"


def hit(nearness: float, *, exact: float = 0.0, source: str = "faq") -> Hit:
    passage = Passage(f"{source}:points", "18 months.", "Do points expire?", source, "en")  # type: ignore[arg-type]
    features = {"cosine_question": 0.9, "nearness": nearness, "exact": exact}
    return Hit(passage, 0.5, 1, features=features)


def case(number: int, *, in_chat: bool) -> Case:
    """In turn the answer is meant, the intent, nothing that is known, and nothing at all; what is meant is nearest."""
    meant = number % 4
    nearness = [0.95 if place == meant else 0.85 for place in range(4)]
    read_as = CONTEXT if in_chat else ""
    understood = replace(
        ASKED, near={INTENT: nearness[1]}, unanswered=nearness[2], remark=nearness[3], read_as=read_as
    )
    answers = [("faq:points",), (f"intent:{INTENT}",), (), None][meant]
    question = Question("do points expire", "en", frozenset({"faq:points"}), "chat", read_as)
    return Case(understood, Judged(question, [hit(nearness[0])], [meant == 0]), answers)


CASES = [case(number, in_chat=in_chat) for in_chat in (False, True) for number in range(240)]


def fitted(cases: list[Case]) -> Calibration:
    def certificate(figures: Mapping[str, float | int | str]) -> Certificate:
        return replace(CERTIFICATE, questions=int(figures["questions"]))

    return with_choice(CALIBRATION, cases, certificate=certificate, risk=0.1, confidence=0.95, seed=0)


FITTED = fitted(CASES)


@pytest.mark.parametrize("read_as", ["", CONTEXT])
def test_what_is_nearest_is_meant(read_as: str) -> None:
    asked = replace(ASKED, read_as=read_as)

    for_answer, near = weigh(replace(asked, near={INTENT: 0.85}), [hit(0.95)], FITTED.choice)
    for_intent, far = weigh(replace(asked, near={INTENT: 0.95}), [hit(0.85)], FITTED.choice)

    assert near[0].score > 0.8 > 0.2 > far[0].score
    assert for_intent.confidence > 0.8 > 0.2 > for_answer.confidence
    assert for_intent.act == for_answer.act == "ask"


def test_where_nothing_that_is_known_is_nearest_neither_answer_nor_intent_is_likely() -> None:
    understood, hits = weigh(replace(ASKED, near={INTENT: 0.85}, unanswered=0.95), [hit(0.85)], FITTED.choice)

    assert understood.confidence + hits[0].score < 0.2


def test_a_remark_is_small_talk_unless_the_customer_is_angry() -> None:
    remark = replace(ASKED, near={INTENT: 0.85}, remark=0.95)

    calm, _ = weigh(remark, [hit(0.85)], FITTED.choice)
    angry, _ = weigh(replace(remark, sentiment=-0.9), [hit(0.85)], FITTED.choice)

    assert (calm.act, calm.intent) == ("smalltalk", "smalltalk.acknowledge")
    assert (angry.act, angry.intent) == ("ask", INTENT)


def test_probabilities_of_all_that_may_be_meant_sum_to_one() -> None:
    options = options_of(ASKED, [hit(0.9)])

    assert [option.kind for option in options] == ["answer", "intent", "nothing", "remark"]
    assert sum(shares(options, FITTED.choice, in_chat=False)) == pytest.approx(1.0)


def test_thresholds_are_those_of_what_is_weighed() -> None:
    # The fitted curve of hits alone is never sure (.5); what is weighed is, and right.
    assert FITTED.thresholds.answer == FITTED.thresholds.intent < 0.5
    assert FITTED.thresholds.compose == CALIBRATION.thresholds.compose
    assert FITTED.certificate.questions == sum(one.answers is not None for one in CASES)
    assert any(point.risk == 0.05 and point.kept and point.coverage > 0.9 for point in FITTED.points)


def test_nothing_is_weighed_without_chats_or_where_nothing_was_classified() -> None:
    hits = [hit(0.95)]

    assert fitted(CASES[:240]) is CALIBRATION  # first messages alone
    assert weigh(ASKED, hits, {}) == (ASKED, hits)
    given = replace(ASKED, near={})
    assert weigh(given, hits, FITTED.choice) == (given, hits)


def test_the_customer_s_language_comes_first() -> None:
    own, other = hit(0.93), hit(0.95)
    other = replace(other, passage=replace(other.passage, id="faq:points-zh", locale="zh"))
    asked = replace(ASKED, near={INTENT: 0.85})

    _, weighed = weigh(asked, [other, own], FITTED.choice)

    assert [one.passage.locale for one in weighed] == ["en", "zh"]


def test_a_document_and_a_question_word_for_word_keep_their_probability() -> None:
    hits = [hit(0.85, exact=1.0), hit(0.85, source="document")]

    _, weighed = weigh(ASKED, hits, FITTED.choice)

    assert [one.score for one in weighed] == [0.5, 0.5]
    assert [one.rank for one in weighed] == [1, 2]
