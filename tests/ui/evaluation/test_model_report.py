"""A trained model's report: what was learned, what changed, nothing that runs or is fetched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chatbot.registry import METRICS, Registry
from ui.cli import app
from ui.commands.init import write_project
from ui.evaluation.model_page import render_model

FIGURES = {
    "measure": "accuracy",
    "accuracy": 0.9,
    "accuracy_before": 0.8,
    "held_out_before": 0.75,
    "seconds": 26,
    "epochs": [
        {"epoch": 1, "loss": 1.5, "held_out": 0.8},
        {"epoch": 2, "loss": 0.5, "held_out": 0.9},
    ],
    "test_before": {"accuracy": 0.8, "macro_f1": 0.79},
    "test": {"accuracy": 0.9, "macro_f1": 0.91, "labels": {"good": {"f1-score": 0.9}}},
    "changed": [{"text": "<b>late</b> again", "gold": "bad", "before": "good", "after": "bad"}],
    "run": {"train": {"epochs": 2}},
}


def test_the_curve_the_figures_and_the_texts_stand_on_the_page() -> None:
    page = render_model("sentiment", "week-47", FIGURES)

    assert "accuracy was 80.0 % before and is 90.0 %" in page
    assert "epoch 2: 0.500" in page
    assert "before: 75.0%" in page
    assert '<td class="bad">good</td><td class="good">bad</td>' in page
    assert "<td>macro_f1</td><td>0.7900</td><td>0.9100</td>" in page
    assert "labels (after)" in page
    assert "&lt;b&gt;late&lt;/b&gt; again" in page
    assert "<script" not in page
    assert "http" not in page.split("</style>")[1]


def test_a_model_of_one_figure_has_a_page_too() -> None:
    page = render_model("retriever", "demo", {"measure": "p_at_1", "p_at_1": 0.5, "p_at_1_before": 0.4})

    assert "p at 1 was 40.0 % before and is 50.0 %" in page
    assert "<polyline" not in page


def test_the_command_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(tmp_path / "shop", demo=False)
    with Registry(tmp_path / "shop" / "models").making("sentiment", "week-47") as place:
        (place / METRICS).write_text(json.dumps(FIGURES), "utf-8")
    monkeypatch.chdir(tmp_path)

    made = CliRunner().invoke(app, ["-p", str(tmp_path / "shop"), "models", "report", "sentiment", "week-47"])

    assert made.exit_code == 0, made.output
    assert "sentiment week-47" in (tmp_path / "sentiment-week-47.html").read_text("utf-8")
