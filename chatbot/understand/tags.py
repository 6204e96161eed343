"""How tagged words lie in a text's tokens, and which tags may follow each other: for learning and for service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from knowledge.types import Matrix

OUTSIDE = "O"
"""The tag of a word that belongs to nothing."""
_HAN = ("\u3040", "\u9fff")


def best_path(scores: Matrix, allowed: Matrix) -> list[int]:
    """The likeliest sequence of tags (Viterbi, 1967).

    Args:
        scores: Log-probabilities, float32, shape (words, tags).
        allowed: 0 where a tag may follow another, a great negative number where not, shape (tags + 1, tags); the
            last row is for the first word.
    """
    if not len(scores):
        return []
    best = scores[0] + allowed[-1]
    came: list[Any] = []
    for row in scores[1:]:
        ways = best[:, None] + allowed[:-1]
        came.append(ways.argmax(axis=0))
        best = ways.max(axis=0) + row
    path = [int(best.argmax())]
    for back in reversed(came):
        path.append(int(back[path[-1]]))
    return path[::-1]


def following(tags: Sequence[str]) -> Matrix:
    """I-kind only behind B-kind or I-kind."""
    before = [*tags, OUTSIDE]
    fine = [[not tag.startswith("I-") or last[2:] == tag[2:] for tag in tags] for last in before]
    return np.where(np.array(fine), 0, -1e4).astype(np.float32)


def joined(words: Sequence[str]) -> tuple[str, list[int]]:
    """The sentence as it is written, and where each word begins in it: no spaces between Chinese characters."""
    text, starts = "", []
    for word in words:
        if text and not (_han(text[-1]) and _han(word[0])):
            text += " "
        starts.append(len(text))
        text += word
    return text, starts


def _han(character: str) -> bool:
    return (
        _HAN[0] <= character <= _HAN[1]
        or "\uff00" <= character <= "\uffef"
        or "\u3000" <= character <= "\u303f"
    )


def tokens_of(starts: Sequence[int], offsets: Sequence[tuple[int, int]], prefix: int) -> list[int]:
    """The token with each word's first character; ends before the first word that was cut.

    Args:
        starts: Where words begin.
        offsets: Of tokens, in the text behind its prefix; (0, 0) for those that stand for nothing.
        prefix: Characters of the prefix.
    """
    ends = max((end for _, end in offsets), default=0)
    holds = np.zeros(ends, np.int64)
    for token, (start, end) in enumerate(offsets):
        holds[start:end] = (
            token  # "\u2581" alone covers the next character too: the later token is the right one
        )
    places = [start + prefix for start in starts]
    return [int(holds[place]) for place in places if place < ends]
