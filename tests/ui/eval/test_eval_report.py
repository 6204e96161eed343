"""What every `kefu eval` command prints."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ui.commands.eval.report import measuring, rounded


def test_json_names_task_seed_and_seconds_and_is_all_that_stdout_carries(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with measuring("intents", seed=7, as_json=True, out=None) as run:
        run.report("fitting", 0.5)
        run.finish({"accuracy": 1 / 3})

    printed = json.loads(capsys.readouterr().out)

    assert printed.pop("seconds") >= 0
    assert printed == {"task": "intents", "accuracy": 0.333333, "seed": 7}


def test_the_file_named_by_out_holds_the_same_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "reports" / "intents.json"

    with measuring("intents", seed=0, as_json=True, out=place) as run:
        run.finish({"accuracy": 0.5})

    assert json.loads(place.read_text()) == json.loads(capsys.readouterr().out)


def test_without_json_a_person_reads_tables(capsys: pytest.CaptureFixture[str]) -> None:
    with measuring("slots", seed=0, as_json=False, out=None) as run:
        run.finish({"f1": 0.25, "kinds": {"city": {"precision": 1.0, "recall": None}}, "tried": ["a", "b"]})

    printed = capsys.readouterr().out

    assert "0.2500" in printed
    assert "city" in printed
    assert "a, b" in printed


def test_numbers_that_json_does_not_have_become_null() -> None:
    assert rounded({"a": float("nan"), "b": np.float32(0.5), "c": (np.int64(2), "x")}) == {
        "a": None,
        "b": 0.5,
        "c": [2, "x"],
    }
