"""Retrieval with the real encoder on public sets: never below the floor that plain cosine reaches there."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from knowledge.build import arrange
from knowledge.evaluate import evaluate, read_judged
from knowledge.search import SnapshotRetriever
from knowledge.settings import RetrievalSettings
from knowledge.types import Encoder, Entry, Passage

pytestmark = pytest.mark.models


def entries_of(path: Path, locale: str) -> list[Entry]:
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Entry(
                Passage(f"faq:{row['id']}", row["answer"][:400], row["question"], "faq", locale),
                (row["question"],),
            )
            for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize(
    ("name", "locale", "step", "floor"), [("stackfaq_en", "en", 7, 0.84), ("bank_zh", "zh", 4, 0.23)]
)
def test_hybrid_search_is_below_neither_the_floor_nor_either_of_its_halves(
    shared_data: Path, encoder: Encoder, name: str, locale: str, step: int, floor: float
) -> None:
    folder = shared_data / "faq" / name
    snapshot = arrange(entries_of(folder / "faq.csv", locale), encoder, settings=RetrievalSettings())
    judged = read_judged(folder / "queries.csv")[3::step]  # a thread's first question is the easiest

    hybrid = evaluate(SnapshotRetriever(snapshot, encoder), judged)
    dense = evaluate(SnapshotRetriever(snapshot, encoder, method="dense"), judged)
    words = evaluate(SnapshotRetriever(snapshot, encoder, method="bm25"), judged)

    assert hybrid.p_at_1 >= floor
    assert hybrid.map >= max(dense.map, words.map)
