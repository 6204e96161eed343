"""The commands as they are typed; those that need vectors run with the real encoder on tiny files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chatbot.assemble import open_records
from chatbot.settings import load_settings
from ui.cli import app as cli
from ui.commands.eval import app
from ui.commands.init import write_project

REDACT = '{"text": "call 13800138000", "spans": [[5, 16, "PHONE"]]}\n{"text": "hi", "spans": []}\n'
REWRITE = '{"context": ["How do I return a phone?"], "current": "and opened ones?", "rewrite": "return opened phone"}\n'
SUITE = '[[run]]\nname = "r"\ntask = "redact"\ndata = "p.jsonl"\n[[run]]\nname = "w"\ntask = "rewrite"\ndata = "r.jsonl"\n'
FAQ = "id,question,answer\n1,How do I return a phone?,Within 30 days.\n2,Where is the shop?,In Berlin.\n"


def run(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout[result.stdout.index("{\n") :]))  # a turn is logged before it


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "p.jsonl").write_text(REDACT, "utf-8")
    (tmp_path / "r.jsonl").write_text(REWRITE, "utf-8")
    (tmp_path / "suite.toml").write_text(SUITE, "utf-8")
    (tmp_path / "faq.csv").write_text(FAQ, "utf-8")
    return tmp_path


def test_masking_and_rewriting_print_one_json_object(folder: Path) -> None:
    masked = run("redact", "--data", str(folder / "p.jsonl"))
    rewritten = run("rewrite", "--data", str(folder / "r.jsonl"))

    assert (masked["task"], masked["recall"], masked["precision"]) == ("redact", 1.0, 1.0)
    assert {"exact_match", "bleu", "rouge_l", "ms_p50", "recovery", "seed"} <= rewritten.keys()


def test_a_suite_writes_its_report_and_the_gate_closes_when_a_figure_fell(folder: Path) -> None:
    common = ["all", "--suite", str(folder / "suite.toml"), "--out", str(folder / "report")]
    first = run(*common, "--accept", "--gate")
    accepted = folder / "report" / "accepted.json"
    better = json.loads(accepted.read_text("utf-8"))
    better["runs"]["r"] |= {"recall": 1.0, "spans": 1000}
    accepted.write_text(json.dumps(better), "utf-8")
    worse = '{"text": "call 13800138000", "spans": [[0, 4, "PHONE"], [5, 16, "PHONE"]]}\n'
    (folder / "p.jsonl").write_text(worse * 500, "utf-8")

    open_gate = CliRunner().invoke(app, common)
    gated = CliRunner().invoke(app, [*common, "--gate"])

    assert set(first["runs"]) == {"r", "w"}
    assert (folder / "report" / "report.html").read_text("utf-8").startswith("<!doctype html>")
    assert open_gate.exit_code == 0
    assert gated.exit_code == 1
    assert "r: recall 1.0000 -> 0.5000" in gated.stdout


def test_a_run_that_fails_is_told_and_closes_the_gate_but_not_the_suite(folder: Path) -> None:
    (folder / "p.jsonl").unlink()
    common = ["all", "--suite", str(folder / "suite.toml"), "--out", str(folder / "report")]

    result = CliRunner().invoke(app, [*common, "--json", "--gate"])

    assert result.exit_code == 1
    runs = json.loads(result.stdout)["runs"]
    assert "There is no file" in runs["r"]["error"]
    assert runs["w"]["n"] == 1


def test_a_wrong_option_in_a_suite_is_told(folder: Path) -> None:
    (folder / "suite.toml").write_text('[[run]]\nname = "r"\ntask = "redact"\ndat = "p.jsonl"\n', "utf-8")

    report = run("all", "--suite", str(folder / "suite.toml"), "--out", str(folder / "report"))

    assert "--dat" in report["runs"]["r"]["error"]


@pytest.mark.models
@pytest.mark.usefixtures("models_cache")
def test_retrieval_and_answers_are_measured_with_the_projects_encoder(folder: Path) -> None:
    queries = "send back a phone,1\nwhich city is the shop in,2\nhow old are you,\n"
    (folder / "q.csv").write_text("query,relevant_ids\n" + queries * 30, "utf-8")
    faq, asked = str(folder / "faq.csv"), str(folder / "q.csv")

    found = run("faq", "--faq", faq, "--queries", asked)
    answered = run("answers", "--faq", faq, "--calibration", asked, "--queries", asked, "--risk", "0.1")

    assert (found["n"], found["p_at_1"], found["entries"], found["unanswerable"]) == (60, 1.0, 2, 30)
    assert found["auto"].startswith("shipped weights")
    assert answered["risk_target_met"] is True
    assert answered["coverage"] >= 0.5
    assert {"wrong_rate", "wrong_rate_upper_95", "unanswerable_answered", "aurc", "curve"} <= answered.keys()


@pytest.mark.models
@pytest.mark.usefixtures("models_cache")
def test_chats_are_played_through_the_projects_bot_and_its_records_stay_as_they_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = folder / "shop"
    write_project(shop, demo=False)
    monkeypatch.setenv("KEFU_PROJECT", str(shop))
    monkeypatch.setenv("KEFU__GENERATION__MODEL__KIND", "none")
    imported = CliRunner().invoke(cli, ["import", "faq", str(folder / "faq.csv")], catch_exceptions=False)
    chat = {
        "locale": "en",
        "messages": [
            {"text": "How do I return a phone?", "answers": ["faq:1"]},
            {"text": "thanks", "answers": None},
            {"text": "Where is the shop?", "answers": ["faq:1"]},
        ],
    }
    (folder / "chats.jsonl").write_text(json.dumps(chat) + "\n", "utf-8")

    played = run("chats", "--data", str(folder / "chats.jsonl"))

    assert imported.exit_code == 0
    assert (played["chats"], played["messages"]) == (1, 2)
    assert (played["all"]["right"], played["all"]["wrong"]) == (0.5, 0.5)
    assert list(open_records(load_settings(shop)).conversations()) == []
