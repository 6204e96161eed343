"""A follow-up made standalone by editing it: what is left out of it, and what is put where, word by word.

"and opened ones?" after "Can I return a phone?": between its words go words of what was said before. The units are
words of Latin letters and single Chinese characters; both the training and the trained rewriter count in them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chatbot.understand.language import HAN

MOST_INSERTIONS = 4
"""In one message."""
LONGEST_INSERTION = 24
"""Units of one."""

_UNIT = re.compile(r"[^\W_\u3040-\u30ff\u3400-\u9fff]+(?:['’.@/-][^\W_\u3040-\u30ff\u3400-\u9fff]+)*|\S")
_NO_SPACE_BEFORE = frozenset(",.;:!?)]}%…")
_NO_SPACE_BEHIND = frozenset("([{#$€£¥")


@dataclass(frozen=True, slots=True)
class Insertion:
    """Words that are put into a message."""

    gap: int
    """Before which of its units; their number for the end."""
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """A conversation as the encoder reads it: utterances with a separator behind each."""

    ids: tuple[int, ...]
    """Of all tokens."""
    units: tuple[str, ...]
    tokens: tuple[int, ...]
    """The first token of each unit."""
    spoken: tuple[int, ...]
    """The utterance of each unit, counted from the oldest that was said; the message is the last."""

    @property
    def own(self) -> int:
        """Units of the message."""
        return self.spoken.count(self.spoken[-1])

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """The tokens left and right of each gap of the message; the last gap is its end."""
        end = len(self.ids) - 1
        return [(token - 1, token) for token in (*self.tokens[-self.own :], end)]


class UnitTokens:
    """The tokens of each unit by itself: a Chinese character is one, whatever stands beside it.

    Args:
        tokenizer: A tokenizers.Tokenizer.
        prefix: Of queries.
    """

    def __init__(self, tokenizer: Any, prefix: str) -> None:
        self._tokenizer = tokenizer
        # Some tokenizers put no signs around a text.
        *begin, self.separator = tokenizer.encode(prefix).ids or [0]
        self.begin: Sequence[int] = begin
        self._known: dict[str, list[int]] = {}

    def of(self, unit: str) -> list[int]:
        """Token ids of a unit."""
        if unit not in self._known:
            alone = self._tokenizer.token_to_id(unit) if HAN.match(unit) else None
            self._known[unit] = (
                self._tokenizer.encode(unit, add_special_tokens=False).ids if alone is None else [alone]
            )
        return self._known[unit]


def lay_out(utterances: Sequence[str], tokens: UnitTokens, *, longest: int) -> Layout | None:
    """Lay out what was said, oldest first, and the message behind it; the oldest is left out where all is too long.

    Args:
        utterances: At least the message.
        tokens: Of units.
        longest: Tokens that the encoder reads.

    Returns:
        None where the message is empty, or too long by itself.
    """
    parts = [units_of(text) for text in utterances]
    held = [[tokens.of(unit) for unit in part] for part in parts]
    sizes = [1 + sum(map(len, part)) for part in held]
    oldest = 0
    while len(tokens.begin) + sum(sizes[oldest:]) > longest:
        oldest += 1
    if oldest == len(parts) or not parts[-1]:
        return None
    ids, units, firsts, spoken = list(tokens.begin), list[str](), list[int](), list[int]()
    for number in range(oldest, len(parts)):
        for unit, own in zip(parts[number], held[number], strict=True):
            units.append(unit)
            firsts.append(len(ids))
            spoken.append(number)
            ids += own
        ids.append(tokens.separator)
    return Layout(tuple(ids), tuple(units), tuple(firsts), tuple(spoken))


def units_of(text: str) -> list[str]:
    """Words, single Chinese characters and signs, in order."""
    return _UNIT.findall(text)


def edited(units: Sequence[str], kept: Sequence[bool], insertions: Sequence[Insertion]) -> str:
    """The message after its edits.

    Args:
        units: Of the message.
        kept: Which of them stay.
        insertions: In the order in which they are read.
    """
    said: list[str] = []
    for gap in range(len(units) + 1):
        for one in insertions:
            if one.gap == gap:
                said += one.words
        if gap < len(units) and kept[gap]:
            said.append(units[gap])
    return written(said)


def written(units: Sequence[str]) -> str:
    """Units as a text: spaces between words, none around Chinese characters."""
    text = ""
    for unit in units:
        apart = text and not (
            HAN.match(text[-1])
            or HAN.match(unit)
            or unit in _NO_SPACE_BEFORE
            or text[-1] in _NO_SPACE_BEHIND
            or not (unit.isascii() or unit.isalnum())
        )
        text += f" {unit}" if apart else unit
    return text
