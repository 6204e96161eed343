"""`kefu train data build` on twelve questions of the demo company and ten of its past dialogues."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from ui.cli import app

DEMO = Path(__file__).resolve().parents[2] / "knowledge" / "data" / "demo"

pytestmark = pytest.mark.models


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models_cache: Path) -> Path:
    assert models_cache
    with (DEMO / "faq_en.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))[:12]
    with (tmp_path / "faq.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    lines = (DEMO / "dialogues.jsonl").read_text("utf-8").splitlines()[:10]
    (tmp_path / "chats.jsonl").write_text("\n".join([*lines, "{broken"]) + "\n", "utf-8")
    (tmp_path / "kefu.toml").write_text('[generation.model]\nkind = "none"\n')
    monkeypatch.setenv("KEFU_PROJECT", str(tmp_path))
    assert kefu("import", "faq", str(tmp_path / "faq.csv")).exit_code == 0
    assert kefu("index", "build").exit_code == 0
    return tmp_path


def kefu(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_a_dry_run_counts_and_writes_nothing_and_a_real_one_writes_the_same_counts(project: Path) -> None:
    words = ("train", "data", "build", "--logs", str(project / "chats.jsonl"), "--augment")

    dry = kefu(*words, "--dry-run", "--json")
    assert dry.exit_code == 0, dry.output
    assert not (project / "datasets").exists()

    done = kefu(*words)
    assert done.exit_code == 0, done.output
    card = json.loads((project / "datasets" / "card.json").read_text("utf-8"))
    assert card["datasets"] == json.loads(dry.stdout)["datasets"]
    assert card["read"]["conversations"] == 10
    assert "line 11" in done.stderr
    assert "set aside" in done.stderr


def test_the_help_says_what_to_try_first_and_what_to_read_after() -> None:
    said = " ".join(kefu("train", "data", "build", "--help").output.split())

    assert "--dry-run" in said
    assert "set_aside.jsonl" in said


def test_a_log_that_is_not_there_is_a_calm_error(project: Path) -> None:
    done = kefu("train", "data", "build", "--logs", str(project / "nothing.jsonl"))

    assert done.exit_code == 1
    assert "nothing.jsonl" in str(done.exception)
