from __future__ import annotations

import pytest

from chatbot.evaluate.likeness import bleu, exact_match, rouge_l
from chatbot.evaluate.rewrite import FollowUp, follow_ups_of, measure_rewrites
from fakes import FakeEncoder
from knowledge.errors import KnowledgeError


def nothing(_what: str, _done: float) -> None:
    """Tells nobody."""


def test_likeness_is_that_of_the_textbook() -> None:
    # "the cat sat" in "the cat sat down here": 3 of 3 and 3 of 5 words, F1 = 2 * 3 / 8
    assert rouge_l("The cat sat.", "the cat sat down here") == 0.75
    assert rouge_l("怎么退货", "怎么退手机") == pytest.approx(2 * 3 / 9)
    assert (rouge_l("", ""), rouge_l("", "a")) == (1.0, 0.0)
    assert exact_match("How do I return it?", "how do i return it")
    assert not exact_match("How do I return it?", "How do I return a phone?")
    assert bleu(["我想退货可以吗"], ["我想退货可以吗"]) == pytest.approx(100)
    assert bleu(["completely other words stand here"], ["how do I return a phone today"]) < 10


def test_follow_ups_are_completed_and_measured_against_people() -> None:
    rows = [
        FollowUp(
            ("How do I return a phone?",), "and for opened boxes?", "How do I return opened boxes of a phone?"
        ),
        FollowUp(("What is the warranty of a laptop?",), "where is the shop", "where is the shop"),
    ]

    figures = measure_rewrites(rows, method="bm25", encoder=None, progress=nothing)

    assert figures["n"] == 2
    assert figures["exact_match"] == 0.5
    assert figures["rewritten"] == 0.5
    assert figures["rewritten_by_people"] == 0.5
    assert figures["recovery"] == 1.0
    assert figures["ms_p50"] >= 0


def test_recovery_counts_the_rank_at_which_the_human_rewrite_is_found() -> None:
    # The message has no word of its human rewrite, so that only one of two is found.
    rows = [
        FollowUp((), "blue whales swim", "red foxes run"),
        FollowUp((), "how tall is the tower", "how tall is the tower"),
    ]

    words = measure_rewrites(rows, method="bm25", encoder=None, progress=nothing)
    dense = measure_rewrites(rows, method="dense", encoder=FakeEncoder(), progress=nothing)

    assert words["recovery"] == words["recovery_bare"] == 0.5
    assert 0.5 <= dense["recovery"] <= 1.0


def test_rows_with_the_same_rewrite_do_not_stand_in_each_others_way() -> None:
    rows = [FollowUp((), "the tower", "how tall is the tower")] * 3

    assert measure_rewrites(rows, method="bm25", encoder=None, progress=nothing)["recovery"] == 1.0


def test_a_context_that_is_no_list_is_refused() -> None:
    with pytest.raises(KnowledgeError, match="Row 1"):
        follow_ups_of([{"context": "before", "current": "a", "rewrite": "b"}])
