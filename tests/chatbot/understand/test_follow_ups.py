"""Follow-ups are completed from the conversation; standalone questions are left alone."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import bm25s
import numpy as np
import pytest
from understand_turns import answered, asked, told, turn

from chatbot.types import Clarify, Option
from chatbot.understand.rewrite import Rewriter, chosen_option, hangs_on_context, new_in
from knowledge.lexical import tokenize

WORDINGS = [
    "怎么退货",
    "国际订单怎么退货",
    "会员怎么升级",
    "How do I return a phone?",
    "Can I return opened boxes?",
    "invoice",
]


@pytest.fixture(scope="module")
def rewriter() -> Rewriter:
    return Rewriter(WORDINGS)


@pytest.mark.parametrize(
    ("before", "text", "query"),
    [
        ("怎么退货", "那国际的呢", "退货 国际的"),
        ("怎么退货？", "要多久", "退货 要多久"),
        ("会员怎么升级", "它怎么收费", "会员 升级 它怎么收费"),
        ("How do I return a phone?", "and for opened boxes?", "return phone for opened boxes?"),
        ("How do I return a phone?", "how long does it take?", "return phone how long does it take?"),
    ],
)
def test_a_follow_up_gets_the_topic_of_the_question_before(
    rewriter: Rewriter, before: str, text: str, query: str
) -> None:
    assert rewriter.standalone(text, [turn(before)]) == query


@pytest.mark.parametrize(
    "text",
    ["怎么开发票", "我的订单呢", "你们支持货到付款吗", "Where is my order?", "do you ship to Canada?", "My phone broke, can I return it?",
     "Is it possible to pay in cash?", "pages that are missing", "发票", "KF20260311", "👍"],
)  # fmt: skip
def test_a_change_of_topic_is_not_polluted(rewriter: Rewriter, text: str) -> None:
    assert rewriter.standalone(text, [turn("怎么退货"), turn("How do I return a phone?")]) == text


@pytest.mark.parametrize(
    "text",
    [
        "要多久",
        "多少钱",
        "那国际的呢",
        "国际的呢",
        "怎么申请",
        "需要什么材料",
        "为什么",
        "它支持快充吗",
        "这个多少钱",
        "那如果是拆封的呢",
        "还有别的办法吗",
        "要收费吗",
        "在哪里申请",
        "然后呢",
        "那耳机呢",
        "超过15天呢",
        "那款有黑色吗",
        "这个支持退货吗",
        "什么时候生效",
        "详细说说",
        "那运费谁出",
        "运费呢",
        "这样的话要多久",
        "怎么治",
        "and for opened boxes?",
        "how long?",
        "how long does it take?",
        "what about international orders?",
        "how much does it cost?",
        "why?",
        "and to Canada?",
        "for opened boxes?",
        "is it free?",
        "does it apply to headphones?",
        "where do I find it?",
        "how about the other one",
        "who pays for that?",
        "can they deliver on weekends?",
        "with PayPal?",
        "after 30 days?",
        "what else do I need?",
        "how do I do that",
        "and the shipping cost?",
        "can it be extended?",
        "can I pay there?",
    ],
)
def test_a_message_that_cannot_stand_alone_says_so(text: str) -> None:
    assert hangs_on_context(text)


def test_this_thing_points_back_only_where_such_a_thing_was_spoken_of() -> None:
    assert hangs_on_context("Does this restaurant serve wine?", "I look for a restaurant in the north")
    assert not hangs_on_context("Does this restaurant serve wine?", "how do I return a phone")


def test_small_talk_is_looked_past_and_a_dropped_task_is_no_topic(rewriter: Rewriter) -> None:
    past_thanks = rewriter.standalone("要多久", [turn("怎么退货"), turn("谢谢", act="smalltalk")])
    after_cancel = rewriter.standalone("要多久", [turn("怎么退货"), turn("算了", act="cancel")])

    assert past_thanks == "退货 要多久"
    assert after_cancel == "要多久"


def test_the_title_of_the_answer_and_a_composed_reply_are_part_of_the_topic(rewriter: Rewriter) -> None:
    stored = rewriter.standalone("要多久", [answered("东西不想要", "国际订单怎么退货")])
    composed = rewriter.standalone(
        "how long?", [answered("hm", "x", verbatim=False, reply="You can return it.")]
    )

    assert stored == "国际 订单 退货 要多久"
    assert composed == "return how long?"


def test_slot_values_and_order_numbers_are_no_topic() -> None:
    rewriter = Rewriter([*WORDINGS, "KF20260311"])
    history = [asked("怎么退货 KF20260311", "return_goods", "order_id"), turn("KF20260311", act="inform")]

    assert rewriter.standalone("要多久", history) == "退货 要多久"


def test_without_a_conversation_or_a_known_topic_nothing_changes(rewriter: Rewriter) -> None:
    assert rewriter.standalone("要多久", []) == "要多久"
    assert rewriter.standalone("要多久", [turn("嗯")]) == "要多久"


def test_joints_of_a_follow_up_are_left_out() -> None:
    assert [new_in(text) for text in ("那国际的呢", "呢", "what about gifts?", "也可以吗？")] == [
        "国际的",
        "呢",
        "gifts?",
        "也可以吗",
    ]


@pytest.mark.parametrize(
    ("text", "picked"),
    [
        ("1", "p1"),
        ("第二个", "p2"),
        ("the last one", "p2"),
        ("怎么退货", "p1"),
        ("怎么退货？", "p1"),
        ("运费", "p2"),
        ("保修多久", None),
        ("？", None),
    ],
)
def test_an_option_is_picked_by_place_label_or_part_of_it(text: str, picked: str | None) -> None:
    options = (Option("怎么退货？", passage_id="p1"), Option("退货的运费谁付？", passage_id="p2"))

    option = chosen_option(text, turn("退", Clarify(options)))

    assert (option.passage_id if option else None) == picked


def test_a_question_shown_beside_the_answer_is_picked_only_word_for_word() -> None:
    last = answered("退货", "怎么退货", shown=["运费谁付？"])

    same = chosen_option("运费谁付", last)
    other = chosen_option("运费", last)

    assert same is not None
    assert same.passage_id == "p1"
    assert other is None
    assert chosen_option("1", told("查订单", "order_status")) is None
    assert chosen_option("1", None) is None


def test_completed_follow_ups_find_more_answers_of_real_dialogues(shared_data: Path) -> None:
    folder = shared_data / "dialogue/hotels_restaurants_en"
    with (folder / "faq.csv").open(encoding="utf-8-sig") as file:
        faqs = list(csv.DictReader(file))
    dialogues = [json.loads(line) for line in (folder / "dialogues.jsonl").read_text("utf-8").splitlines()]
    rows = {faq["id"]: row for row, faq in enumerate(faqs)}
    index = bm25s.BM25()
    index.index([tokenize(faq["question"]) for faq in faqs], show_progress=False)
    rewriter = Rewriter(faq["question"] for faq in faqs)

    bare, completed = 0, 0
    for dialogue in dialogues:
        texts = [said["text"] for said in dialogue["turns"]]
        right = [rows[name] for name in dialogue["relevant_ids"] if name in rows]
        follows = hangs_on_context(texts[-1], " ".join(texts[:-1]))
        query = rewriter.complete(texts[-1], texts[:-1]) if follows else texts[-1]
        bare += _in_first_five(index, texts[-1], right)
        completed += _in_first_five(index, query, right)

    assert completed >= 2 * bare


def _in_first_five(index: bm25s.BM25, query: str, right: list[int]) -> bool:
    scores = index.get_scores(tokenize(query))
    return any(scores[row] > 0 and int(np.sum(scores > scores[row])) < 5 for row in right)


def test_what_an_opening_names_is_what_all_questions_after_it_are_about(rewriter: Rewriter) -> None:
    named = rewriter.after("How long is the warranty?", ["Antler Hush", "Is it waterproof?", "No."])
    repeated = rewriter.after("Is the Antler Hush heavy?", ["Antler Hush", "Is it waterproof?"])
    asked = rewriter.after("How long is the warranty?", ["Is the Antler Hush waterproof?", "No."])
    mumbled = rewriter.after("How long is the warranty?", ["hm", "No."])

    assert named == "Antler Hush How long is the warranty?"
    assert repeated == "Is the Antler Hush heavy?"
    assert asked == mumbled == "How long is the warranty?"
