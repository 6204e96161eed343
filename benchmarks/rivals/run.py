"""make rivals D=DATA: Kefu beside what people put together in an afternoon, in one run, as one report.

Retrieval: BM25 alone (Haystack), plain cosine (LangChain), Haystack's hybrid, txtai's hybrid. Intents: logistic
regression over the same encoder, SetFit. Every set is given to one system after the other; the smallest one
several times, for the times. Writes `report.md` and `report.json` beside this file.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.rivals.environment import ask_kefu, ask_rival, prepare
from benchmarks.rivals.judge import INTENTS, RANKING, judge_intents, judge_search
from benchmarks.rivals.sets import FaqSet, IntentSet, faq_sets, intent_sets, read_rows
from benchmarks.rivals.table import KEFU, Row, Timed, as_json, report
from chatbot.evaluate.intents import Labelled
from knowledge.errors import KefuError
from knowledge.evaluate import DEPTH, read_judged
from knowledge.settings import BundledEncoder, default_cache
from ui.bench.machine import describe_machine

HERE = Path(__file__).parent
QUESTIONS, BOTH = "questions", "questions and answers"


@dataclass(frozen=True, slots=True)
class Searcher:
    """A rival, and what its documents hold."""

    name: str
    module: str
    holds: str

    @property
    def title(self) -> str:
        """As it stands in the table."""
        return f"{self.name}, {self.holds}"


SEARCHERS = (
    Searcher("BM25 (Haystack)", "haystack_bm25", QUESTIONS),
    Searcher("BM25 (Haystack)", "haystack_bm25", BOTH),
    Searcher("cosine (LangChain)", "langchain_cosine", QUESTIONS),
    Searcher("cosine (LangChain)", "langchain_cosine", BOTH),
    Searcher("hybrid (Haystack)", "haystack_hybrid", QUESTIONS),
    Searcher("hybrid (Haystack)", "haystack_hybrid", BOTH),
    Searcher("hybrid (txtai)", "txtai_hybrid", QUESTIONS),
    Searcher("hybrid (txtai)", "txtai_hybrid", BOTH),
)
CLASSIFIERS = {"logistic regression": "logistic_intents", "SetFit": "setfit_intents"}


class Bench:
    """One run: the environment, the encoder, and what the systems say they are."""

    def __init__(self, python: Path, work: Path, options: argparse.Namespace) -> None:
        self.python = python
        self.work = work
        self.options = options
        self.encoder = str(BundledEncoder().weights(cache=default_cache())[0].resolve())
        self.versions: dict[str, str] = {}

    def search(self, one: FaqSet) -> list[Row]:
        """Kefu and every rival on one set."""
        _say(f"{one.name}: {KEFU}")
        own = ask_kefu(["faq", "--faq", str(one.faq), "--queries", str(one.queries)], self.work)
        rows = [Row(one.name, KEFU, {name: own[name] for name in RANKING})]
        judged, entries = read_judged(one.queries), one.entries()
        for system in SEARCHERS:
            if system.holds == BOTH and not one.answers_tell:
                continue
            _say(f"{one.name}: {system.title}")
            task = {
                "encoder": self.encoder,
                "ids": [row["id"] for row in entries],
                "texts": [_document(row, system.holds) for row in entries],
                "queries": [question.query for question in judged],
                "depth": DEPTH,
            }
            said = self._ask(system.module, task)
            rows.append(Row(one.name, system.title, judge_search(said, judged)))
        return rows

    def name_intents(self, one: IntentSet) -> list[Row]:
        """Kefu and every rival on one set."""
        _say(f"{one.name}: {KEFU}")
        files = ["--train", str(one.train), "--test", str(one.test)]
        own = ask_kefu(["intents", *files, "--method", "head"], self.work)
        rows = [Row(one.name, KEFU, {name: own[name] for name in INTENTS})]
        train, test = read_rows(one.train), read_rows(one.test)
        labelled = Labelled(tuple(row["text"] for row in test), tuple(row["intent"] for row in test))
        for title, module in CLASSIFIERS.items():
            _say(f"{one.name}: {title}")
            task = {
                "encoder": self.encoder,
                "texts": [row["text"] for row in train],
                "intents": [row["intent"] for row in train],
                "queries": list(labelled.texts),
                "seed": self.options.seed,
                "steps": self.options.setfit_steps,
            }
            rows.append(Row(one.name, title, judge_intents(self._ask(module, task), labelled)))
        return rows

    def _ask(self, module: str, task: dict[str, Any]) -> dict[str, Any]:
        said = ask_rival(self.python, module, task, self.work)
        self.versions |= said["versions"]
        return said


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything and write the report; 0 when done."""
    options = _options(arguments)
    python = prepare()
    machine, started = describe_machine(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        bench = Bench(python, work, options)
        sets = faq_sets(
            options.data, work, seed=options.seed, entries=options.entries, questions=options.questions
        )
        labelled = intent_sets(options.data, work, seed=options.seed, texts=options.texts)
        ranking = [row for one in sets for row in bench.search(one)]
        smallest = min(sets, key=lambda one: len(one.entries()))
        timed = _times(bench, smallest, ranking)
        intents = [row for one in labelled for row in bench.name_intents(one)]
    about = {
        "command": f"make rivals D=DATA{_extra(options)}",
        "day": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "machine": machine,
        "load_after": round(os.getloadavg()[0], 2),
        "minutes": (time.perf_counter() - started) / 60,
        "seed": options.seed,
        "rounds": options.rounds,
        "timed_on": smallest.name,
        "setfit_steps": options.setfit_steps,
        "sets": {one.name: one.note for one in sets},
        "intent_sets": {one.name: one.note for one in labelled},
        "versions": bench.versions,
    }
    _write(options.out, about, ranking, intents, timed)
    return 0


def _times(bench: Bench, one: FaqSet, ranking: Sequence[Row]) -> list[Timed]:
    """The set again and again: the first round is the one that was judged."""
    rounds = [[row for row in ranking if row.of == one.name]]
    rounds += [bench.search(one) for _ in range(bench.options.rounds - 1)]
    return [
        Timed(row.system, tuple(float(each[place].figures["ms_p50"] or 0.0) for each in rounds))
        for place, row in enumerate(rounds[0])
    ]


def _write(
    out: Path, about: dict[str, Any], ranking: Sequence[Row], intents: Sequence[Row], timed: Sequence[Timed]
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    page = report(about, ranking, intents, timed)
    (out / "report.md").write_text(page, "utf-8")
    whole = {
        **about,
        "retrieval": as_json(ranking),
        "intents": as_json(intents),
        "times": [asdict(one) for one in timed],
    }
    (out / "report.json").write_text(json.dumps(whole, ensure_ascii=False, indent=2) + "\n", "utf-8")
    sys.stdout.write(page)
    _say(f"The report is in {out / 'report.md'} and report.json.")


def _document(row: dict[str, str], holds: str) -> str:
    return row["question"] if holds == QUESTIONS else f"{row['question']}\n{row['answer']}"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rivals.run", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the public sets (faq/, intents/, ...)"
    )
    parser.add_argument("--out", type=Path, default=HERE, help="folder of report.md and report.json")
    parser.add_argument("--seed", type=int, default=0, help="equal seeds draw equal samples")
    parser.add_argument("--rounds", type=int, default=3, help="rounds over the smallest set, for the times")
    parser.add_argument("--entries", type=int, default=2000, help="most entries of the travel set")
    parser.add_argument("--questions", type=int, default=500, help="most questions of each FAQ set; 0: all")
    parser.add_argument("--texts", type=int, default=1500, help="most test rows of CLINC150; 0: all")
    parser.add_argument("--setfit-steps", type=int, default=200, help="steps of 16 pairs that SetFit trains")
    return parser.parse_args(arguments)


def _extra(options: argparse.Namespace) -> str:
    """The options that were not left as they are, as a person would give them to make."""
    usual = _options(["--data", "."])
    changed = [
        f"--{name.replace('_', '-')} {value}"
        for name, value in vars(options).items()
        if name not in {"data", "out"} and value != getattr(usual, name)
    ]
    return f" OPTIONS={shlex.quote(' '.join(changed))}" if changed else ""


def _say(what: str) -> None:
    sys.stderr.write(what + "\n")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KefuError as error:
        sys.stderr.write(f"rivals: {error}\n")
        sys.exit(1)
