"""How good retrieval is: P@1, recall@5, MRR@10, MAP and nDCG@10 over questions with known answers."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from knowledge.errors import KnowledgeError
from knowledge.items import FAQ_PREFIX
from knowledge.types import Retriever

DEPTH = 100
"""Hits that are looked at for MAP."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A question and the passages that answer it; none when nothing does."""

    query: str
    relevant: frozenset[str]


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over the questions that have an answer, and the time of each search, encoding included."""

    n: int
    p_at_1: float
    recall_at_5: float
    mrr_at_10: float
    map: float
    ndcg_at_10: float
    ms_p50: float
    ms_p99: float


def evaluate(retriever: Retriever, judged: Iterable[Judged]) -> Quality:
    """Search every question and average; questions without an answer are left out.

    Raises:
        KnowledgeError: No question has an answer.
    """
    rows: list[tuple[float, ...]] = []
    times: list[float] = []
    for item in judged:
        if not item.relevant:
            continue
        start = time.perf_counter()
        hits = retriever.search(item.query, DEPTH)
        times.append(1000 * (time.perf_counter() - start))
        rows.append(measure([hit.passage.id for hit in hits], item.relevant))
    if not rows:
        msg = "None of the questions names an answer. Fill the column relevant_ids."
        raise KnowledgeError(msg)
    p_at_1, recall, reciprocal, average, gain = (float(mean) for mean in np.mean(rows, axis=0))
    p50, p99 = (float(value) for value in np.percentile(times, [50, 99]))
    return Quality(len(rows), p_at_1, recall, reciprocal, average, gain, p50, p99)


def measure(found: Sequence[str], relevant: frozenset[str]) -> tuple[float, float, float, float, float]:
    """P@1, recall@5, reciprocal rank within 10, average precision and nDCG@10 of one ranked list."""
    ranks = [rank for rank, passage in enumerate(found, start=1) if passage in relevant]
    count = len(relevant)
    precision = sum((number + 1) / rank for number, rank in enumerate(ranks)) / count
    gain = sum(1 / math.log2(rank + 1) for rank in ranks if rank <= 10)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(count, 10) + 1))
    return (
        float(bool(ranks) and ranks[0] == 1),
        sum(rank <= 5 for rank in ranks) / count,
        1 / ranks[0] if ranks and ranks[0] <= 10 else 0.0,
        precision,
        gain / ideal,
    )


def read_judged(path: Path) -> list[Judged]:
    """Questions of a CSV file `query,relevant_ids`: FAQ ids parted by spaces, none when nothing answers.

    Raises:
        KnowledgeError: The file cannot be read, or a column is missing.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path} cannot be read: {error}. It must be CSV in UTF-8."
        raise KnowledgeError(msg) from error
    if not rows or not {"query", "relevant_ids"} <= rows[0].keys():
        msg = f"{path} has no columns query and relevant_ids. Its first line must name them."
        raise KnowledgeError(msg)
    return [
        Judged(row["query"], frozenset(FAQ_PREFIX + faq for faq in (row["relevant_ids"] or "").split()))
        for row in rows
    ]
