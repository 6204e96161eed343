"""How good retrieval is: P@1, recall@5, MRR@10, MAP and nDCG@10 over questions with known answers.

The measures are those of trec_eval, by ir-measures; a question that nothing answers is left out of them.
"""

from __future__ import annotations

import csv
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from knowledge.clean import width
from knowledge.errors import KnowledgeError
from knowledge.items import FAQ_PREFIX
from knowledge.types import Entry, Progress, Retriever

DEPTH = 100
"""Hits that are looked at for MAP."""
_THIRDS = ("short", "middling", "long")
_FEWEST_IN_THIRDS = 60


@dataclass(frozen=True, slots=True)
class Judged:
    """A question and the passages that answer it; none when nothing does."""

    query: str
    relevant: frozenset[str]


@dataclass(frozen=True, slots=True)
class Measures:
    """Of one question, or the means over several."""

    p_at_1: float
    recall_at_5: float
    mrr_at_10: float
    map: float
    ndcg_at_10: float


@dataclass(frozen=True, slots=True)
class Found:
    """A question, what was found for it, best first, and how long that took, encoding included."""

    judged: Judged
    ids: tuple[str, ...]
    ms: float


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


def evaluate(retriever: Retriever, judged: Iterable[Judged], *, progress: Progress | None = None) -> Quality:
    """Search every question that has an answer, and average.

    Raises:
        KnowledgeError: No question has an answer.
    """
    return quality(search_all(retriever, judged, progress=progress))


def search_all(
    retriever: Retriever, judged: Iterable[Judged], *, progress: Progress | None = None
) -> list[Found]:
    """What is found for each question that has an answer."""
    asked = [item for item in judged if item.relevant]
    found = []
    for done, item in enumerate(asked, start=1):
        start = time.perf_counter()
        hits = retriever.search(item.query, DEPTH)
        ms = 1000 * (time.perf_counter() - start)
        found.append(Found(item, tuple(hit.passage.id for hit in hits), ms))
        if progress and (done % 20 == 0 or done == len(asked)):
            progress("Asking the questions", done / len(asked))
    return found


def quality(found: Sequence[Found]) -> Quality:
    """The means over what was found.

    Raises:
        KnowledgeError: No question has an answer.
    """
    if not found:
        msg = "None of the questions names an answer. Fill the column relevant_ids."
        raise KnowledgeError(msg)
    each = measure([(one.ids, one.judged.relevant) for one in found])
    p50, p99 = (float(value) for value in np.percentile([one.ms for one in found], [50, 99]))
    return Quality(
        n=len(found),
        p_at_1=float(np.mean([one.p_at_1 for one in each])),
        recall_at_5=float(np.mean([one.recall_at_5 for one in each])),
        mrr_at_10=float(np.mean([one.mrr_at_10 for one in each])),
        map=float(np.mean([one.map for one in each])),
        ndcg_at_10=float(np.mean([one.ndcg_at_10 for one in each])),
        ms_p50=p50,
        ms_p99=p99,
    )


def by_length(found: Sequence[Found]) -> dict[str, Quality]:
    """The means over the short, the middling and the long questions; none where there are few."""
    lengths = thirds([one.judged.query for one in found])
    if not lengths:
        return {}
    return {
        name: quality([one for one, length in zip(found, lengths, strict=True) if length == name])
        for name in dict.fromkeys(sorted(lengths, key=_THIRDS.index))
    }


def thirds(texts: Sequence[str]) -> list[str]:
    """Whether each is among the third of the "short" ones, the "middling" or the "long"; none for fewer than 60.

    Equally wide texts (a Chinese character counts two) stand together.
    """
    if len(texts) < _FEWEST_IN_THIRDS:
        return []
    widths = [width(text) for text in texts]
    limits = np.quantile(widths, [1 / 3, 2 / 3])
    return [_THIRDS[int(np.searchsorted(limits, each))] for each in widths]


def confusions(found: Sequence[Found], titles: Mapping[str, str], *, most: int = 8) -> dict[str, int]:
    """What was found first instead of what was wanted, the most frequent pairs: "wanted → found" and how often.

    Args:
        found: Of `search_all`.
        titles: The stored question of each passage.
        most: Pairs that are named.
    """
    pairs = Counter(
        f"{titles.get(min(one.judged.relevant), '?')} → {titles.get(one.ids[0], '?')}"
        for one in found
        if one.ids and one.ids[0] not in one.judged.relevant
    )
    return dict(pairs.most_common(most))


def measure(lists: Sequence[tuple[Sequence[str], frozenset[str]]]) -> list[Measures]:
    """The measures of each ranked list, given with the ids that are relevant (at least one)."""
    from ir_measures import AP, RR, P, Qrel, R, ScoredDoc, iter_calc, nDCG

    names: dict[Any, str] = {
        P @ 1: "p_at_1",
        R @ 5: "recall_at_5",
        RR @ 10: "mrr_at_10",
        AP @ DEPTH: "map",
        nDCG @ 10: "ndcg_at_10",
    }
    values: list[dict[str, float]] = [dict.fromkeys(names.values(), 0.0) for _ in lists]
    wanted = [
        Qrel(str(number), doc, 1) for number, (_, relevant) in enumerate(lists) for doc in sorted(relevant)
    ]
    ranked = [
        ScoredDoc(str(number), doc, -float(rank))
        for number, (found, _) in enumerate(lists)
        for rank, doc in enumerate(found)
    ]
    for metric in iter_calc(list(names), wanted, ranked):
        values[int(metric.query_id)][names[metric.measure]] = float(metric.value)
    return [Measures(**value) for value in values]


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
        if (row["query"] or "").strip()
    ]


def read_entries(path: Path) -> tuple[list[Entry], int]:
    """The entries of an FAQ file in any import format, each row one, and how many rows are no FAQ.

    Raises:
        UnreadableFileError: The file cannot be read.
        KnowledgeError: No row is one.
    """
    from knowledge.sources.faq import read_faqs

    rows = read_faqs(path).rows
    entries = [row.faq.entry() for row in rows if row.faq and row.faq.enabled]
    if not entries:
        why = next((f" {problem}" for row in rows for problem in row.problems), "")
        msg = f"{path} has no FAQ that could be searched.{why} Put at least one row with a question and an answer below its header."
        raise KnowledgeError(msg)
    return entries, len(rows) - len(entries)
