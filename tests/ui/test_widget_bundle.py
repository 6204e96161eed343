"""The window's modules as one script: the same program, or none at all."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ui.server.widget.bundle import BundleError, bundle

MODULES = {
    "start.mjs": """import { Counter, double } from "./count.mjs";
import { hidden } from "./other.mjs";
import words from "./words.json" with { type: "json" };
const secret = "mine";
console.log(double(new Counter().next()), hidden(), secret, words.text, import.meta.url.length > 0);
""",
    "count.mjs": """// @ts-check
/** @typedef {import("./other.mjs").Nothing} Nothing */
import { hidden } from "./other.mjs";
const secret = "its own";
export const double = (n) => n * 2;
export class Counter {
  next() { return hidden().length + secret.length; }
}
export async function later() {}
export async function* many() {}
""",
    "other.mjs": """const secret = "another";
console.log("other first, and once");
export function hidden() { return secret; }
""",
    "words.json": '{"text": "\\"</script>\\" \\u2028 中"}',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in MODULES.items():
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


@pytest.mark.skipif(shutil.which("node") is None, reason="no node on the PATH: install Node 20")
def test_the_script_does_what_the_modules_do_with_names_of_their_own(folder: Path) -> None:
    (folder / "joined.mjs").write_bytes(bundle(folder, "start.mjs"))

    apart, joined = (
        subprocess.run(
            ["node", "--no-warnings", folder / name], capture_output=True, text=True, check=False, timeout=60
        )
        for name in ("start.mjs", "joined.mjs")
    )

    assert joined.stderr == ""
    assert joined.stdout == apart.stdout
    assert joined.stdout.startswith("other first, and once\n28 another mine")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('import { nothing } from "./other.mjs";', "imports nothing, which other.mjs does not export"),
        ('import { gone } from "./gone.mjs";', "'gone.mjs' cannot be read"),
        ('import { x } from "./count.mjs";', "imports itself"),
        ('import { hidden as seen } from "./other.mjs";', "has 'import { hidden as seen }"),
        ('import * as all from "./other.mjs";', "has 'import *"),
        ('import { hidden } from "https://cdn.example/other.mjs";', "has 'import {"),
        ("export let n = 1;", "has 'export let"),
        ("export default 1;", "has 'export default"),
        ("export { secret };", "has 'export {"),
        ('const late = () => import("./other.mjs");', "has 'import("),
    ],
)
def test_what_cannot_be_joined_is_named(folder: Path, line: str, complaint: str) -> None:
    (folder / "count.mjs").write_text(f"{line}\n{MODULES['count.mjs']}", "utf-8")
    if "count" in line:
        (folder / "other.mjs").write_text('import { double } from "./count.mjs";\n', "utf-8")

    with pytest.raises(BundleError) as refused:
        bundle(folder, "start.mjs")

    assert complaint in str(refused.value)
