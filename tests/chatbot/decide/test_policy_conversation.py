"""Rules that look at what was said before, and at questions that may mean two things."""

from __future__ import annotations

from dataclasses import replace

from test_policy import ASKED, POLICY, decide, hit, turn

from chatbot.types import AnswerFrom, AskSlot, Clarify, Decline, Reply, Several, Understanding, UseTemplate

ORDER = replace(ASKED, intent="order_status", confidence=0.8)
STAYS = replace(
    ASKED,
    intent="order_status",
    confidence=0.3,
    slots={"order_id": "A1"},
    new_words=("pay", "customs"),
    stays=True,
)


def test_who_may_ask_for_the_rule_or_for_their_own_case_gets_the_rule_and_is_asked_for_the_case() -> None:
    assert decide(ORDER, hit(0.82)) == AskSlot("order_status", "order_id", passage_id="faq:a")


def test_an_intents_own_example_or_a_less_likely_rule_asks_for_the_case_alone() -> None:
    certain, likelier = replace(ORDER, confidence=0.999), replace(ORDER, confidence=0.95)

    assert decide(certain, hit(0.82)) == decide(likelier, hit(0.82)) == AskSlot("order_status", "order_id")


def test_a_question_in_place_of_a_slots_value_is_answered_and_costs_no_attempt() -> None:
    asked = turn(AskSlot("order_status", "order_id"))
    inform = replace(ORDER, act="inform", confidence=1.0)

    ruled = decide(inform, hit(0.6), history=(asked,))
    again = decide(inform, history=(asked, turn(ruled)))

    assert ruled == AskSlot("order_status", "order_id", passage_id="faq:a")
    assert again == AskSlot("order_status", "order_id", attempt=2)


def test_a_value_put_right_instead_of_the_one_asked_for_costs_no_attempt() -> None:
    asked = turn(AskSlot("order_status", "order_id", {"product": "lamp"}))
    same = replace(ORDER, act="inform", confidence=1.0, slots={"product": "lamp"})

    assert decide(replace(same, act="correct", slots={"product": "hub"}), history=(asked,)) == AskSlot(
        "order_status", "order_id", {"product": "hub"}
    )
    assert decide(same, history=(asked,)) == AskSlot(
        "order_status", "order_id", {"product": "lamp"}, attempt=2
    )


def test_a_likely_wish_whose_slots_are_known_is_followed_and_not_asked_back_about() -> None:
    likely = replace(ORDER, confidence=0.45)
    known = replace(likely, slots={"order_id": "A1"})

    assert isinstance(decide(likely, hit(0.3)), Clarify)
    assert decide(known, hit(0.3)) == UseTemplate("order_status", {"order_id": "A1"})


def test_what_stands_in_the_own_case_just_told_is_told_again_unless_a_stored_answer_is_sure() -> None:
    told = UseTemplate("order_status", {"order_id": "A1"})
    record = replace(turn(told), reply=Reply("Out of stock, expected back on 2026-12-05."))
    asks = replace(ASKED, read_as="when is it back < is it in stock", new_words=("back",))

    assert decide(asks, hit(0.82), history=(record,)) == told
    assert decide(replace(asks, new_words=()), history=(record,)) == told
    assert decide(asks, hit(0.82), history=(record, record)) == AnswerFrom(("faq:a",), verbatim=True)
    assert decide(asks, hit(0.95), history=(record,)) == AnswerFrom(("faq:a",), verbatim=True)
    other = replace(asks, new_words=("back", "colours"))
    assert decide(other, hit(0.82), history=(record,)) == AnswerFrom(("faq:a",), verbatim=True)
    general = replace(record, decision=UseTemplate("order_status"))
    assert decide(asks, hit(0.82), history=(general,)) == AnswerFrom(("faq:a",), verbatim=True)
    assert decide(replace(asks, courteous=True), history=(record,)) == UseTemplate("smalltalk.thanks")


def test_a_few_words_after_a_template_ask_more_of_it_unless_something_stored_is_likely() -> None:
    before = turn(UseTemplate("order_status", {"order_id": "A1"}))

    stayed, left = (
        decide(STAYS, hit(0.3), history=(before,)),
        decide(STAYS, hit(0.75), history=(before,)),
    )

    assert stayed == UseTemplate("order_status", {"order_id": "A1"})
    assert left == AnswerFrom(("faq:a",), verbatim=True, sure=False)


def test_a_rule_and_a_template_of_carried_slots_are_both_said_where_either_may_be_meant() -> None:
    known = Understanding(query="q", language="en", intent="order_status", slots={"order_id": "A1"})
    before = replace(turn(UseTemplate("order_status", {"order_id": "A1"})), understanding=known)
    asked = replace(ORDER, slots={"order_id": "A1"}, new_words=("money",))

    both = decide(asked, hit(0.82), history=(before,))
    stated = decide(replace(asked, slots={"order_id": "A2"}), hit(0.82), history=(before,))

    assert both == Several((AnswerFrom(("faq:a",), verbatim=True), UseTemplate("order_status", asked.slots)))
    assert stated == UseTemplate("order_status", {"order_id": "A2"})


def test_an_answer_that_was_just_given_is_not_offered_again_unless_it_speaks_of_what_is_new() -> None:
    before = turn(AnswerFrom(("faq:a",), verbatim=True))

    nothing = decide(replace(ASKED, new_words=("wattage",)), hit(0.75), history=(before,))
    again = decide(replace(ASKED, new_words=("text",)), hit(0.75), history=(before,))

    assert nothing == Decline("nothing_more")
    assert again == AnswerFrom(("faq:a",), verbatim=True, sure=False)


def test_what_was_just_said_is_no_option_and_a_likely_intent_alone_is_confirmed() -> None:
    before = turn(AnswerFrom(("faq:a",), verbatim=True))
    intent = replace(ASKED, intent="order_status", confidence=0.45)
    eager = replace(POLICY, thresholds=replace(POLICY.thresholds, intent=0.5))

    options = decide(ASKED, hit(0.5), hit(0.45, name="b"), history=(before,))
    confirmed = eager.decide(intent, (hit(0.2), hit(0.1, name="b")), ()).decision

    assert isinstance(options, Clarify)
    assert [option.passage_id for option in options.options] == ["faq:b"]
    assert isinstance(confirmed, Clarify)
    assert [option.intent for option in confirmed.options] == ["order_status"]


def test_nobody_is_asked_whether_they_meant_what_they_were_just_told() -> None:
    slots = {"order_id": "A1"}
    unsure = replace(ASKED, intent="order_status", confidence=0.45, slots=slots)
    eager = replace(POLICY, thresholds=replace(POLICY.thresholds, intent=0.5))
    told = turn(UseTemplate("order_status", slots))

    first, third = (
        eager.decide(unsure, (hit(0.1),), history).decision for history in ((told,), (told, told))
    )

    assert first == UseTemplate("order_status", slots)  # with its details, then
    assert isinstance(third, Clarify)
    # Nor where nothing else may be meant and nothing has to be asked for; but a case that is not spoken of is.
    assert eager.decide(unsure, (hit(0.1),), ()).decision == UseTemplate("order_status", slots)
    assert isinstance(eager.decide(replace(unsure, slots={}), (hit(0.1),), ()).decision, Clarify)


def test_what_is_nearer_to_other_peoples_business_than_to_anything_stored_is_declined_and_not_asked_about() -> (
    None
):
    weather = replace(ASKED, stranger=0.95)

    assert decide(weather, hit(0.75, cosine_question=0.9)) == Decline("out_of_scope")
    assert isinstance(decide(weather, hit(0.75, cosine_question=0.96)), AnswerFrom)
    assert isinstance(decide(weather, hit(0.85, cosine_question=0.9)), AnswerFrom)


def test_what_is_nearer_to_something_stored_is_not_called_out_of_scope() -> None:
    asked = replace(ASKED, stranger=0.7)

    assert decide(asked, hit(0.02, nearness=0.8)) == Decline("no_answer")
    assert decide(asked, hit(0.02, nearness=0.6)) == Decline("out_of_scope")


def test_a_template_is_not_said_a_third_time_in_a_row() -> None:
    said = turn(UseTemplate("order_status", {"order_id": "A1"}))

    once, twice = decide(STAYS, history=(said,)), decide(STAYS, history=(said, said))

    assert once == UseTemplate("order_status", {"order_id": "A1"})
    assert twice == Decline("nothing_more")


def test_nobody_is_asked_whether_they_meant_danger_or_small_talk() -> None:
    eager = replace(POLICY, thresholds=replace(POLICY.thresholds, intent=0.5))

    for name in ("care.emergency", "smalltalk.greeting"):
        unsure = replace(ASKED, intent=name, confidence=0.45)
        assert eager.decide(unsure, (hit(0.1),), ()).decision == Decline("out_of_scope")


def test_after_a_joke_was_declined_what_is_likely_known_is_answered_and_the_rest_is_more_of_the_joke() -> (
    None
):
    declined = turn(Decline("out_of_scope"))
    asked = replace(ASKED, rewritten=True)

    likely, unlikely = (
        decide(asked, hit(0.75), history=(declined,)),
        decide(asked, hit(0.3), history=(declined,)),
    )

    assert likely == AnswerFrom(("faq:a",), verbatim=True, sure=False)
    assert unlikely == Decline("out_of_scope")


def test_options_are_in_the_customers_language_where_there_are_any() -> None:
    chinese = hit(0.35, name="zh")
    chinese = replace(chinese, passage=replace(chinese.passage, locale="zh"))

    mixed, foreign = decide(ASKED, chinese, hit(0.3), hit(0.2, name="b")), decide(ASKED, chinese, chinese)

    assert isinstance(mixed, Clarify)
    assert [option.passage_id for option in mixed.options] == ["faq:a", "faq:b"]
    assert isinstance(foreign, Clarify)
