"""`kefu eval sentiment` and `kefu eval slots` on tiny files."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fakes import FakeEncoder
from ui.cli import app


def run(*arguments: object) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["eval", *map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    printed: dict[str, Any] = json.loads(result.stdout)
    return printed


def test_feelings_are_learned_and_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("ui.commands.eval.sentiment"), "open_encoder", FakeEncoder)
    things = ["lamp", "chair", "table", "sofa", "desk", "shelf", "mirror", "carpet"]
    rows = [(f"great {thing} I love it", "good") for thing in things]
    rows += [(f"terrible {thing} I hate it", "bad") for thing in things]
    for part, chosen in {"train": rows[:6] + rows[8:14], "test": rows[6:8] + rows[14:]}.items():
        lines = "".join(f"{text},{label}\n" for text, label in chosen)
        (tmp_path / f"{part}.csv").write_text(f"text,label\n{lines}", "utf-8")

    figures = run("sentiment", "--train", tmp_path / "train.csv", "--test", tmp_path / "test.csv")

    assert (figures["task"], figures["accuracy"], figures["macro_f1"]) == ("sentiment", 1.0, 1.0)
    assert figures["labels"]["good"]["support"] == 2


def test_slots_are_learned_and_measured(tmp_path: Path) -> None:
    def lines(*cities: str) -> str:
        return "\n\n".join(f"ship O\nto O\n{city} B-city\nnow O" for city in cities) + "\n"

    (tmp_path / "train.txt").write_text(lines("Paris", "London", "Berlin", "Madrid", "Rome"), "utf-8")
    (tmp_path / "test.txt").write_text(lines("Lisbon", "Oslo"), "utf-8")

    figures = run("slots", "--train", tmp_path / "train.txt", "--test", tmp_path / "test.txt")

    assert (figures["task"], figures["f1"], figures["n_test"]) == ("slots", 1.0, 2)
    assert figures["tokens"]["B-city"]["recall"] == 1.0
