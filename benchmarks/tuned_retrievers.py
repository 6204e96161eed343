"""What `kefu train retriever` adds on public FAQ sets, learned from the entries alone: no question of the test, no label.

    .venv/bin/python -m benchmarks.tuned_retrievers --data DATA

Each set gets a project of its own, is learned with the settings of `--config` (the same for all), and asked the same
questions before and after, with `kefu eval faq --method hybrid`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.rivals.sets import FaqSet, faq_sets

SETTINGS = """[knowledge.encoder]
kind = "bundled"
adapter = {adapter}
"""


def main(data: Path, config: Path | None, *, seed: int, only: list[str]) -> None:
    """Print one line a set as soon as it is measured."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        print(
            "| set | questions | P@1 before | after | MAP before | after | learned in |\n|---|---|---|---|---|---|---|"
        )
        for one in faq_sets(data, folder, seed=seed, entries=1000, questions=0):
            if not only or one.name in only:
                print(_row(one, folder / f"project_{one.name}", config), flush=True)


def _row(one: FaqSet, project: Path, config: Path | None) -> str:
    kefu(None, "init", str(project))
    asked = (
        "eval",
        "faq",
        "--faq",
        str(one.faq),
        "--queries",
        str(one.queries),
        "--method",
        "hybrid",
        "--json",
    )
    before = kefu(project, *asked)
    begun = time.monotonic()
    settings = ("--config", str(config.resolve())) if config else ()
    kefu(project, "train", "retriever", "--faq", str(one.faq), "--name", "tuned", *settings, "--json")
    seconds = time.monotonic() - begun
    with (project / "kefu.toml").open("a", encoding="utf-8") as file:
        file.write("\n" + SETTINGS.format(adapter=json.dumps(str(project / "models/retriever/tuned"))))
    after = kefu(project, *asked)
    figures = [f"{run[name]:.3f}" for name in ("p_at_1", "map") for run in (before, after)]
    return " | ".join([f"| `{one.name}`", str(before["n"]), *figures, f"{seconds:.0f} s |"])


def kefu(project: Path | None, *arguments: str) -> Any:
    """What a command printed as JSON, if it did."""
    where = ("-p", str(project)) if project else ()
    done = subprocess.run(
        [sys.executable, "-m", "ui.cli", *where, *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout) if "--json" in arguments else None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What fine-tuning the retriever adds on public FAQ sets.")
    parser.add_argument("--data", type=Path, required=True, help="Folder of the public sets.")
    parser.add_argument("--config", type=Path, help="A run.toml for all of them.")
    parser.add_argument("--seed", type=int, default=0, help="Of the entries that are drawn.")
    parser.add_argument("only", nargs="*", help="Names of sets; all without one.")
    given = parser.parse_args()
    main(given.data, given.config, seed=given.seed, only=given.only)
