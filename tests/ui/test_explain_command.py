"""kefu explain, on a project with stored turns and no models."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chatbot.assemble import open_database, open_records
from chatbot.record.remarks import Remarks
from chatbot.settings import load_settings
from chatbot.types import Decline, Message, Reply, Turn, Understanding
from knowledge.errors import StoreError
from knowledge.types import Hit, Passage
from ui.cli import app


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in which one question was declined."""
    monkeypatch.setenv("KEFU_PROJECT", str(tmp_path))
    (tmp_path / "kefu.toml").write_text('[project]\nname = "Shop"\n')
    records = open_records(load_settings())
    message = Message("c1", "do you ship abroad", datetime.now(UTC), key="k1")
    passage = Passage("faq:abroad", "We do.", "Do you ship abroad?", "faq", "en")
    understood = Understanding("do you ship abroad", "en", intent="order_status", confidence=0.1)
    hits = (Hit(passage, 0.1, 1, matched="shipping abroad"),)
    turn = Turn(
        "abc123",
        message,
        understood,
        hits,
        Decline("no_answer"),
        Reply("Sorry."),
        {"total": 0.01},
        {},
        "Too unsure.",
    )
    records.begin(message)
    records.append(turn)
    records.close()
    return tmp_path


def test_the_last_turn_is_explained_in_words_with_what_would_have_changed_it(project: Path) -> None:
    said = CliRunner().invoke(app, ["explain"])

    assert said.exit_code == 0
    for part in (
        "do you ship abroad",
        "Too unsure.",
        "faq:abroad",
        "shipping abroad",
        "What would have changed it",
    ):
        assert part in said.stdout
    assert "if the answer to “Do you ship abroad?” were" in said.stdout


def test_a_turn_is_found_by_the_beginning_of_its_id_and_told_as_json(project: Path) -> None:
    said = json.loads(CliRunner().invoke(app, ["explain", "abc", "--json"]).stdout)

    assert said["id"] == "abc123"
    assert {"if", "then", "because"} <= set(said["what_would_change"][0])


def test_a_turn_that_is_not_there_is_said_to_be_missing(project: Path) -> None:
    failed = CliRunner().invoke(app, ["explain", "zzz"])

    assert isinstance(failed.exception, StoreError)
    assert "There is no turn 'zzz'" in str(failed.exception)


def test_what_the_form_and_the_page_said_stands_above_the_reasons(project: Path) -> None:
    engine = open_database(load_settings())
    Remarks(engine).tell("c1", "prechat", {"name": "Ada [x]"})
    Remarks(engine).tell("c1", "context", {"plan": "gold"})

    said = CliRunner().invoke(app, ["explain"])
    as_json = CliRunner().invoke(app, ["explain", "--json"])
    exported = CliRunner().invoke(app, ["export", "chats", str(project / "chats.jsonl")])

    engine.dispose()
    assert "the form before the chat: name = Ada [x]" in said.stdout
    assert "the page around the chat: plan = gold" in said.stdout
    about = {"prechat": {"name": "Ada [x]"}, "context": {"plan": "gold"}}
    assert json.loads(as_json.stdout)["about"] == about
    assert exported.exit_code == 0
    assert json.loads((project / "chats.jsonl").read_text("utf-8"))["about"] == about
