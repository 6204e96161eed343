"""Growth breeds god files unless a test stops them."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [
    path for folder in ("knowledge", "chatbot", "finetune", "ui") for path in (ROOT / folder).rglob("*.py")
]
FORBIDDEN = {"utils.py", "helpers.py", "common.py", "manager.py", "misc.py"}
VISIBLE = {
    "pyproject.toml", "README.md", "Makefile", "LICENSE", "NOTICE", "CHANGELOG.md", "requirements.lock",
    "benchmarks", "docs", "knowledge", "chatbot", "finetune", "ui", "tests",
}  # fmt: skip
ALEMBIC = "migrations/versions"


def test_no_file_has_more_than_400_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): n for path in SOURCES if (n := len(path.read_text().splitlines())) > 400
    }

    assert long == {}


def test_no_function_has_more_than_50_lines() -> None:
    long = {}
    for path in SOURCES:
        if ALEMBIC in str(path):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1 - _docstring_lines(node)
                if lines > 50:
                    long[f"{path.relative_to(ROOT)}:{node.name}"] = lines

    assert long == {}


def test_file_names_say_what_is_inside() -> None:
    vague = [path for path in SOURCES if path.name in FORBIDDEN]

    assert vague == []


def test_the_root_shows_only_what_the_architecture_names() -> None:
    visible = {
        path.name
        for path in ROOT.iterdir()
        if not path.name.startswith(".")
        and not path.name.endswith(".egg-info")
        and path.name not in {"build", "dist"}
    }

    assert visible <= VISIBLE


def test_every_module_has_a_docstring() -> None:
    bare = [
        str(path.relative_to(ROOT)) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text()))
    ]

    assert bare == []


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        return (first.end_lineno or 0) - first.lineno + 1
    return 0
