"""make rivals D=DATA: Kefu beside what people put together in an afternoon, in one run, as one report.

Retrieval: BM25 alone (Haystack), plain cosine (LangChain), Haystack's hybrid, txtai's hybrid. Intents: logistic
regression over the same encoder, SetFit. One system after the other gets every set; the smallest set
comes round several times, for the times. Writes `report.md` and `report.json` beside this file.
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.rivals.environment import ask_kefu, ask_rival, once, prepare
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
    """A rival, and what its documents hold in turn."""

    name: str
    module: str
    holds: tuple[str, ...]


SEARCHERS = (
    Searcher("BM25 (Haystack)", "haystack_bm25", (QUESTIONS, BOTH)),
    Searcher("cosine (LangChain)", "langchain_cosine", (QUESTIONS, BOTH)),
    Searcher("hybrid (Haystack)", "haystack_hybrid", (QUESTIONS,)),
    Searcher("hybrid (txtai)", "txtai_hybrid", (QUESTIONS,)),
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
        self.round = 1

    def search(self, sets: Sequence[FaqSet], *, holding: Sequence[str]) -> list[Row]:
        """Kefu and every rival on every set, by set; of the rivals' documents only those that hold this."""
        rows = []
        for one in sets:
            _say(f"{KEFU}: {one.name}")
            own = self._ask_kefu(["faq", "--faq", str(one.faq), "--queries", str(one.queries)])
            rows.append(Row(one.name, KEFU, {name: own[name] for name in RANKING}))
        for system in SEARCHERS:
            if system.name in self.options.leave_out:
                continue
            jobs = [
                (one, holds)
                for holds in system.holds
                for one in sets
                if holds in holding and (holds != BOTH or one.answers_tell)
            ]
            if not jobs:
                continue
            _say(f"{system.name}: {', '.join(f'{one.name} ({holds})' for one, holds in jobs)}")
            answers = self._ask(system.module, [self._search_task(one, holds) for one, holds in jobs])
            for (one, holds), said in zip(jobs, answers, strict=True):
                figures = judge_search(said, read_judged(one.queries))
                rows.append(Row(one.name, f"{system.name}, {holds}", figures))
        order = [one.name for one in sets]
        return sorted(rows, key=lambda row: order.index(row.of))

    def name_intents(self, sets: Sequence[IntentSet]) -> list[Row]:
        """Kefu and every rival on every set, by set."""
        rows, order = [], [one.name for one in sets]
        for one in sets:
            _say(f"{KEFU}: {one.name}")
            files = ["--train", str(one.train), "--test", str(one.test)]
            own = self._ask_kefu(["intents", *files, "--method", "head"])
            rows.append(Row(one.name, KEFU, {name: own[name] for name in INTENTS}))
        for title, module in CLASSIFIERS.items():
            if title in self.options.leave_out:
                continue
            _say(f"{title}: {', '.join(order)}")
            answers = self._ask(module, [self._intent_task(one) for one in sets])
            for one, said in zip(sets, answers, strict=True):
                rows.append(Row(one.name, title, judge_intents(said, _labelled(one.test))))
        return sorted(rows, key=lambda row: order.index(row.of))

    def _search_task(self, one: FaqSet, holds: str) -> dict[str, Any]:
        entries = one.entries()
        return {
            "encoder": self.encoder,
            "ids": [row["id"] for row in entries],
            "texts": [_document(row, holds) for row in entries],
            "queries": [question.query for question in read_judged(one.queries)],
            "depth": DEPTH,
        }

    def _intent_task(self, one: IntentSet) -> dict[str, Any]:
        train = _labelled(one.train)
        return {
            "encoder": self.encoder,
            "texts": train.texts,
            "intents": train.intents,
            "queries": _labelled(one.test).texts,
            "seed": self.options.seed,
            "steps": self.options.setfit_steps,
        }

    def _ask(self, module: str, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        said = once(
            self.work, [self.round, [module, tasks]], lambda: ask_rival(self.python, module, tasks, self.work)
        )
        self.versions |= said["versions"]
        answers: list[dict[str, Any]] = said["answers"]
        return answers

    def _ask_kefu(self, arguments: list[str]) -> dict[str, Any]:
        return once(self.work, [self.round, arguments], lambda: ask_kefu(arguments, self.work))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything and write the report; 0 when done."""
    options = _options(arguments)
    python = prepare()
    machine = describe_machine()
    with _work_folder(options.work) as work:
        kept = [path.stat().st_mtime for path in work.glob("answer-*.json")]
        started = min(kept, default=time.time())  # of the run that was cut off, if one was
        bench = Bench(python, work, options)
        sets = faq_sets(
            options.data, work, seed=options.seed, entries=options.entries, questions=options.questions
        )
        labelled = intent_sets(options.data, work, seed=options.seed, texts=options.texts)
        ranking = bench.search(sets, holding=(QUESTIONS, BOTH))
        smallest = min(sets, key=lambda one: len(one.entries()))
        intents = bench.name_intents(labelled)
        timed = _times(bench, smallest, ranking)
    about = {
        "command": f"make rivals D=DATA{_extra(options)}",
        "day": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "machine": machine,
        "load_after": round(os.getloadavg()[0], 2),
        "minutes": (time.time() - started) / 60,
        "note": options.note,
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


@contextmanager
def _work_folder(kept: Path | None) -> Iterator[Path]:
    if kept:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _times(bench: Bench, one: FaqSet, ranking: Sequence[Row]) -> list[Timed]:
    """The set again and again, the questions as documents: the first round is the one that was judged."""
    rounds = [row for row in ranking if row.of == one.name]
    for number in range(2, bench.options.rounds + 1):
        bench.round = number
        rounds += bench.search([one], holding=[QUESTIONS])
    times: dict[str, list[float]] = {}
    for row in rounds:
        times.setdefault(row.system, []).append(row.figures["ms_p50"] or 0.0)
    return [Timed(system, tuple(ms)) for system, ms in times.items() if len(ms) == bench.options.rounds]


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


def _labelled(path: Path) -> Labelled:
    rows = read_rows(path)
    return Labelled(tuple(row["text"] for row in rows), tuple(row["intent"] for row in rows))


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
    parser.add_argument(
        "--work", type=Path, help="folder of answers, kept: a run that was cut off goes on from them"
    )
    parser.add_argument("--note", default="", help="what a reader must know about this run, for the report")
    parser.add_argument(
        "--leave-out", action="append", default=[], help="a rival that is not run, by its name in the table"
    )
    parser.add_argument("--seed", type=int, default=0, help="equal seeds draw equal samples")
    parser.add_argument("--rounds", type=int, default=3, help="rounds over the smallest set, for the times")
    parser.add_argument("--entries", type=int, default=1000, help="most entries of the travel set")
    parser.add_argument("--questions", type=int, default=400, help="most questions of each FAQ set; 0: all")
    parser.add_argument("--texts", type=int, default=1000, help="most test rows of CLINC150; 0: all")
    parser.add_argument("--setfit-steps", type=int, default=100, help="steps of 16 pairs that SetFit trains")
    return parser.parse_args(arguments)


def _extra(options: argparse.Namespace) -> str:
    """The options that were not left as they are, as a person would give them to make."""
    usual = _options(["--data", "."])
    changed = [
        f"--{name.replace('_', '-')} {value}"
        for name, given in vars(options).items()
        if name not in {"data", "out", "work", "note"} and given != getattr(usual, name)
        for value in (map(shlex.quote, given) if isinstance(given, list) else [given])
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
