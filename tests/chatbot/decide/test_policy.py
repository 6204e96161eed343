"""The rules of the policy, each as a promise."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from chatbot.decide.policy import RulePolicy
from chatbot.decide.thresholds import Thresholds
from chatbot.types import (
    AnswerFrom,
    AskSlot,
    Clarify,
    Decision,
    Decline,
    Handoff,
    Message,
    Reply,
    Turn,
    Understanding,
    UseTemplate,
)
from knowledge.sources.intents import Intent
from knowledge.types import Hit, Passage

ORDER = Intent.model_validate(
    {
        "name": "order_status",
        "description": "Where is my order?",
        "examples": {"en": ["where is my order"]},
        "slots": [{"name": "order_id", "type": "pattern", "pattern": "A\\d", "ask": {"en": "Which?"}}],
        "templates": [{"text": {"en": "On its way: {order_id}"}}],
    }
)
URGE = ORDER.model_copy(update={"name": "urge_delivery", "description": "Hurry it up"})
COMPLAINT = Intent.model_validate({"name": "complaint", "handoff": "always"})
CARE = Intent.model_validate(
    {"name": "care.emergency", "description": "Danger.", "templates": [{"text": {"en": "Call 112."}}]}
)
CANCEL = Intent.model_validate({"name": "smalltalk.cancel", "templates": [{"text": {"en": "Fine."}}]})
HELLO = Intent.model_validate(
    {"name": "smalltalk.greeting", "description": "Hello.", "templates": [{"text": {"en": "Hi."}}]}
)
THANKS = Intent.model_validate({"name": "smalltalk.thanks", "templates": [{"text": {"en": "Gladly."}}]})
POLICY = RulePolicy(
    intents={intent.name: intent for intent in (THANKS, ORDER, URGE, COMPLAINT, CARE, CANCEL, HELLO)},
    thresholds=Thresholds(answer=0.8, strict=0.9, clarify=0.4, compose=0.5, intent=0.6, suggest=0.7),
    calibration="c1",
)
ASKED = Understanding(query="q", language="en")


def hit(score: float, *, source: str = "faq", name: str = "a", **features: float) -> Hit:
    passage = Passage(f"{source}:{name}", "text", f"title {name}", source, "en")  # type: ignore[arg-type]
    return Hit(passage, score, 1, features=features)


def turn(decision: Decision, *, sentiment: float = 0.0) -> Turn:
    message = Message("c", "text", datetime(2026, 1, 5, tzinfo=UTC))
    understood = Understanding(query="text", language="en", sentiment=sentiment)
    return Turn("t", message, understood, (), decision, Reply("reply"), {}, {})


def decide(understanding: Understanding, *hits: Hit, history: tuple[Turn, ...] = ()) -> Decision:
    return POLICY.decide(understanding, hits, history).decision


def test_a_customer_who_asks_for_a_person_gets_one_whatever_the_score() -> None:
    decision = decide(replace(ASKED, act="human"), hit(0.99))

    assert decision == Handoff("requested")


def test_danger_comes_before_everything() -> None:
    assert decide(replace(ASKED, act="urgent"), hit(0.99)) == UseTemplate("care.emergency")


def test_small_talk_is_answered_by_its_template() -> None:
    understanding = replace(ASKED, act="smalltalk", intent="smalltalk.greeting")

    assert decide(understanding) == UseTemplate("smalltalk.greeting")


def test_thanks_among_other_words_are_heard_where_nothing_sure_is_asked() -> None:
    thanked = replace(ASKED, courteous=True)
    before = (turn(UseTemplate("order_status")),)

    assert decide(thanked, hit(0.75), history=before) == UseTemplate("smalltalk.thanks")
    assert decide(thanked, history=before) == UseTemplate("smalltalk.thanks")
    assert isinstance(decide(thanked, hit(0.9), history=before), AnswerFrom)
    assert decide(thanked) != UseTemplate("smalltalk.thanks")  # nobody thanks first
    angry = replace(thanked, sentiment=-0.9)
    assert decide(angry, history=before) != UseTemplate("smalltalk.thanks")


def test_thanks_behind_what_was_told_do_not_tell_it_again() -> None:
    held = {"order_id": "A1"}
    before = (turn(UseTemplate("order_status", held)), turn(AnswerFrom(("faq",), verbatim=True)))
    closing = replace(
        ASKED, query="fine, good to know, thanks", intent="order_status", confidence=0.99, slots=held
    )
    thanks, again = UseTemplate("smalltalk.thanks"), UseTemplate("order_status", held)

    assert decide(replace(closing, courteous=True), history=before) == thanks
    assert decide(closing, history=before) == again
    assert decide(replace(closing, courteous=True, query="a1 then, thanks"), history=before) == again
    other = replace(closing, courteous=True, slots={"order_id": "A2"})
    assert decide(other, history=before) == UseTemplate("order_status", other.slots)


def test_a_word_of_displeasure_is_heard_and_the_second_one_brings_a_person() -> None:
    held = {"order_id": "A1"}
    grumble = replace(ASKED, query="this is ridiculous", sentiment=-0.5, new_words=("ridiculous",))
    before = turn(UseTemplate("order_status", held))
    same = replace(grumble, intent="order_status", confidence=0.99, slots=held)

    assert decide(grumble, hit(0.4), history=(before,)) == Decline("unhappy")
    assert decide(same, history=(before,)) == Decline("unhappy")  # the record again would not help
    assert decide(grumble, history=(before, turn(Decline("unhappy")))) == Handoff("unhappy")


def test_displeasure_that_asks_something_is_answered() -> None:
    grumble = replace(ASKED, sentiment=-0.5, new_words=("ridiculous",))
    before = (turn(UseTemplate("order_status", {"order_id": "A1"})),)
    other = replace(grumble, intent="order_status", confidence=0.99, slots={"order_id": "A2"})

    assert isinstance(decide(grumble, hit(0.95), history=before), AnswerFrom)
    assert decide(other, history=before) == UseTemplate("order_status", {"order_id": "A2"})
    assert decide(grumble) != Decline("unhappy")  # nothing was said yet that may have displeased
    wordy = replace(grumble, new_words=("charger", "gets", "hot", "ridiculous"))
    assert decide(wordy, history=before) != Decline("unhappy")


def test_a_dropped_task_is_confirmed() -> None:
    assert decide(replace(ASKED, act="cancel")) == UseTemplate("smalltalk.cancel")


def test_a_chosen_option_is_answered_word_for_word() -> None:
    understanding = replace(ASKED, passage_id="faq:b")

    assert decide(understanding, hit(0.1)) == AnswerFrom(("faq:b",), verbatim=True)


def test_a_sure_intent_with_its_slots_uses_the_template() -> None:
    understanding = replace(ASKED, intent="order_status", confidence=0.9, slots={"order_id": "A1"})

    assert decide(understanding, hit(0.5)) == UseTemplate("order_status", {"order_id": "A1"})


def test_a_missing_slot_is_asked_for() -> None:
    understanding = replace(ASKED, intent="order_status", confidence=0.9)

    assert decide(understanding) == AskSlot("order_status", "order_id", {}, 1)


def test_a_slot_is_asked_twice_and_then_a_person_comes() -> None:
    understanding = replace(ASKED, act="inform", intent="order_status", confidence=0.9)
    asked = turn(AskSlot("order_status", "order_id"))

    second = decide(understanding, history=(asked,))
    third = decide(understanding, history=(asked, asked))

    assert second == AskSlot("order_status", "order_id", {}, 2)
    assert third == Handoff("no_answer", "order_status")


def test_an_intent_that_always_needs_a_person_gets_one() -> None:
    understanding = replace(ASKED, intent="complaint", confidence=0.9)

    assert decide(understanding) == Handoff("intent", "complaint")


def test_a_sure_intent_comes_before_a_sure_stored_answer() -> None:
    understanding = replace(ASKED, intent="order_status", confidence=0.85)

    decision = decide(understanding, hit(0.86))

    assert decision == AskSlot("order_status", "order_id", {}, 1, passage_id="faq:a")


def test_a_stored_answer_that_holds_at_half_the_risk_beats_a_much_less_certain_intent() -> None:
    understanding = replace(ASKED, intent="order_status", confidence=0.7)

    assert decide(understanding, hit(0.95)) == AnswerFrom(("faq:a",), verbatim=True)


def test_a_likely_intent_is_followed_where_nothing_stored_is_likelier() -> None:
    understanding = replace(ASKED, intent="order_status", confidence=0.55)

    followed, not_followed = decide(understanding, hit(0.3)), decide(understanding, hit(0.6))

    assert followed == AskSlot("order_status", "order_id", {}, 1)
    assert isinstance(not_followed, Clarify)


def test_a_likely_answer_is_offered_with_others_to_choose_from() -> None:
    decision = decide(ASKED, hit(0.75), hit(0.3, name="b"))

    assert decision == AnswerFrom(("faq:a", "faq:b"), verbatim=True, sure=False)


def test_the_very_words_of_a_stored_question_beat_an_intent_that_is_not_certain() -> None:
    understanding = replace(ASKED, intent="order_status", confidence=0.97)

    assert decide(understanding, hit(0.9, exact=1.0)) == AnswerFrom(("faq:a",), verbatim=True)


def test_an_unsure_intent_is_not_acted_on() -> None:
    understanding = replace(ASKED, intent="order_status", confidence=0.5)

    assert decide(understanding, hit(0.85)) == AnswerFrom(("faq:a",), verbatim=True)


def test_between_the_thresholds_the_bot_asks_what_was_meant() -> None:
    decision = decide(ASKED, hit(0.6), hit(0.3, name="b"))

    assert isinstance(decision, Clarify)
    assert [option.passage_id for option in decision.options] == ["faq:a", "faq:b"]


def test_an_intent_that_is_nearly_sure_is_among_the_options() -> None:
    understanding = replace(ASKED, intent="order_status", confidence=0.55)

    decision = decide(understanding, hit(0.6), hit(0.3, name="b"))

    assert isinstance(decision, Clarify)
    assert [option.intent for option in decision.options] == ["order_status", None]


def test_intents_that_ask_for_the_same_first_are_as_likely_as_all_of_them() -> None:
    scores = {"order_status": 0.35, "urge_delivery": 0.3, "complaint": 0.05}
    weighed = replace(
        ASKED, intent="order_status", confidence=0.35, scores=scores, near=dict.fromkeys(scores, 0.9)
    )

    assert decide(weighed, hit(0.2)) == AskSlot("order_status", "order_id")
    told = replace(weighed, slots={"order_id": "A1"})
    assert isinstance(decide(told, hit(0.2)), Clarify)  # with the number their answers differ
    assert not isinstance(decide(replace(weighed, near={}), hit(0.2)), AskSlot)


def test_what_was_weighed_is_asked_about_the_likeliest_first() -> None:
    weighed = replace(
        ASKED, intent="order_status", confidence=0.2, scores={"order_status": 0.2}, near={"order_status": 0.9}
    )

    decision = decide(replace(weighed, confidence=0.3), hit(0.2), hit(0.1, name="b"))

    assert isinstance(decision, Clarify)
    assert [option.passage_id or option.intent for option in decision.options] == [
        "order_status",
        "faq:a",
        "faq:b",
    ]


def test_of_what_was_weighed_the_likeliest_answer_is_shown_rather_than_asked_about() -> None:
    hits = hit(0.3), hit(0.2, name="b")
    weighed = replace(ASKED, intent="order_status", scores={"order_status": 0.1}, near={"order_status": 0.9})

    assert decide(weighed, *hits) == AnswerFrom(("faq:a", "faq:b"), verbatim=True, sure=False)
    assert isinstance(decide(replace(weighed, near={}), *hits), Clarify)


def test_instead_of_asking_the_same_twice_in_a_row_the_likeliest_answer_is_shown() -> None:
    asked = turn(decide(ASKED, hit(0.6)))

    same, other = (
        decide(ASKED, hit(0.6), history=(asked,)),
        decide(ASKED, hit(0.6, name="b"), history=(asked,)),
    )

    assert same == AnswerFrom(("faq:a",), verbatim=True, sure=False)
    assert isinstance(other, Clarify)


def test_a_document_passage_is_composed_from_when_no_stored_answer_is_sure() -> None:
    decision = decide(ASKED, hit(0.7, source="document"), hit(0.6, source="document", name="b"), hit(0.2))

    assert decision == AnswerFrom(("document:a", "document:b"), verbatim=False)


def test_nothing_found_is_declined_as_out_of_scope() -> None:
    assert decide(ASKED, hit(0.05)) == Decline("out_of_scope")


def test_two_questions_in_vain_bring_a_person() -> None:
    first = decide(ASKED, hit(0.3))
    second = decide(ASKED, hit(0.3), history=(turn(first),))

    assert (first, second) == (Decline("no_answer"), Handoff("no_answer"))


def test_chatter_far_from_the_company_never_calls_a_person() -> None:
    decision = decide(ASKED, hit(0.01), history=(turn(Decline("out_of_scope")),))

    assert decision == Decline("out_of_scope")


def test_an_angry_customer_who_was_not_helped_gets_a_person() -> None:
    angry = replace(ASKED, sentiment=-0.9)

    decision = decide(angry, hit(0.7), history=(turn(Decline("no_answer")),))

    assert decision == Handoff("unhappy")


def test_an_angry_customer_whose_question_has_an_answer_gets_the_answer() -> None:
    angry = replace(ASKED, sentiment=-0.9)

    decision = decide(angry, hit(0.85), history=(turn(Decline("no_answer")),))

    assert decision == AnswerFrom(("faq:a",), verbatim=True)


def test_a_stale_certificate_asks_for_more() -> None:
    stale = replace(POLICY, strict="the encoder is another one")

    verdict = stale.decide(ASKED, [hit(0.85)], ())

    assert verdict.decision == AnswerFrom(("faq:a",), verbatim=True, sure=False)
    assert stale.version == "c1+strict"
    assert "strict" in stale.decide(ASKED, [hit(0.95)], ()).reason
