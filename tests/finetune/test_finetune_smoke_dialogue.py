"""The smoke recipes of the language model, with the real one: it learns to answer, then what customers like."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ui.cli import app

RUNS = Path(__file__).resolve().parents[2] / "finetune" / "runs"
DATA = Path(__file__).with_name("data")


@pytest.mark.models
def test_it_learns_to_answer_and_then_what_customers_like(tmp_path: Path, models_cache: Path) -> None:
    made = CliRunner().invoke(app, ["init", str(tmp_path / "shop")])
    assert made.exit_code == 0, made.output
    common = ["--data", str(DATA / "companies"), "--threads", "1", "--json"]
    train = ["--project", str(tmp_path / "shop"), "train"]

    run = ["--config", str(RUNS / "smoke-dialogue.toml"), "--name", "first"]
    first = CliRunner().invoke(app, [*train, "dialogue", *run, *common])

    assert first.exit_code == 0, first.output
    metrics = json.loads(first.stdout)
    assert metrics["epochs"][-1]["loss"] < metrics["epochs"][0]["loss"]
    assert metrics["chosen"] > metrics["chosen_before"]

    run = ["--config", str(RUNS / "smoke-preference.toml"), "--name", "second", "--start", "first"]
    thumbs = ["--thumbs", str(DATA / "thumbs.jsonl")]
    second = CliRunner().invoke(app, [*train, "preference", *run, *thumbs, *common])

    assert second.exit_code == 0, second.output
    metrics = json.loads(second.stdout)
    assert metrics["epochs"][-1]["loss"] < metrics["epochs"][0]["loss"]
    assert metrics["preferred"] > metrics["preferred_before"]
    assert metrics["chosen"] >= metrics["chosen_before"] - 0.1, "what was learned before is not forgotten"
