"""A new user's first quarter of an hour, by the real command line, each command a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

FIVE_ROWS = """\
id,question,answer,valid_from
gift,Do you wrap presents?,"Yes, for 3 euros.",
card,Which cards do you take?,Visa and Mastercard.,
sale,When does the summer sale start?,On 1 July.,soon
pick,Can I pick up my order in the store?,"Yes, from 10 am on the next day.",2026-01-01
kids,Is there a corner for children?,"Yes, on the second floor.",
"""
"""The third one's date is none."""

NO_MODEL = '\n[generation.model]\nkind = "none"\n'
ASKED = "Are you open on Sundays?\ndo you wrap presents\n"

pytestmark = pytest.mark.models


@dataclass(frozen=True, slots=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Project:
    """Where the commands run."""

    folder: Path

    def kefu(self, *words: str, typed: str = "") -> Said:
        """Run one command in the project's folder."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KEFU_")}
        done = subprocess.run(
            [str(Path(sys.executable).with_name("kefu")), *words],
            cwd=self.folder,
            env=environment | {"COLUMNS": "100", "PYTHONUTF8": "1", "NO_COLOR": "1"},
            input=typed,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("cli") / "shop")


@pytest.fixture(scope="module")
def journey(project: Project, models_cache: Path) -> Mapping[str, Said]:
    """The whole path once; what each command said."""
    shop = project.folder
    said = {"init": Project(shop.parent).kefu("init", "shop")}
    said["early doctor"] = project.kefu("doctor", "--json")
    said["sample"] = project.kefu("import", "faq", "faq.csv")
    (shop / "more.csv").write_text(FIVE_ROWS, "utf-8")
    said["five rows"] = project.kefu("import", "faq", "more.csv")
    with (shop / "kefu.toml").open("a", encoding="utf-8") as settings:
        settings.write(NO_MODEL)
    said["chat"] = project.kefu("chat", typed=ASKED)
    said["info"] = project.kefu("index", "info")
    said["doctor"] = project.kefu("doctor", "--json")
    said["export"] = project.kefu("export", "faq", "all.csv")
    said["import again"] = project.kefu("import", "faq", "all.csv", "--json")
    said["chats"] = project.kefu("export", "chats", "chats.jsonl")
    return said


def test_no_command_ever_shows_a_traceback_or_a_log(journey: Mapping[str, Said]) -> None:
    everything = "".join(said.out + said.err for said in journey.values())

    assert "Traceback" not in everything
    assert "[info" not in everything
    assert "Warning" not in everything


def test_a_new_project_says_what_to_do_next(journey: Mapping[str, Said], project: Project) -> None:
    said = journey["init"]

    assert said.code == 0
    assert "kefu import faq faq.csv" in said.err
    assert {path.name for path in project.folder.iterdir()} >= {"kefu.toml", "faq.csv", "intents.yaml"}


def test_the_doctor_finds_nothing_wrong_with_a_new_project(journey: Mapping[str, Said]) -> None:
    found = {one["what"]: one for one in json.loads(journey["early doctor"].out)}

    assert journey["early doctor"].code == 0
    assert "kefu import faq" in found["database"]["detail"]
    assert "problem" not in {one["state"] for one in found.values()}


def test_the_sample_is_imported(journey: Mapping[str, Said]) -> None:
    assert journey["sample"].code == 0
    assert journey["sample"].out == "Imported: 2 new.\n"


def test_a_bad_row_is_named_by_line_and_column_and_stops_no_other(journey: Mapping[str, Said]) -> None:
    said = journey["five rows"]

    assert said.code == 1
    assert said.out.splitlines() == [
        "invalid: more.csv, line 4, column 'valid_from': 'soon' is not a date. Write it as 2026-01-31.",
        "Imported: 4 new, 1 invalid.",
    ]


def test_the_bot_answers_in_the_terminal_with_the_stored_words(journey: Mapping[str, Said]) -> None:
    said = journey["chat"]

    assert said.code == 0, said.err
    assert "bot › We are open Monday to Friday, 9 am to 6 pm." in said.out
    assert "bot › Yes, for 3 euros." in said.out
    assert "automated assistant" in said.err


def test_the_index_says_what_it_is(journey: Mapping[str, Said]) -> None:
    said = journey["info"]

    assert said.code == 0
    assert "passages: 6" in said.out
    assert "describe: flat" in said.out


def test_the_doctor_finds_the_project_well(journey: Mapping[str, Said]) -> None:
    found = {one["what"]: one for one in json.loads(journey["doctor"].out)}

    assert journey["doctor"].code == 0, found
    assert found["database"] == {"what": "database", "state": "ok", "detail": "6 FAQs"}
    assert found["index"]["state"] == "ok"


def test_an_export_is_imported_again_without_a_change(journey: Mapping[str, Said]) -> None:
    assert journey["export"].code == 0
    assert "6 FAQs are in all.csv." in journey["export"].err
    assert journey["import again"].code == 0
    assert json.loads(journey["import again"].out)["counts"] == {
        "new": 0,
        "changed": 0,
        "same": 6,
        "duplicate": 0,
        "conflicting": 0,
        "invalid": 0,
    }


def test_the_conversation_is_exported(journey: Mapping[str, Said], project: Project) -> None:
    lines = (project.folder / "chats.jsonl").read_text("utf-8").splitlines()
    turns = [json.loads(line) for line in lines]

    assert "2 turns are in chats.jsonl." in journey["chats"].err
    assert [turn["message"]["text"] for turn in turns] == ASKED.splitlines()
    assert len({turn["message"]["conversation_id"] for turn in turns}) == 1


def test_looking_at_a_folder_that_is_no_project_leaves_nothing_there(tmp_path: Path) -> None:
    said = Project(tmp_path).kefu("doctor")

    assert "no kefu.toml" in said.out
    assert not list(tmp_path.iterdir())


def test_a_file_without_rows_is_no_success(project: Project, journey: Mapping[str, Said]) -> None:
    (project.folder / "empty.csv").write_text("", "utf-8")

    said = project.kefu("import", "faq", "empty.csv")

    assert said.code == 1
    assert "Nothing to import" in said.out
