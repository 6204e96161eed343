"""Each recipe `finetune/runs/smoke-*.toml` runs end to end on the real encoder and makes it better."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ui.cli import app

RUNS = Path(__file__).resolve().parents[2] / "finetune" / "runs"


@pytest.mark.models
@pytest.mark.parametrize("task", ["intent", "slots", "sentiment"])
def test_the_loss_falls_and_the_figure_rises_above_the_untrained_models(
    task: str, tmp_path: Path, models_cache: Path
) -> None:
    made = CliRunner().invoke(app, ["init", str(tmp_path / "shop")])
    assert made.exit_code == 0, made.output
    project = ["--project", str(tmp_path / "shop")]
    arguments = ["--config", str(RUNS / f"smoke-{task}.toml"), "--name", "smoke", "--threads", "1"]

    trained = CliRunner().invoke(app, [*project, "train", task, *arguments, "--json"])

    assert trained.exit_code == 0, trained.output
    metrics = json.loads(trained.stdout)
    measure = metrics["measure"]
    assert metrics["epochs"][-1]["loss"] < metrics["epochs"][0]["loss"]
    assert metrics[measure] > metrics[f"{measure}_before"]
    listed = CliRunner().invoke(app, [*project, "models", "list", "--json"])
    assert [model["name"] for model in json.loads(listed.stdout) if model.get("task") == task] == ["smoke"]
    shown = CliRunner().invoke(app, [*project, "models", "show", task, "smoke"])
    assert "on the test" in shown.stdout or "Entities found whole" in shown.stdout
    promoted = CliRunner().invoke(app, [*project, "models", "promote", task, "smoke"])
    assert (promoted.exit_code == 0) == (task == "slots"), (
        "intents of the demo, and feelings without 'neutral'"
    )
