"""The widget's files as they are sent: small, whole, and without what they must not hold."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ui.server.widget.files import read_loaders, read_window
from ui.server.widget.lean import lean

ROOT = Path(__file__).resolve().parents[3]
WIDGET = ROOT / "ui" / "widget"
SITE = ROOT / "ui" / "site"
LOADER_BYTES = 4 * 1024
ALL_BYTES = 30 * 1024
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no node on the PATH: install Node 20")


def sent() -> dict[str, bytes]:
    """What is sent, as a browser unpacks it: loaders, page, script and style."""
    window = read_window(WIDGET)
    files = {**read_loaders(WIDGET), **window.files}
    plain = {re.sub(r"\.[0-9a-f]{12}\.", ".", name): file.body for name, file in files.items()}
    return plain | {"frame.html": window.page.encode()}


def test_the_loader_is_at_most_4_kb_and_everything_30() -> None:
    sizes = {name: len(gzip.compress(body, 9)) for name, body in sent().items()}

    assert sizes["widget.js"] <= LOADER_BYTES
    assert sum(sizes.values()) <= ALL_BYTES, sizes


def test_nothing_else_is_sent_and_every_module_and_text_is_in_the_script() -> None:
    script = sent()["frame.mjs"].decode()
    joined = set(re.findall(r"^const \$(\w+) =", script, re.MULTILINE))
    parts = {path.stem.replace("-", "_") for path in [*WIDGET.glob("*.mjs"), *WIDGET.glob("texts-*.json")]}

    assert set(sent()) == {"widget.js", "widget.mjs", "frame.html", "frame.css", "frame.mjs"}
    assert joined == parts - {"widget"}
    assert "fetch(" in script
    assert script.count("await fetch(") == 1, "nothing but the API is fetched"


def test_no_script_parses_markup_evaluates_text_or_sets_cookies() -> None:
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setTimeout\(['\"`]|\.cookie|import\("
    found = {name: hit for name, body in sent().items() if (hit := re.findall(forbidden, body.decode()))}

    assert found == {}


def test_every_listener_for_messages_first_asks_where_they_come_from_and_every_post_names_its_target() -> (
    None
):
    code = {name: body.decode() for name, body in sent().items() if name.endswith(("js", "mjs"))}
    listeners = [
        body.split('addEventListener("message"', 1)[1] for body in code.values() if '("message"' in body
    ]
    posts = [
        line
        for body in code.values()
        for line in body.splitlines()
        if "postMessage(" in line and "channel." not in line
    ]

    assert len(listeners) == 2
    for listener in listeners:
        assert re.match(
            r", \(event\) => \{\nif \(event\.origin != [\w.]+ \|\| event\.source != [\w.?]+ \|\|", listener
        )
    assert len(posts) == 2
    assert all(re.search(r"postMessage\(.*, (this|host)\.origin\)", post) for post in posts)


def test_nothing_is_named_that_lies_elsewhere() -> None:
    known = {"http://www.w3.org/2000/svg"}
    named = {url for body in sent().values() for url in re.findall(r"https?://[\w.]+[\w./]*", body.decode())}

    assert named <= known


def test_comments_and_indentation_are_all_that_is_left_out() -> None:
    source = b"/** Doc. */\n// line\nlet a = /** @type {X} */ (1); // stays\n  /*\n   * more\n   */\n\n    b(`x\n  y`);\nconst u = 'http://x';\n"

    assert lean(source, ".mjs") == b"let a = (1); // stays\nb(`x\ny`);\nconst u = 'http://x';\n"
    assert lean(source, ".json") == source


@needs_node
def test_every_script_is_whole_after_that(tmp_path: Path) -> None:
    for name, body in sent().items():
        if name.endswith(("js", "mjs")):
            (tmp_path / name).write_bytes(body)
            done = subprocess.run(
                ["node", "--check", tmp_path / name], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr


@needs_node
def test_the_pure_parts_pass_their_own_tests() -> None:
    done = subprocess.run(
        ["node", "--test", Path(__file__).parent], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout[-3000:]


def test_the_types_hold_strictly() -> None:
    tsc = WIDGET / "node_modules" / ".bin" / "tsc"
    if not tsc.exists():
        pytest.skip(f"no TypeScript at {tsc}: run 'make widget-tools' (needs npm)")

    done = subprocess.run([tsc, "-p", WIDGET], capture_output=True, text=True, check=False)

    assert done.stdout == ""
    assert json.loads((WIDGET / "tsconfig.json").read_text("utf-8"))["compilerOptions"]["strict"] is True


@pytest.mark.parametrize("page", ["index.html", "en.html"])
def test_the_sample_site_holds_no_inline_script_or_style(page: str) -> None:
    text = (SITE / page).read_text("utf-8")

    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", text) == []
    for name in re.findall(r'(?:href|src)="([\w.-]+\.\w+)"', text):
        assert (SITE / name).exists(), name


def documented(heading: str) -> set[str]:
    """The names in the table under that heading of the README."""
    section = (WIDGET / "README.md").read_text("utf-8").split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    first_cells = re.findall(r"^\| (`[^|]+`) \|", section, re.MULTILINE)
    return {name for cell in first_cells for name in re.findall(r"`([\w:]+)", cell)}


def test_every_option_method_and_event_of_the_readme_is_used_by_a_test_in_a_browser() -> None:
    used = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*browser*.py"))

    def kebab(name: str) -> str:
        return re.sub("[A-Z]", lambda found: f"-{found[0].lower()}", name)

    options, methods, events = map(documented, ("Options", "Methods", "Events"))
    unused = {
        *(
            name
            for name in options
            if not re.search(rf"\bdata-{kebab(name)}=|[{{ ]{name}[:,] |[#&]{name}=", used)
        ),
        *(name for name in methods if not re.search(rf"\bkefu\.{name}\(", used)),
        *(name for name in events if not re.search(rf"[\"']{name}[\"']", used)),
    }

    assert unused == set()
    assert len(options) == 24
    assert len(methods) == 13
    assert len(events) == 8


def test_the_readme_names_every_option_and_method_that_there_is() -> None:
    code = (WIDGET / "options.mjs").read_text("utf-8")
    known = set(re.findall(r"^  (\w+): ", code.split("ALLOWED = {", 1)[1].split("};", 1)[0], re.MULTILINE))
    api = (WIDGET / "widget.js").read_text("utf-8").split("const api = {", 1)[1].split("\n  };", 1)[0]

    assert documented("Options") == known
    assert documented("Methods") == set(re.findall(r"^    (\w+)(?:: |\()", api, re.MULTILINE))


def test_pictures_in_the_readme_are_there_and_light() -> None:
    named = re.findall(r"\]\(([^)]+\.png)\)", (WIDGET / "README.md").read_text("utf-8"))

    assert len(named) == 2
    for picture in named:
        assert (WIDGET / picture).stat().st_size < 150_000
