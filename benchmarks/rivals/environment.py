"""The rivals' own virtual environment, so that the product's lock stays as it is, and how one of them is run."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from knowledge.errors import KefuError

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".venv-rivals"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
SURROUNDINGS = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_WAIT_POLICY": "PASSIVE",
}
"""No network, no telemetry; and threads of torch that wait without spinning: beside other work on two cores a rival's
search took 1,900 ms with spinning threads and 55 ms with these."""
_TAIL = 2000


class SystemFailedError(KefuError):
    """A system that is measured ended with an error."""


def prepare() -> Path:
    """The environment's interpreter; installs what `requirements.txt` names when that has changed."""
    python = FOLDER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp, wanted = FOLDER / ".installed", hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text("utf-8") == wanted:
        return python
    if not python.exists():
        venv.create(FOLDER, with_pip=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "-r", str(REQUIREMENTS)], check=True, stdout=sys.stderr)
    stamp.write_text(wanted, "utf-8")
    return python


def ask_rival(python: Path, system: str, tasks: list[dict[str, Any]], work: Path) -> dict[str, Any]:
    """Run `benchmarks/rivals/systems/{system}.py` over tasks and read what it prints.

    Raises:
        SystemFailedError: It ended with an error.
    """
    path = work / f"{system}.json"
    path.write_text(json.dumps(tasks, ensure_ascii=False), "utf-8")
    return run_json([str(python), "-m", f"benchmarks.rivals.systems.{system}", str(path)])


def ask_kefu(arguments: list[str], work: Path) -> dict[str, Any]:
    """Run `kefu eval ... --json` without a project, so that only defaults count.

    Raises:
        SystemFailedError: It ended with an error.
    """
    return run_json([sys.executable, "-m", "ui.cli", "-p", str(work), "eval", *arguments, "--json"])


def once(work: Path, asked: list[Any], ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the same was answered before the run was cut off, else the answer now, kept in the work folder."""
    path = work / f"answer-{hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]}.json"
    if path.exists():
        known: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return known
    said = ask()
    path.write_text(json.dumps(said, ensure_ascii=False), "utf-8")
    return said


def run_json(command: list[str]) -> dict[str, Any]:
    """What a command prints, which must be one JSON object."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **SURROUNDINGS},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    try:
        if done.returncode == 0:
            said: dict[str, Any] = json.loads(done.stdout)
            return said
        why = f"ended with code {done.returncode}"
    except ValueError:
        why = "printed no JSON"
    raise SystemFailedError(
        f"{' '.join(command)} {why}. Read what it said:\n{(done.stderr or done.stdout)[-_TAIL:]}"
    )
