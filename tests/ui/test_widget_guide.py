"""The owner's guide to the server's side says what is so: its code signs, its settings load, its commands are there."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chatbot.settings import Settings
from chatbot.sites.site import Site
from chatbot.sites.store import SiteStore
from knowledge.database import open_engine
from knowledge.tables import metadata
from ui.cli import app
from ui.server.widget.files import widget_folder
from ui.server.widget.identity import identify

GUIDE = (widget_folder() / "identity.md").read_text("utf-8")
WHO = ("user-7", "Zoë 陈", "help-centre")


def block(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def by_python(kid: str, secret: str, folder: Path) -> str:
    names: dict[str, Callable[..., str]] = {}
    exec(block("python"), names)
    return names["kefu_token"](*WHO[:2], site=WHO[2], kid=kid, secret=secret)


def by_node(kid: str, secret: str, folder: Path) -> str:
    (folder / "sign.mjs").write_text(block("js"), "utf-8")
    call = (
        "import { kefuToken } from './sign.mjs'; const [id, name, site, kid, secret] = process.argv.slice(1);"
        "process.stdout.write(kefuToken(id, name, { site, kid, secret }));"
    )
    return run(folder, "node", "--input-type=module", "-e", call, "--", *WHO, kid, secret)


def by_php(kid: str, secret: str, folder: Path) -> str:
    (folder / "sign.php").write_text(block("php") + "echo kefu_token(...array_slice($argv, 1));", "utf-8")
    return run(folder, "php", "sign.php", *WHO, kid, secret)


def run(folder: Path, *command: str) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} on this machine")
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.mark.parametrize("sign", [by_python, by_node, by_php])
def test_the_code_of_the_guide_signs_what_the_server_takes(
    sign: Callable[[str, str, Path], str], tmp_path: Path
) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'kefu.db'}")
    metadata.create_all(engine)
    store = SiteStore(engine)
    store.add(Site("help-centre", "Help centre", ()))
    key = store.add_key("help-centre")

    user = identify(
        sign(key.kid, key.secret, tmp_path), site_id="help-centre", keys=store.keys("help-centre")
    )

    assert (user.id, user.name) == WHO[:2]
    engine.dispose()


def test_the_settings_of_the_guide_are_settings() -> None:
    settings = Settings.model_validate(tomllib.loads(block("toml")))

    assert settings.widget.smtp is not None
    assert settings.widget.prechat[0].label["zh"] == "订单号"
    assert settings.widget.model_copy(update={"smtp": None, "prechat": ()}) == Settings().widget


def test_the_commands_of_the_guide_are_there() -> None:
    commands = re.findall(r"^kefu ((?:site )(?:key )?\w+)(.*?)(?:  #|$)", GUIDE, re.MULTILINE)
    assert len(commands) == 8

    for command, rest in commands:
        said = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
        assert said.exit_code == 0
        for option in re.findall(r"--[a-z-]+", rest):
            assert option in said.stdout
