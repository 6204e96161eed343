"""Every system of the comparison is judged alike, and ratios say what a reader takes them for."""

from __future__ import annotations

import math

import pytest

from benchmarks.rivals.judge import WrongAnswerError, judge_intents, judge_search
from benchmarks.rivals.table import (
    KEFU,
    Row,
    Timed,
    as_json,
    best_rivals,
    half_width,
    intents_table,
    ranking_table,
    ratio,
    report,
    times_table,
)
from chatbot.evaluate.intents import Labelled
from knowledge.evaluate import Judged
from knowledge.items import FAQ_PREFIX


def question(text: str, *relevant: str) -> Judged:
    return Judged(text, frozenset(FAQ_PREFIX + name for name in relevant))


def ranked(of: str, system: str, p_at_1: float) -> Row:
    figures = {
        "p_at_1": p_at_1,
        "recall_at_5": 0.9,
        "mrr_at_10": p_at_1,
        "map": 0.5,
        "ms_p50": 10.0,
        "n": 100.0,
    }
    return Row(of, system, figures)


def named(of: str, system: str, accuracy: float) -> Row:
    figures = {
        "accuracy_best_intent": accuracy,
        "oos_auroc": None,
        "train_seconds": 120.0,
        "ms_per_query": 7.25,
    }
    return Row(of, system, figures)


def test_a_ranking_is_judged_by_where_the_first_right_entry_stands() -> None:
    said = {"ids": [["a", "b"], ["b", "c", "a"]], "ms": [1.0, 3.0]}

    figures = judge_search(said, [question("one", "a"), question("two", "a")])

    assert figures["p_at_1"] == 0.5
    assert figures["mrr_at_10"] == pytest.approx((1 + 1 / 3) / 2)
    assert figures["recall_at_5"] == 1.0
    assert figures["ms_p50"] == 2.0
    assert figures["n"] == 2


def test_a_question_that_nothing_answers_is_left_out_as_kefu_eval_leaves_it_out() -> None:
    said = {"ids": [["a"], ["a"]], "ms": [1.0, 1.0]}

    figures = judge_search(said, [question("one", "a"), question("nothing")])

    assert figures["n"] == 1
    assert figures["p_at_1"] == 1.0


def test_a_system_that_skips_a_question_is_not_judged() -> None:
    with pytest.raises(WrongAnswerError, match="2 questions were asked and 1 answered"):
        judge_search({"ids": [["a"]], "ms": [1.0]}, [question("one", "a"), question("two", "a")])

    with pytest.raises(WrongAnswerError):
        judge_intents(
            {"intents": ["x"], "sure": [1.0], "ms": [1.0], "train_seconds": 1.0},
            Labelled(("a", "b"), ("x", "y")),
        )


def test_intents_are_judged_in_scope_and_by_how_sure_they_are_out_of_scope() -> None:
    test = Labelled(("card", "loan", "weather"), ("card", "loan", "oos"))
    said = {
        "intents": ["card", "card", "card"],
        "sure": [0.9, 0.6, 0.1],
        "ms": [1.0, 2.0, 9.0],
        "train_seconds": 5.0,
    }

    figures = judge_intents(said, test)

    assert figures == {
        "accuracy_best_intent": 0.5,
        "oos_auroc": 1.0,
        "train_seconds": 5.0,
        "ms_per_query": 2.0,
    }


def test_a_ratio_is_kefus_figure_over_the_others_and_never_divides_by_nothing() -> None:
    assert ratio(0.9, 0.6) == pytest.approx(1.5)
    assert ratio(0.9, 0.0) is None
    assert ratio(None, 0.6) is None
    assert half_width(0.5, 100) == pytest.approx(1.96 * math.sqrt(0.0025))


def test_the_table_of_rankings_shows_interval_and_ratio_and_none_for_kefu_itself() -> None:
    lines = ranking_table([ranked("set", KEFU, 0.9), ranked("set", "other", 0.6)])

    assert lines[2] == "| set | Kefu | .900 ± .059 | .900 | .900 | .500 |  |  | 10.0 |"
    assert lines[3] == "| set | other | .600 ± .096 | .900 | .600 | .500 | 1.50 | 1.50 | 10.0 |"


def test_kefu_is_held_against_the_best_rival_of_each_set() -> None:
    rows = [
        ranked("first", KEFU, 0.9),
        ranked("first", "weak", 0.3),
        ranked("first", "strong", 0.6),
        ranked("second", KEFU, 0.2),
        ranked("second", "strong", 0.4),
    ]

    best = best_rivals(rows, "p_at_1")

    assert best == {"first": ("strong", pytest.approx(1.5)), "second": ("strong", pytest.approx(0.5))}


def test_the_table_of_intents_says_where_a_figure_is_missing() -> None:
    lines = intents_table([named("set", KEFU, 0.8), named("set", "other", 0.64)])

    assert lines[2:] == [
        "| set | Kefu | .800 |  | – | 120 | 7.2 |",
        "| set | other | .640 | 1.25 | – | 120 | 7.2 |",
    ]


def test_times_are_compared_by_the_median_of_the_rounds() -> None:
    lines = times_table([Timed(KEFU, (9.0, 10.0, 50.0)), Timed("other", (25.0, 20.0, 30.0))])

    assert lines[2:] == ["| Kefu | 9.0, 10.0, 50.0 | 10.0 |  |", "| other | 25.0, 20.0, 30.0 | 25.0 | 2.50 |"]


def test_programs_read_the_same_ratios() -> None:
    rows = as_json([ranked("set", KEFU, 0.9), ranked("set", "other", 0.6)])

    assert rows[1]["set"] == "set"
    assert rows[1]["p_at_1"] == 0.6
    assert rows[1]["kefu_over_it"]["p_at_1"] == pytest.approx(1.5)
    assert "n" not in rows[1]["kefu_over_it"]


def test_the_report_names_machine_command_samples_and_versions() -> None:
    machine = {"cpu": "Some CPU", "cores": 2, "memory_gb": 23.4, "python": "3.11.7", "load_before": 0.1}
    about = {
        "command": "make rivals D=DATA",
        "day": "2026-01-01",
        "machine": machine,
        "load_after": 2.0,
        "note": "The machine was busy.",
        "minutes": 12.3,
        "rounds": 3,
        "timed_on": "small",
        "setfit_steps": 200,
        "sets": {"set": "seeded"},
        "intent_sets": {"labels": "ten each"},
        "versions": {"other": "1.0"},
    }

    page = report(
        about,
        [ranked("set", KEFU, 0.9), ranked("set", "other", 0.6)],
        [named("labels", KEFU, 0.8), named("labels", "tuned", 0.64)],
        [Timed(KEFU, (1.0,))],
    )

    for told in (
        "Some CPU",
        "`make rivals D=DATA`",
        "* set: seeded.",
        "other 1.0.",
        "1.50 × other",
        "1.25 × tuned",
    ):
        assert told in page
