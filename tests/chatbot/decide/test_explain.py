"""What would have changed a decision."""

from __future__ import annotations

from dataclasses import replace

from test_policy import ASKED, POLICY, hit, turn

from chatbot.decide.explain import what_would_change
from chatbot.types import AnswerFrom, AskSlot, Decline, Handoff, UseTemplate


def told(**changes: object) -> dict[str, object]:
    """Condition -> decision of each single change."""
    asked = replace(ASKED, **changes)  # type: ignore[arg-type]
    hits = (hit(0.75), hit(0.1, name="b"))
    before = POLICY.decide(asked, hits, ()).decision
    one = replace(turn(before), understanding=asked, hits=hits)
    return {change.condition: change.decision for change in what_would_change(POLICY, one, ())}


def test_it_tells_what_would_have_led_to_another_answer() -> None:
    changes = told(intent="order_status", confidence=0.3)

    assert changes["the intent 'order_status' were 0.60 sure and not 0.30"] == AskSlot(
        "order_status", "order_id", passage_id="faq:a"
    )
    assert changes["nothing stored had been found"] == Decline("out_of_scope")
    claimed = "the answer to “title a” were 0.80 likely to be right and not 0.75"
    assert changes[claimed] == AnswerFrom(("faq:a",), verbatim=True)


def test_it_names_the_slot_whose_value_would_have_been_enough() -> None:
    changes = told(intent="order_status", confidence=0.95)

    assert changes["the customer had named order_id"] == UseTemplate("order_status", {"order_id": "?"})
    assert changes["no intent had been recognised"] == AnswerFrom(
        ("faq:a", "faq:b"), verbatim=True, sure=False
    )


def test_anger_that_brought_in_a_person_is_named() -> None:
    angry = replace(ASKED, sentiment=-0.9)
    helpless = turn(Decline("no_answer"))
    one = replace(turn(Handoff("unhappy")), understanding=angry, hits=(hit(0.75),))

    changes = what_would_change(POLICY, one, (helpless,))

    assert {change.condition for change in changes} >= {"the customer were calm"}
