"""A system of the comparison prints one JSON object, offline, or the run says what it said instead."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.rivals.environment import REQUIREMENTS, SystemFailedError, once, run_json
from benchmarks.rivals.run import CLASSIFIERS, SEARCHERS
from benchmarks.rivals.systems import exchange

SYSTEMS = Path(exchange.__file__).parent


def test_what_a_system_prints_is_read_and_it_runs_offline() -> None:
    told = run_json([sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"])

    assert told["HF_HUB_OFFLINE"] == "1"
    assert told["HAYSTACK_TELEMETRY_ENABLED"] == "False"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import sys; sys.exit('the model is missing')", "the model is missing"),
        ("print('hello')", "printed no JSON"),
    ],
)
def test_a_system_that_fails_says_why(code: str, why: str) -> None:
    with pytest.raises(SystemFailedError, match=why):
        run_json([sys.executable, "-c", code])


def test_a_run_that_was_cut_off_asks_only_what_was_not_answered(tmp_path: Path) -> None:
    asked: list[int] = []

    def ask() -> dict[str, int]:
        asked.append(1)
        return {"figure": len(asked)}

    first, again = once(tmp_path, [1, "faq"], ask), once(tmp_path, [1, "faq"], ask)
    next_round = once(tmp_path, [2, "faq"], ask)

    assert first == again == {"figure": 1}
    assert next_round == {"figure": 2}


def test_a_search_is_asked_once_for_each_question_and_chatter_stays_off_stdout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task = {"encoder": "", "ids": ["a"], "texts": ["A"], "queries": ["one", "two"], "depth": 3}
    path = tmp_path / "task.json"
    path.write_text(json.dumps([task]), "utf-8")
    monkeypatch.setattr(sys, "argv", ["system", str(path)])

    def build(given: exchange.SearchTask) -> exchange.Search:
        print("loading")  # noqa: T201
        return lambda query: [*given.ids, query]

    exchange.answer_searches(build, ["pytest"])

    printed = json.loads(capsys.readouterr().out)
    (said,) = printed["answers"]
    assert said["ids"] == [["a", "one"], ["a", "two"]]
    assert len(said["ms"]) == 2
    assert printed["versions"]["pytest"]


def test_intents_are_named_for_every_text_and_a_hundred_are_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [f"text {number}" for number in range(250)]
    task = {"encoder": "", "texts": ["hi"], "intents": ["greet"], "queries": texts, "seed": 0, "steps": 1}
    path = tmp_path / "task.json"
    path.write_text(json.dumps([task]), "utf-8")
    monkeypatch.setattr(sys, "argv", ["system", str(path)])

    def fit(given: exchange.IntentTask) -> exchange.Classify:
        return lambda asked: (given.intents * len(asked), [0.5] * len(asked))

    exchange.answer_intents(fit, ["pytest"])

    (said,) = json.loads(capsys.readouterr().out)["answers"]
    assert said["intents"] == ["greet"] * 250
    assert len(said["ms"]) == 100


def test_every_system_that_is_named_has_its_script_and_every_requirement_its_version() -> None:
    named = {system.module for system in SEARCHERS} | set(CLASSIFIERS.values())
    lines = [
        line for line in REQUIREMENTS.read_text("utf-8").splitlines() if line and not line.startswith("#")
    ]

    assert named == {path.stem for path in SYSTEMS.glob("*.py")} - {"exchange"}
    assert all("==" in line for line in lines)
