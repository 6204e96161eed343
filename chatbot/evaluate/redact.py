"""How much of what identifies a person is masked, and how much of what is masked does identify one.

A marked span counts as found when at least half of its characters are masked, a masked span as right when at
least half of its characters are marked: files differ in whether "+86" or a comma belongs to a number. The
mask's kind does not matter, for what is masked is gone under any name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatbot.record.redaction import find_private
from knowledge.errors import KnowledgeError

HALF = 0.5
# What the masking promises to find, by the names that public sets give it. Names, addresses, dates and links
# are not promised: the bot needs them, or they cannot be told from a shop's own.
_PROMISED = re.compile(
    r"phone|mobile|tel(?:ephone)?\b|fax|e-?mail|card|iban|ssn|social|passport|id_?(?:card|number)|national_?id"
    r"|password|secret|token|api_?key|otp|pin\b|cvv|手机|电话|邮箱|身份证|护照|银行卡|密码",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Marked:
    """A text and the private spans that a person marked in it: (start, end, kind)."""

    text: str
    spans: tuple[tuple[int, int, str], ...]


def marked_of(rows: Iterable[Mapping[str, Any]]) -> list[Marked]:
    """The rows `{"text", "spans": [[start, end, kind], ...]}` of a file.

    Raises:
        KnowledgeError: A span that is no such triple, or lies outside its text.
    """
    marked = []
    for number, row in enumerate(rows, 1):
        text, spans = str(row["text"]), []
        for span in row["spans"]:
            start, end, kind = span if isinstance(span, list | tuple) and len(span) == 3 else (0, -1, "")
            if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(text)):
                msg = f"Row {number}: the span {span!r} is not [start, end, kind] within a text of {len(text)} characters. Count characters from 0; end is the first one after the span."
                raise KnowledgeError(msg)
            spans.append((start, end, str(kind)))
        marked.append(Marked(text, tuple(spans)))
    return marked


def measure_redaction(marked: Sequence[Marked]) -> dict[str, Any]:
    """Recall by the file's kinds and precision by ours, each also over all."""
    found, wanted = defaultdict[str, int](int), defaultdict[str, int](int)
    right, masked = defaultdict[str, int](int), defaultdict[str, int](int)
    for one in marked:
        spans = find_private(one.text)
        hidden = _characters((span.start, span.end) for span in spans)
        private = _characters((start, end) for start, end, _ in one.spans)
        for start, end, kind in one.spans:
            wanted[kind] += 1
            found[kind] += _share(start, end, hidden) >= HALF
        for span in spans:
            masked[span.kind] += 1
            right[span.kind] += _share(span.start, span.end, private) >= HALF
    promised = [kind for kind in wanted if _PROMISED.search(kind)]
    return {
        "n": len(marked),
        "recall": _ratio(sum(found.values()), sum(wanted.values())),
        "precision": _ratio(sum(right.values()), sum(masked.values())),
        "recall_promised": _ratio(sum(found[k] for k in promised), sum(wanted[k] for k in promised)),
        "promised_spans": sum(wanted[kind] for kind in promised),
        "spans": sum(wanted.values()),
        "masked": sum(masked.values()),
        "recall_by_kind": {
            kind: {"recall": _ratio(found[kind], count), "spans": count, "promised": kind in promised}
            for kind, count in sorted(wanted.items())
        },
        "precision_by_kind": {
            kind: {"precision": _ratio(right[kind], count), "masked": count}
            for kind, count in sorted(masked.items())
        },
    }


def _characters(spans: Iterable[tuple[int, int]]) -> frozenset[int]:
    return frozenset(place for start, end in spans for place in range(start, end))


def _share(start: int, end: int, covered: frozenset[int]) -> float:
    return sum(place in covered for place in range(start, end)) / (end - start)


def _ratio(part: int, whole: int) -> float | None:
    """None of nothing: a share that was not measured is not 0."""
    return part / whole if whole else None
