"""kefu site: what an owner types to put the window on a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from chatbot.assemble import open_sites
from chatbot.settings import load_settings
from chatbot.sites.site import SiteError
from ui.cli import app
from ui.commands.init import write_project


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shop"
    write_project(folder, demo=False)
    monkeypatch.setenv("KEFU_PROJECT", str(folder))
    return folder


def kefu(*words: str) -> Result:
    return CliRunner().invoke(app, ["site", *words], catch_exceptions=False)


def told(*words: str) -> Any:
    return json.loads(kefu(*words, "--json").stdout)


def test_one_line_adds_a_site_and_prints_the_line_for_its_pages() -> None:
    said = kefu("add", "Help centre", "--origin", "https://Help.shop.example/")

    assert said.exit_code == 0
    assert (
        '<script async src="http://127.0.0.1:8080/widget.js" data-bot="help-centre"></script>' in said.stdout
    )
    assert told("list") == [
        {"id": "help-centre", "name": "Help centre", "origins": ["https://help.shop.example"], "bot": ""}
    ]
    assert "help-centre" in kefu("list").stdout


def test_an_empty_list_says_how_to_add_one() -> None:
    said = kefu("list")

    assert "kefu site add" in said.stderr
    assert told("list") == []


def test_origins_are_added_and_taken_away_one_by_one() -> None:
    kefu("add", "Shop", "--origin", "https://a.example", "--origin", "https://b.example")

    changed = told(
        "edit", "shop", "--origin", "https://c.example", "--no-origin", "https://a.example", "--name", "S"
    )

    assert changed["origins"] == ["https://b.example", "https://c.example"]
    assert changed["name"] == "S"
    with pytest.raises(SiteError, match=r"has no origin https://z\.example"):
        kefu("edit", "shop", "--no-origin", "https://z.example")


def test_a_dry_run_writes_nothing() -> None:
    kefu("add", "Shop", "--dry-run")
    assert told("list") == []

    kefu("add", "Shop")
    kefu("edit", "shop", "--name", "Other", "--dry-run")
    kefu("remove", "shop", "--dry-run")

    assert [site["name"] for site in told("list")] == ["Shop"]


def test_a_running_server_follows_by_itself_but_a_bot_that_it_has_not_opened_needs_a_new_start(
    tmp_path: Path,
) -> None:
    write_project(tmp_path / "bank", demo=False)

    own = kefu("add", "Shop", "--origin", "https://a.example")
    bank = kefu("add", "Bank", "--bot", str(tmp_path / "bank"), "--json")
    again = kefu("edit", "bank", "--name", "The bank")
    moved = kefu("edit", "shop", "--bot", str(tmp_path / "bank"))
    tried = kefu("add", "Trial", "--bot", str(tmp_path / "bank"), "--dry-run")

    assert "follows within seconds" in own.stderr
    assert "follows within seconds" in again.stderr
    for said in (bank, moved):
        assert "Start the server again" in said.stderr
        assert "seconds" not in said.stderr
    assert json.loads(bank.stdout)["id"] == "bank"
    assert tried.stderr == ""


def test_a_bot_is_the_project_folder_of_another_one(shop: Path, tmp_path: Path) -> None:
    write_project(tmp_path / "bank", demo=False)

    bank = told("add", "Bank", "--bot", str(tmp_path / "bank"))
    own = told("add", "Own", "--bot", str(shop))

    assert bank["bot"] == str((tmp_path / "bank").resolve())
    assert own["bot"] == ""
    assert told("edit", "bank", "--bot", "")["bot"] == ""
    with pytest.raises(SiteError, match=r"no kefu\.toml"):
        kefu("add", "Nobody", "--bot", str(tmp_path / "nowhere"))


def test_a_secret_is_printed_once_and_never_again() -> None:
    kefu("add", "Shop")

    made = told("key", "add", "shop", "--kid", "k1")
    shown, listed = kefu("show", "shop").stdout, told("show", "shop")

    assert len(made["secret"]) >= 43
    assert made["secret"] not in shown
    assert "k1" in shown
    assert [key["kid"] for key in listed["keys"]] == ["k1"]
    assert "secret" not in json.dumps(listed)


def test_a_key_ends_at_once_or_after_an_overlap() -> None:
    kefu("add", "Shop")
    for kid in ("old", "gone"):
        assert kid in kefu("key", "add", "shop", "--kid", kid).stdout

    overlap = kefu("key", "remove", "shop", "old", "--after-hours", "24")
    at_once = told("key", "remove", "shop", "gone")

    assert "ends at" in overlap.stderr
    assert at_once["expires_at"] is None
    (left,) = told("show", "shop")["keys"]
    assert left["kid"] == "old"
    assert left["expires_at"]
    assert "good until" in kefu("show", "shop").stdout


def test_a_removed_site_is_gone() -> None:
    kefu("add", "Shop")

    removed = told("remove", "shop")

    assert removed["removed"]["id"] == "shop"
    assert told("list") == []
    with pytest.raises(SiteError, match="There is no site 'shop'"):
        kefu("show", "shop")


def test_the_demo_has_a_site_from_its_first_day(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["init", str(tmp_path / "demo"), "--demo"], catch_exceptions=False)

    assert done.exit_code == 0
    (site,) = open_sites(load_settings(tmp_path / "demo")).sites()
    assert site.id == "demo"
    assert "http://127.0.0.1:8080" in site.origins
