from __future__ import annotations

from pathlib import Path

import pytest

from ui.evaluation.compare import compare, noise_of
from ui.evaluation.page import latency_bars, render, risk_curve
from ui.evaluation.suite import SuiteError, arguments, read_suite

SUITE = """
[[run]]
name = "faq one"
task = "faq"
faq = "a/faq.csv"
method = "hybrid"
[[run]]
name = "dialogue"
task = "dialogue"
data = "d.jsonl"
limit = 5
stored = true
compose = false
"""


def suite_file(folder: Path, text: str) -> Path:
    path = folder / "suite.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_run_is_the_command_that_a_person_would_type(tmp_path: Path) -> None:
    faq, dialogue = read_suite(suite_file(tmp_path, SUITE), root=Path("/data"))

    assert faq.command == "kefu eval faq --faq /data/a/faq.csv --method hybrid"
    assert arguments(dialogue) == ["--data", "/data/d.jsonl", "--limit", "5", "--stored"]
    assert [run.name for run in read_suite(tmp_path / "suite.toml", root=Path(), only=["dialogue"])] == [
        "dialogue"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[run", "cannot be read"),
        ("", "has no \\[\\[run"),
        ("[[run]]\nname = 'a'", "no name or no task"),
        ("[[run]]\nname='a'\ntask='faq'\n[[run]]\nname='a'\ntask='faq'", "two runs named 'a'"),
        ("[[run]]\nname='a'\ntask='faq'\nfaq=['x']", "'faq' of run 'a' is a list"),
    ],
)
def test_a_suite_that_is_wrong_says_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        read_suite(suite_file(tmp_path, text), root=tmp_path)


def test_an_unknown_run_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"'gone'\. It has: faq one, dialogue"):
        read_suite(suite_file(tmp_path, SUITE), root=tmp_path, only=["gone"])


def test_the_noise_of_a_share_is_twice_the_error_of_the_difference() -> None:
    before, now = {"n": 100, "p_at_1": 0.5}, {"n": 400, "p_at_1": 0.5}

    assert noise_of("p_at_1", before, now) == pytest.approx(2 * (0.25 / 100 + 0.25 / 400) ** 0.5)
    assert noise_of("bleu", {"n": 9, "bleu": 50.0}, {"n": 9, "bleu": 40.0}) == pytest.approx(1.0)
    assert noise_of("p_at_1", {"n": 10, "p_at_1": 1.0}, {"n": 10, "p_at_1": 1.0}) > 0.1


def test_a_fall_within_the_noise_is_none_and_less_wrong_is_better() -> None:
    before = {"a": {"n": 1000, "answered": 1000, "p_at_1": 0.90, "map": 0.90, "wrong_rate": 0.10}}
    now = {"a": {"n": 1000, "answered": 1000, "p_at_1": 0.89, "map": 0.80, "wrong_rate": 0.02}}

    changes = {change.figure: change for change in compare(before, now)}

    assert not changes["p_at_1"].fell
    assert changes["map"].fell
    assert changes["wrong_rate"].rose
    assert "worse" in str(changes["map"])


def test_runs_and_figures_that_only_one_report_has_are_not_compared() -> None:
    before = {"a": {"n": 10, "p_at_1": 0.5}, "gone": {"n": 10, "p_at_1": 1.0}}
    now = {"a": {"n": 10, "p_at_1": None}, "new": {"n": 10, "p_at_1": 0.1}}

    assert compare(before, now) == []


def report(**figures: object) -> dict[str, object]:
    run = {"task": "faq", "n": 10, "seed": 0, "seconds": 1.0, **figures}
    return {"suite": "suite.toml", "runs": {"<one>": run}, "changes": []}


def test_the_page_stands_alone_and_shows_every_figure_and_plot() -> None:
    curve = {"0.50": {"risk": 0.0, "threshold": 0.9}, "1.00": {"risk": 0.2, "threshold": 0.1}}
    page = render(
        report(
            p_at_1=0.25,
            ms_p50=2.0,
            ms_p99=9.0,
            risk=0.02,
            curve=curve,
            most_confused={"a > b": 3},
            by_language={"zh": {"p_at_1": 0.5}},
        ),
        commands={"<one>": "kefu eval faq --faq a.csv"},
    )

    assert page.count("<svg") == 3
    assert "&lt;one&gt;" in page
    assert "<one>" not in page
    assert "0.2500" in page
    assert "kefu eval faq --faq a.csv" in page
    assert "://" not in page
    assert "<script" not in page
    assert "prefers-color-scheme: dark" in page


def test_the_page_shows_what_changed_and_what_failed() -> None:
    whole = report() | {
        "runs": {"bad": {"task": "faq", "error": "There is no file f.csv."}},
        "changes": [
            {
                "run": "bad",
                "figure": "map",
                "before": 0.9,
                "now": 0.8,
                "noise": 0.02,
                "fell": True,
                "rose": False,
            }
        ],
    }

    page = render(whole, commands={"bad": "kefu eval faq"})

    assert "There is no file f.csv." in page
    assert '<td class="bad">worse</td>' in page


def test_plots_keep_to_their_scales() -> None:
    line = risk_curve("a", {"curve": {"1.00": {"risk": 0.1, "threshold": 0.5}}, "risk": 0.05})

    assert line is not None
    assert line.highest == 0.1
    assert line.points == "408.0,12.0"
    assert risk_curve("a", {}) is None
    fast, slow = latency_bars({"a": {"ms_p50": 1.0}, "b": {"ms_p50": 2.0, "ms_p99": 4.0}, "c": {}})
    assert (fast.length, slow.length, slow.longest) == (105.0, 210.0, 420.0)
