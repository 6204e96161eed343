"""How turns become messages, why an answer was given, and that both languages say everything."""

from __future__ import annotations

import html
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from chatbot.types import (
    AnswerFrom,
    AskSlot,
    Citation,
    Clarify,
    Decision,
    Decline,
    DeclineReason,
    Handoff,
    HandoffReason,
    Message,
    Option,
    Reply,
    Turn,
    Understanding,
    UseTemplate,
)
from knowledge.types import Hit, Passage
from ui.chat_page import remember
from ui.page.messages import arriving_message, conversation, explanation, plain, turn_messages, user_message
from ui.page.texts import texts

DECISIONS: list[Decision] = [
    UseTemplate("order"),
    AnswerFrom(("faq:1",), verbatim=True),
    AnswerFrom(("faq:1",), verbatim=True, sure=False),
    AnswerFrom(("faq:1",), verbatim=False),
    AskSlot("order", "order_id"),
    Clarify((Option("a"), Option("b"))),
    *(Decline(reason) for reason in get_args(DeclineReason)),
    *(Handoff(reason) for reason in get_args(HandoffReason)),
]


def made_turn(text: str = "how do i return?", reply: Reply | None = None, **changes: Any) -> Turn:
    turn = Turn(
        id="t1",
        message=Message("c1", text, datetime(2026, 1, 1, tzinfo=UTC)),
        understanding=Understanding(query=text, language="en"),
        hits=[Hit(Passage("faq:1", "Within 15 days.", "Returns <b>", "faq", "en"), 0.914, 1, "return it?")],
        decision=AnswerFrom(("faq:1",), verbatim=True),
        reply=reply or Reply("Within 15 days."),
        seconds={"search": 0.0042, "total": 0.0061},
        versions={"index": "7-abc"},
        reason="P(answers) = 0.91 < 1.",
    )
    return replace(turn, **changes)


def keys(words: Any) -> Any:
    return {name: keys(value) for name, value in words.items()} if isinstance(words, dict) else type(words)


def test_both_languages_have_the_same_words() -> None:
    assert keys(texts("zh")) == keys(texts("en"))
    assert len(texts("zh")["reasons"]) == len(texts("en")["reasons"])


def test_a_language_that_is_not_spoken_is_english() -> None:
    assert texts("fr") is not None
    assert texts("fr") == texts("en")


def test_no_html_and_no_image_of_an_answer_reaches_the_page() -> None:
    shown = plain("<img src=x> ![pixel](http://tracker.example/a.png) ![b][ref]\nnext")

    assert shown == "&lt;img src=x> [pixel](http://tracker.example/a.png) [b][ref]  \nnext"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[x](file:///etc/passwd)", r"[x]\(file:///etc/passwd)"),
        ("[x](/api/reset)", r"[x]\(/api/reset)"),
        ("[x](java&#115;cript:a)", r"[x]\(java&#115;cript:a)"),
        ("[x]: data:text/html,x", r"[x]\: data:text/html,x"),
        ("[x](HTTPS://shop.example) [m](mailto:a@b.c) [t]( tel:1)",) * 2,
    ],
)
def test_a_link_leads_to_a_page_an_address_or_a_number_or_is_none(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_an_answer_that_is_still_arriving_is_as_harmless_as_a_whole_one() -> None:
    said = "a <b> ![x](http://tracker.example/a.png)"

    assert arriving_message(said)["content"] == plain(said)


def test_what_a_customer_wrote_makes_no_markup_and_no_link() -> None:
    shown = user_message("*a* [b](http://c.example) <i> &lt; `d`")["content"]

    assert shown == r"\*a\* \[b\]\(http\:\/\/c\.example\) &lt;i\> \&lt; \`d\`"


def test_sources_are_one_folded_message_with_links_only_to_the_web() -> None:
    reply = Reply(
        "Yes.",
        [
            Citation("faq:1", "Returns", "Within\n15 days.", "faq", "https://shop.example/returns"),
            Citation("faq:2", "Evil", "x", "faq", "javascript:alert(1)"),
            Citation("faq:3", "None", "y", "faq"),
        ],
    )

    answer, sources = turn_messages(made_turn(reply=reply), "en", last=False)

    assert answer["content"] == "Yes."
    assert sources["metadata"]["title"] == "Sources · 3"
    assert "**1. Returns** [Open the source](https://shop.example/returns)" in sources["content"]
    assert "> Within  \n> 15 days." in sources["content"]
    assert "javascript" not in sources["content"]


def test_quick_replies_are_buttons_of_the_last_turn_only() -> None:
    turn = made_turn(reply=Reply("Yes.", quick_replies=["More"]))

    shown = conversation([turn, turn], "en")

    assert [message["role"] for message in shown] == ["user", "assistant", "user", "assistant"]
    assert "options" not in shown[1]
    assert shown[3]["options"] == [{"value": "More", "label": "More"}]


@pytest.mark.parametrize(("said", "shown"), [("Within", "Within\n\n*（已停止）*"), ("", "*（已停止）*")])
def test_an_answer_that_was_stopped_says_so(said: str, shown: str) -> None:
    turn = made_turn(reply=Reply(said, finish="interrupted"))

    assert turn_messages(turn, "zh", last=True)[0]["content"] == shown


def test_why_shows_the_rule_the_hits_with_probabilities_and_the_times() -> None:
    understood = Understanding("q", "en", intent="order", confidence=0.97, slots={"id": "5"}, rewritten=True)
    turn = made_turn(understanding=understood, reply=Reply("x", refused=["'9 days' stands nowhere"]))

    shown = explanation(turn, "en")

    for told in (
        "One stored answer is sure enough", "P(answers) = 0.91 &lt; 1.", "q (completed from the context)", "order · 97%",
        "id = 5", "&#x27;9 days&#x27; stands nowhere", "<b>91%</b> Returns &lt;b&gt;", "faq:1 ← return it?",
        "search 4 ms", "total 6 ms", "index 7-abc",
    ):  # fmt: skip
        assert told in shown


def test_why_is_told_also_when_nothing_was_found_or_asked() -> None:
    assert "<p>—</p>" in explanation(made_turn(hits=[]), "zh")
    assert texts("zh")["why_empty"] in explanation(None, "zh")


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: str(decision)[:40])
def test_every_decision_is_explained_in_the_readers_language(decision: Decision, language: str) -> None:
    shown = explanation(made_turn(decision=decision), language)

    assert html.escape(texts(language)["decisions"][decision.kind]) in shown


def test_the_open_conversation_comes_first_under_its_first_message() -> None:
    saved = remember({"language": "zh"}, "a", "first of a")
    saved = remember(saved, "b", "first of b")

    saved = remember(saved, "a", "second of a")

    assert saved["language"] == "zh"
    assert [(one["id"], one["title"]) for one in saved["conversations"]] == [
        ("a", "first of a"),
        ("b", "first of b"),
    ]
