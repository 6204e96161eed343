"""The rivals' own virtual environment, so that the product's lock stays as it is, and how one of them is run."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from knowledge.errors import KefuError

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".venv-rivals"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "TOKENIZERS_PARALLELISM": "false",
}
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


def ask_rival(python: Path, system: str, task: dict[str, Any], work: Path) -> dict[str, Any]:
    """Run `benchmarks/rivals/systems/{system}.py` over a task and read what it prints.

    Raises:
        SystemFailedError: It ended with an error.
    """
    path = work / f"{system}.json"
    path.write_text(json.dumps(task, ensure_ascii=False), "utf-8")
    return run_json([str(python), "-m", f"benchmarks.rivals.systems.{system}", str(path)])


def ask_kefu(arguments: list[str], work: Path) -> dict[str, Any]:
    """Run `kefu eval ... --json` without a project, so that only defaults count.

    Raises:
        SystemFailedError: It ended with an error.
    """
    return run_json([sys.executable, "-m", "ui.cli", "-p", str(work), "eval", *arguments, "--json"])


def run_json(command: list[str]) -> dict[str, Any]:
    """What a command prints, which must be one JSON object."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **OFFLINE},
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
