"""The public sets that all systems are measured on, laid out as below the data folder.

A set whose questions lie elsewhere is written anew into the folder of the run, and its note says how.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from knowledge.errors import KefuError

Row = TypeVar("Row")

SENTENCES = 3
"""Last messages of a dialogue that are searched with: the place asked about stands in one of them."""


class MissingDataError(KefuError):
    """A public set is not where the data folder should have it."""


@dataclass(frozen=True, slots=True)
class FaqSet:
    """Entries and questions, as `kefu eval faq` takes them."""

    name: str
    faq: Path
    queries: Path
    note: str
    answers_tell: bool = True
    """False where the answers are placeholders, so that indexing them measures nothing."""

    def entries(self) -> list[dict[str, str]]:
        """Rows with id, question and answer."""
        return read_rows(self.faq)


@dataclass(frozen=True, slots=True)
class IntentSet:
    """Examples to learn from and texts to judge, as `kefu eval intents` takes them."""

    name: str
    train: Path
    test: Path
    note: str


def faq_sets(data: Path, work: Path, *, seed: int, entries: int, questions: int) -> list[FaqSet]:
    """Four sets: one with several answers to a question, near-twins in Chinese, paraphrases, many entities.

    Args:
        data: Folder of the public sets.
        work: Folder for what is written anew.
        seed: Equal seeds sample equally.
        entries: Most entries of the travel set.
        questions: Most questions of each set; 0 takes all.

    Raises:
        MissingDataError: A file is missing.
    """
    faq = data / "faq"
    sets = [
        FaqSet(
            "stackfaq_en",
            faq / "stackfaq_en/faq.csv",
            faq / "stackfaq_en/queries.csv",
            "several answers to each question, all of which count",
        ),
        FaqSet(
            "bank_zh",
            faq / "bank_zh/faq.csv",
            faq / "bank_zh/queries.csv",
            "many near-twins; its answers are placeholders, so rivals index the questions alone",
            answers_tell=False,
        ),
        _paraphrases(faq / "covid_en", work),
        _travel(data, work, seed=seed, entries=entries),
    ]
    return [_sampled(one, work, seed=seed, questions=questions) for one in sets]


def intent_sets(data: Path, work: Path, *, seed: int, texts: int) -> list[IntentSet]:
    """Ten examples an intent: BANKING77 whole, CLINC150 with at most `texts` of its test rows."""
    banking, clinc = data / "intents/banking77", data / "intents/clinc150"
    test = [(row["text"], row["intent"]) for row in read_rows(clinc / "test.csv")]
    kept = sample(test, texts, seed=seed)
    outside = sum(intent == "oos" for _, intent in kept)
    path = write_rows(work / "clinc150_test.csv", ("text", "intent"), kept)
    return [
        IntentSet(
            "banking77, 10 examples each",
            banking / "train_10shot.csv",
            banking / "test.csv",
            "77 intents, the whole test",
        ),
        IntentSet(
            "clinc150, 10 examples each",
            clinc / "train_10shot.csv",
            path,
            f"150 intents; {len(kept)} of {len(test)} test rows drawn with seed {seed}, {outside} of them out of scope",
        ),
    ]


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file with a header.

    Raises:
        MissingDataError: There is no such file.
    """
    if not path.is_file():
        raise MissingDataError(f"There is no file {path}. Name the folder of the public sets with --data.")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Path:
    """A CSV file with a header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def sample(rows: Sequence[Row], most: int, *, seed: int) -> list[Row]:
    """At most so many rows, drawn with the seed, in their order; 0 takes all."""
    if not most or len(rows) <= most:
        return list(rows)
    return [rows[place] for place in sorted(random.Random(seed).sample(range(len(rows)), most))]


def _sampled(one: FaqSet, work: Path, *, seed: int, questions: int) -> FaqSet:
    rows = [(row["query"], row["relevant_ids"]) for row in read_rows(one.queries)]
    kept = sample(rows, questions, seed=seed)
    if len(kept) == len(rows):
        return one
    path = write_rows(work / f"{one.name}_sampled.csv", ("query", "relevant_ids"), kept)
    note = f"{one.note}; {len(kept)} of {len(rows)} questions drawn with seed {seed}"
    return FaqSet(one.name, one.faq, path, note, one.answers_tell)


def _paraphrases(folder: Path, work: Path) -> FaqSet:
    """People's rewordings of entries: the pairs that were judged similar."""
    by_question: dict[str, list[str]] = {}
    for row in read_rows(folder / "faq.csv"):
        by_question.setdefault(row["question"].strip().casefold(), []).append(row["id"])
    pairs = read_rows(folder / "similar_pairs.csv")
    asked = [
        (row["question_2"], " ".join(ids))
        for row in pairs
        if row["similar"] == "1" and (ids := by_question.get(row["question_1"].strip().casefold()))
    ]
    path = write_rows(work / "covid_en.csv", ("query", "relevant_ids"), asked)
    note = "questions: the second of each pair judged similar, for the entry that asks the first"
    return FaqSet("covid_en", folder / "faq.csv", path, note)


def _travel(data: Path, work: Path, *, seed: int, entries: int) -> FaqSet:
    """Questions that the set itself lacks, from dialogues whose entry stands in it word for word."""
    bank = read_rows(data / "faq/travel_14k_en/faq.csv")
    place = {_content(row): row["id"] for row in bank}
    dialogues = data / "dialogue/hotels_restaurants_en"
    known = {row["id"]: place.get(_content(row)) for row in read_rows(dialogues / "faq.csv")}
    asked = []
    for line in (dialogues / "dialogues.jsonl").read_text("utf-8").splitlines():
        told = json.loads(line)
        wanted = [found for name in told["relevant_ids"] if (found := known.get(name))]
        if wanted:
            said = " ".join(turn["text"] for turn in told["turns"][-SENTENCES:])
            asked.append((said, " ".join(wanted)))
    answers = {name for _, wanted in asked for name in wanted.split()}
    others = sample(
        [row["id"] for row in bank if row["id"] not in answers], entries - len(answers), seed=seed
    )
    kept = answers | set(others)
    faq = write_rows(
        work / "travel_14k_en_faq.csv",
        ("id", "question", "answer"),
        [(row["id"], row["question"], row["answer"]) for row in bank if row["id"] in kept],
    )
    queries = write_rows(work / "travel_14k_en_queries.csv", ("query", "relevant_ids"), asked)
    note = (
        f"{len(kept)} of {len(bank)} entries drawn with seed {seed}, all that answer among them; questions: the "
        f"last {SENTENCES} messages of those dialogues in hotels_restaurants_en whose entry is one of them"
    )
    return FaqSet("travel_14k_en", faq, queries, note)


def _content(row: dict[str, str]) -> tuple[str, str]:
    return row["question"].strip().casefold(), row["answer"].strip().casefold()
