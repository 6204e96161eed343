"""Each recipe `finetune/runs/smoke-*.toml` of the encoder runs end to end on the real one and makes it better.

Those of the language model stand in `test_finetune_smoke_dialogue.py`, the rewriter's in `test_finetune_rewriter.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ui.cli import app

RUNS = Path(__file__).resolve().parents[2] / "finetune" / "runs"
DATA = Path(__file__).with_name("data")


@pytest.fixture
def project(tmp_path: Path) -> list[str]:
    made = CliRunner().invoke(app, ["init", str(tmp_path / "shop")])
    assert made.exit_code == 0, made.output
    return ["--project", str(tmp_path / "shop")]


def learn(project: list[str], task: str) -> Mapping[str, Any]:
    arguments = ["--config", str(RUNS / f"smoke-{task}.toml"), "--name", "smoke", "--threads", "1"]
    trained = CliRunner().invoke(app, [*project, "train", task, *arguments, "--json"])
    assert trained.exit_code == 0, trained.output
    listed = CliRunner().invoke(app, [*project, "models", "list", "--json"])
    assert [model["name"] for model in json.loads(listed.stdout) if model.get("task") == task] == ["smoke"]
    metrics: Mapping[str, Any] = json.loads(trained.stdout)
    return metrics


@pytest.mark.models
@pytest.mark.parametrize("task", ["intent", "slots", "sentiment"])
def test_the_loss_falls_and_the_figure_rises_above_the_untrained_models(
    task: str, project: list[str], models_cache: Path
) -> None:
    metrics = learn(project, task)

    measure = metrics["measure"]
    assert metrics["epochs"][-1]["loss"] < metrics["epochs"][0]["loss"]
    assert metrics[measure] > metrics[f"{measure}_before"]
    shown = CliRunner().invoke(app, [*project, "models", "show", task, "smoke"])
    assert "on the test" in shown.stdout or "Entities found whole" in shown.stdout
    promoted = CliRunner().invoke(app, [*project, "models", "promote", task, "smoke"])
    assert (promoted.exit_code == 0) == (task == "slots"), (
        "intents of the demo, and feelings without 'neutral'"
    )


@pytest.mark.models
@pytest.mark.parametrize("task", ["retriever", "reranker"])
def test_numbers_that_look_alike_are_told_apart(task: str, project: list[str], models_cache: Path) -> None:
    for command in (["import", "faq", str(DATA / "parts.csv")], ["index", "build"]):
        done = CliRunner().invoke(app, [*project, *command])
        assert done.exit_code == 0, done.output

    metrics = learn(project, task)

    assert metrics["epochs"][-1]["loss"] < metrics["epochs"][0]["loss"]
    assert metrics["p_at_1_before"] < 0.9 < metrics["p_at_1"]
