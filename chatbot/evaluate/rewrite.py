"""How well follow-ups become standalone questions: against the human rewrite, and by what they find.

A rewrite need not read like a person's as long as it finds the same. So beside exact match, BLEU and ROUGE-L
stands `recovery`: each automatic rewrite looks for its human rewrite among the human rewrites of all rows, and
its mean reciprocal rank (at 10) is divided by the one that the human rewrites themselves reach, who find
themselves unless another row has the same words. `recovery_bare` is the same for the message as it came.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from chatbot.evaluate.files import read_json_lines
from chatbot.evaluate.likeness import bleu, exact_match, rouge_l
from chatbot.understand.rewrite import Rewriter
from knowledge.errors import KnowledgeError
from knowledge.lexical import Bm25, Scores, Vocabulary, bare, tokenize
from knowledge.types import Encoder, Progress

Method: TypeAlias = Literal["bm25", "dense"]

MRR_DEPTH = 10


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What was said before, the message, and how a person would put it standing alone."""

    context: tuple[str, ...]
    current: str
    rewrite: str


def read_follow_ups(path: Path) -> list[FollowUp]:
    """The follow-ups of a JSON-lines file.

    Raises:
        KnowledgeError: No such file, not UTF-8, or a line that is no follow-up.
    """
    return follow_ups_of(read_json_lines(path, "context", "current", "rewrite"))


def follow_ups_of(rows: Sequence[Mapping[str, Any]]) -> list[FollowUp]:
    """The rows `{"context": [...], "current", "rewrite"}` of a file.

    Raises:
        KnowledgeError: A context that is no list of texts.
    """
    found = []
    for number, row in enumerate(rows, 1):
        context = row["context"]
        if not isinstance(context, list) or not all(isinstance(part, str) for part in context):
            msg = f'Row {number}: the context is not a list of texts. Write it as ["first", "second"], oldest first.'
            raise KnowledgeError(msg)
        found.append(FollowUp(tuple(context), str(row["current"]), str(row["rewrite"])))
    return found


def measure_rewrites(
    follow_ups: Sequence[FollowUp],
    *,
    method: Method,
    encoder: Encoder | None,
    progress: Progress,
    rewriter: Rewriter | None = None,
) -> dict[str, Any]:
    """The figures over all follow-ups.

    Args:
        follow_ups: At least one.
        method: How rewrites are looked for; "dense" needs the encoder.
        encoder: Makes the vectors.
        progress: Told how far it is.
        rewriter: A trained one, which rewrites every message; None: the rules, which leave some as they are.
    """
    rewrite = (
        rewriter.complete if rewriter else Rewriter([t for one in follow_ups for t in one.context]).after
    )
    written, times = [], []
    for done, one in enumerate(follow_ups, 1):
        start = time.perf_counter()
        written.append(rewrite(one.current, one.context))
        times.append(1000 * (time.perf_counter() - start))
        if done % 200 == 0 or done == len(follow_ups):
            progress("Rewriting", done / len(follow_ups))
    expected = [one.rewrite for one in follow_ups]
    current = [one.current for one in follow_ups]
    as_came = rewrite_figures(current, follow_ups)
    finder = _finder(expected, method=method, encoder=encoder)
    human, ours, untouched = (_mrr(finder, texts, expected) for texts in (expected, written, current))
    progress("Looking for the rewrites", 1.0)
    return {
        "n": len(follow_ups),
        **rewrite_figures(written, follow_ups),
        "ms_p50": float(np.percentile(times, 50)),
        "ms_p99": float(np.percentile(times, 99)),
        "recovery": ours / human,
        "recovery_bare": untouched / human,
        "rewritten": float(np.mean([w != c for w, c in zip(written, current, strict=True)])),
        "rewritten_by_people": 1 - as_came["exact_match"],
        "bleu_bare": as_came["bleu"],
        "rouge_l_bare": as_came["rouge_l"],
        "retrieval": f"{method} among {len({bare(text) for text in expected})} human rewrites, MRR@{MRR_DEPTH}",
    }


def rewrite_figures(written: Sequence[str], follow_ups: Sequence[FollowUp]) -> dict[str, float]:
    """How alike rewrites and people's are: exact match and ROUGE-L 0..1, BLEU 0..100."""
    expected = [one.rewrite for one in follow_ups]
    pairs = list(zip(written, expected, strict=True))
    return {
        "exact_match": float(np.mean([exact_match(*pair) for pair in pairs])),
        "bleu": bleu(written, expected),
        "rouge_l": float(np.mean([rouge_l(*pair) for pair in pairs])),
    }


_Finder: TypeAlias = Callable[[Sequence[str]], list[Scores]]


def _finder(texts: Sequence[str], *, method: Method, encoder: Encoder | None) -> _Finder:
    """Scores of all `texts` for each query."""
    if method == "dense" and encoder is not None:
        vectors = encoder.encode_queries(list(texts))
        return lambda queries: list(encoder.encode_queries(list(queries)) @ vectors.T)
    vocabulary = Vocabulary()
    documents = [vocabulary.learn(tokenize(text)) for text in texts]
    words = Bm25(documents, len(vocabulary))
    return lambda queries: [words.scores(vocabulary.find(tokenize(query))) for query in queries]


def _mrr(finder: _Finder, queries: Sequence[str], expected: Sequence[str]) -> float:
    """Mean reciprocal rank of the expected text; ties count as the mean of their ranks.

    Rows with the same words as the expected text are it too, and stand in nobody's way.
    """
    names = np.unique([bare(text) for text in expected], return_inverse=True)[1]
    total = 0.0
    for row, scores in enumerate(finder(queries)):
        own = float(scores[row])
        if own <= 0:
            continue
        others = names != names[row]
        better, tied = int((scores[others] > own).sum()), int((scores[others] == own).sum())
        rank = 1 + better + tied / 2
        total += 1 / rank if rank <= MRR_DEPTH else 0.0
    return total / len(expected)
