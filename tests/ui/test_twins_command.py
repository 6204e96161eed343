"""kefu index twins, and the line after an import that names it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from chatbot.settings import load_settings
from fakes import FakeEncoder, OpenedEncoder
from ui.cli import app

FAQ = """\
id,question,answer,locale,negative_questions
returns,how long can I return things,You have 15 days.,en,
back,I can return things how long,Within 7 days of delivery.,en,
hours,when are you open,From 9:00 to 18:00.,en,
open,are you open when,Daily from 9 am to 6 pm.,en,
gift,do you wrap presents,"Yes, for 3 euros.",en,
again,presents: do you wrap,"Yes, for 3 euros.",en,
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose encoder is a fake one."""
    monkeypatch.setenv("KEFU_PROJECT", str(tmp_path))
    (tmp_path / "kefu.toml").write_text('[generation.model]\nkind = "none"\n', "utf-8")
    loaded = load_settings()
    knowledge = loaded.knowledge.model_copy(update={"encoder": OpenedEncoder(FakeEncoder())})
    settings = loaded.model_copy(update={"knowledge": knowledge})
    monkeypatch.setattr("chatbot.settings.load_settings", lambda: settings)
    return tmp_path


def kefu(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def bring_in(project: Path, text: str = FAQ) -> None:
    (project / "faq.csv").write_text(text, "utf-8")
    kefu("import", "faq", str(project / "faq.csv"))
    kefu("index", "build")


def test_pairs_are_listed_with_what_their_answers_say_differently(project: Path) -> None:
    bring_in(project)

    said = kefu("index", "twins")

    assert said.exit_code == 0
    for part in ("returns", "how long can I return things", "I can return things how long"):
        assert part in said.stdout
    assert "The answers may contradict: 7 days / 15 days" in said.stdout
    assert "The answers are the same." in said.stdout
    assert "says how to merge two" in said.stderr


def test_programs_get_ids_wordings_and_differences(project: Path) -> None:
    bring_in(project)

    told = json.loads(kefu("index", "twins", "--json").stdout)

    pairs = {(pair["one"]["id"], pair["other"]["id"]): pair for pair in told["pairs"]}
    assert (told["entries"], told["found"]) == (6, 3)
    assert pairs["back", "returns"]["differences"] == [
        {"about": "duration", "one": "7 days", "other": "15 days"}
    ]
    assert pairs["hours", "open"]["answers"] == "differ in words"
    assert pairs["again", "gift"]["answers"] == "the same"


def test_only_contradictions_can_be_asked_for_and_the_list_be_cut(project: Path) -> None:
    bring_in(project)

    contradicting = json.loads(kefu("index", "twins", "--contradicting", "--json").stdout)
    first = kefu("index", "twins", "--limit", "1")

    assert [pair["one"]["id"] for pair in contradicting["pairs"]] == ["back"]
    assert "2 more: --limit 3." in first.stderr


def test_a_pair_that_is_told_apart_is_not_listed_any_more(project: Path) -> None:
    bring_in(project)
    bring_in(
        project, FAQ.replace("7 days of delivery.,en,", "7 days of delivery.,en,how long can I return things")
    )

    assert "returns" not in kefu("index", "twins").stdout


def test_knowledge_without_twins_says_so(project: Path) -> None:
    bring_in(project, "question,answer\nwhen are you open,At 9.\ndo you wrap presents,Yes.\n")

    said = kefu("index", "twins", "--locale", "en")

    assert said.exit_code == 0
    assert said.stdout == "None of the 2 entries asks nearly the same as another.\n"


def test_an_import_names_the_command_once_something_was_written(project: Path) -> None:
    (project / "faq.csv").write_text(FAQ, "utf-8")
    path = str(project / "faq.csv")

    tried = kefu("import", "faq", path, "--dry-run")
    written = kefu("import", "faq", path)
    again = kefu("import", "faq", path)

    assert "kefu index twins" in written.stderr
    assert "kefu index twins" not in tried.stderr + again.stderr + written.stdout


def test_the_help_teaches_what_to_do_with_a_pair() -> None:
    said = " ".join(kefu("index", "twins", "--help").stdout.split())

    assert "To merge two" in said
    assert "negative_questions" in said
