"""Where sentences end, in Chinese and English text, whole or still arriving."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

_ABBREVIATIONS = r"(?<!^\d)(?<!^\d\d)(?<!\be\.g)(?<!\bi\.e)(?<!\betc)(?<!\bNo)(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bInc)(?<!\bLtd)(?<!\bCo)(?<!\bvs)(?<!\bapprox)(?<!\ba\.m)(?<!\bp\.m)"
_CLOSERS = r"[\"'”’」』）)\]】]*"
_END = re.compile(
    rf"(?:[。！？…]+{_CLOSERS}|[!?]+{_CLOSERS}(?=\s|$)|{_ABBREVIATIONS}\.{_CLOSERS}(?=\s|$)"
    r"|\n\s*\n|(?<=[:：])[ \t]*\n|\n(?=[ \t]*(?:[-*•#>|]|\d+[.)、]\s)|[^\n:：。.!?]{1,30}[:：]\s?\S))",
    re.MULTILINE,
)
"""A full stop that is no decimal point, a blank line, the line end of a list's item or a table's row."""
_STREAM_END = re.compile(rf"[。！？…]+{_CLOSERS}(?=[^。！？…\"'”’」』）)\]】])|[.!?]+{_CLOSERS}(?=\s)|\n")

_STOP = re.compile(_ABBREVIATIONS + r"\.\Z", re.MULTILINE)


def spans(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence, spaces around it left out; slices are the text byte for byte."""
    edges = [0, *(match.end() for match in _END.finditer(text)), len(text)]
    found = []
    for start, end in itertools.pairwise(edges):
        piece = text[start:end]
        if piece.strip():
            found.append((start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())))
    return found


def split(text: str) -> list[str]:
    """The sentences of a text."""
    return [text[start:end] for start, end in spans(text)]


def arriving(pieces: Iterable[str]) -> Iterator[str]:
    """Whole sentences out of pieces of text, each as soon as its end is certain; the rest at the end."""
    held = ""
    for piece in pieces:
        held += piece
        while match := _next_end(held):
            sentence, held = held[: match.end()], held[match.end() :]
            if sentence.strip():
                yield sentence.strip()
    if held.strip():
        yield held.strip()


def _next_end(held: str) -> re.Match[str] | None:
    """The first end that is no abbreviation."""
    for match in _STREAM_END.finditer(held):
        if not match.group().startswith(".") or _STOP.search(held[: match.start() + 1]):
            return match
    return None
