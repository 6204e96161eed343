"""How much is answered at a promised risk, on public FAQ sets with questions that nothing answers mixed in.

    .venv/bin/python -m benchmarks.risk --data DATA

A quarter of the answers is taken out of each FAQ, so that nothing answers the questions to them. Four fifths of all
questions calibrate, the rest measures (`kefu eval answers --calibration …`); questions to the same answers stay together.
This is done anew for each seed, and the table has the means, and in how many of the rounds the promise was kept. What is
asked of something else altogether is measured apart, at the same thresholds: the out-of-scope sentences of CLINC150's test
part, which were not calibrated on.
"""

from __future__ import annotations

import argparse
import csv
import random
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.rivals.sets import FaqSet, faq_sets, read_rows
from benchmarks.tuned_retrievers import kefu

TAKEN_OUT = 0.25
CALIBRATES = 0.8
OUT_OF_SCOPE = "oos"


def main(
    data: Path, project: Path | None, *, risks: Sequence[float], seeds: int, entries: int, only: list[str]
) -> None:
    """Print one line a set and risk as soon as it is measured."""
    print(
        "| set | questions, of them unanswerable | risk | coverage | wrong among answered | unanswerable ones answered | out of scope answered | kept |"
        "\n|---|---|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        strangers = folder / "strangers.csv"
        _write(strangers, _strangers(data))
        for one in faq_sets(data, folder, seed=0, entries=entries, questions=0):
            if not only or one.name in only:
                rounds = [divided(one, folder / f"{one.name}{seed}", seed=seed) for seed in range(seeds)]
                for risk in risks:
                    print(
                        _row(
                            one.name, risk, [_measured(files, project, risk, strangers) for files in rounds]
                        ),
                        flush=True,
                    )


def divided(one: FaqSet, folder: Path, *, seed: int) -> Path:
    """The folder with faq.csv, calibration.csv and queries.csv of one round."""
    questions = read_rows(one.queries)
    groups = _groups(row["relevant_ids"].split() for row in questions)
    names = sorted({*groups.values()})
    rng = random.Random(seed)
    gone = {*rng.sample(names, round(TAKEN_OUT * len(names)))}
    calibrates = {*rng.sample(names, round(CALIBRATES * len(names)))}
    folder.mkdir()
    entries = read_rows(one.faq)
    _write(folder / "faq.csv", [row for row in entries if groups.get(row["id"]) not in gone])
    parts: dict[bool, list[dict[str, str]]] = {True: [], False: []}
    for row in questions:
        group = groups[row["relevant_ids"].split()[0]]
        answers = "" if group in gone else row["relevant_ids"]
        parts[group in calibrates].append({"query": row["query"], "relevant_ids": answers})
    _write(folder / "calibration.csv", parts[True])
    _write(folder / "queries.csv", parts[False])
    return folder


def _groups(together: Iterable[Sequence[str]]) -> dict[str, str]:
    """The group of each answer: those that answer one question are in one, named after one of them."""
    group: dict[str, str] = {}
    for ids in together:
        known = {group[one] for one in ids if one in group}
        first = min(known, default=ids[0])
        group |= dict.fromkeys(ids, first)
        group |= {one: first for one, name in group.items() if name in known}
    return group


def _strangers(data: Path) -> list[dict[str, str]]:
    rows = read_rows(data / "intents" / "clinc150" / "test.csv")
    return [{"query": row["text"], "relevant_ids": ""} for row in rows if row["intent"] == OUT_OF_SCOPE]


def _measured(files: Path, project: Path | None, risk: float, strangers: Path) -> dict[str, Any]:
    def asked(queries: Path) -> dict[str, Any]:
        names = {"faq": files / "faq.csv", "queries": queries, "calibration": files / "calibration.csv"}
        options = [part for name, path in names.items() for part in (f"--{name}", str(path))]
        figures: dict[str, Any] = kefu(project, "eval", "answers", *options, "--risk", str(risk), "--json")
        return figures

    return {**asked(files / "queries.csv"), "strangers_answered": asked(strangers)["unanswerable_answered"]}


def _row(name: str, risk: float, rounds: Sequence[dict[str, Any]]) -> str:
    keys = ("coverage", "wrong_rate", "unanswerable_answered", "strangers_answered")
    means = [mean(one[key] for one in rounds) for key in keys]
    asked = f"{mean(one['n'] for one in rounds):.0f}, {mean(one['unanswerable'] for one in rounds):.0f}"
    # With 95 % confidence one round in twenty may miss; a round whose calibration proved nothing promised nothing.
    promised = [one for one in rounds if one["risk_certified"]]
    kept = sum(one["risk_target_met"] for one in promised)
    shares = " | ".join(f"{share:.1%}" for share in means)
    return f"| `{name}` | {asked} | {risk:.0%} | {shares} | {kept} of {len(promised)} promised ({len(rounds)} rounds) |"


def _write(path: Path, rows: Sequence[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Coverage at a promised risk on public FAQ sets.")
    parser.add_argument("--data", type=Path, required=True, help="Folder of the public sets.")
    parser.add_argument("--project", type=Path, help="Whose encoder is used; the bundled one without it.")
    parser.add_argument("--risk", type=float, nargs="+", default=[0.02, 0.05, 0.1], help="Promised risks.")
    parser.add_argument("--seeds", type=int, default=5, help="Rounds.")
    parser.add_argument("--entries", type=int, default=1000, help="Most entries of the travel set.")
    parser.add_argument("only", nargs="*", help="Names of sets; all without one.")
    given = parser.parse_args()
    main(
        given.data,
        given.project,
        risks=given.risk,
        seeds=given.seeds,
        entries=given.entries,
        only=given.only,
    )
