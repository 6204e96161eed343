"""From a message and a person's rewrite to the edits between them: what the rewriter learns to say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import LCSseq

from chatbot.evaluate.rewrite import FollowUp
from chatbot.understand.edits import LONGEST_INSERTION, MOST_INSERTIONS, units_of

_MOST_GLUE = 40
_FEWEST_GLUE = 5
"""Rewrites that need a word which was not said before it is offered always."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a stretch of words stands: units first..last of an utterance."""

    utterance: int
    """Of what was said, oldest first, then the message."""
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Put:
    """Something that goes into the message."""

    gap: int
    words: tuple[str, ...]
    sources: tuple[Source, ...]
    """Everywhere it was said, oldest first; none: it is glue."""


@dataclass(frozen=True, slots=True)
class Edits:
    """How a message becomes its rewrite."""

    kept: tuple[bool, ...]
    put: tuple[Put, ...]


def glue_of(follow_ups: Iterable[FollowUp]) -> list[str]:
    """Words that rewrites need though nobody said them: "about", "的"; the most frequent ones."""
    missed: Counter[str] = Counter()
    for one in follow_ups:
        utterances = [units_of(text) for text in (*one.context, one.current)]
        said = {unit for utterance in utterances for unit in utterance}
        _, runs = _runs(utterances[-1], units_of(one.rewrite))
        missed.update({word for _, words in runs for word in words if word not in said})
    return [word for word, times in missed.most_common(_MOST_GLUE) if times >= _FEWEST_GLUE]


def edits_of(one: FollowUp, glue: Sequence[str]) -> Edits | None:
    """The edits that make a person's rewrite; None where they need a word that is neither said nor glue."""
    utterances = [units_of(text) for text in (*one.context, one.current)]
    kept, runs = _runs(utterances[-1], units_of(one.rewrite))
    put: list[Put] = []
    for gap, words in runs:
        place = 0
        while place < len(words):
            part = _longest(words[place : place + LONGEST_INSERTION], utterances, glue)
            if part is None:
                return None
            put.append(Put(gap, *part))
            place += len(part[0])
    return Edits(tuple(kept), tuple(put)) if len(put) <= MOST_INSERTIONS else None


def _longest(
    words: Sequence[str], utterances: Sequence[Sequence[str]], glue: Sequence[str]
) -> tuple[tuple[str, ...], tuple[Source, ...]] | None:
    """The most of the first words that stand together somewhere."""
    for count in range(len(words), 0, -1):
        part = tuple(words[:count])
        sources = tuple(
            Source(number, first, first + count - 1)
            for number, utterance in enumerate(utterances)
            for first in range(len(utterance) - count + 1)
            if tuple(utterance[first : first + count]) == part
        )
        if sources or (count == 1 and part[0] in glue):
            return part, sources
    return None


def _runs(units: Sequence[str], rewrite: Sequence[str]) -> tuple[list[bool], list[tuple[int, list[str]]]]:
    """Which units stay, and what is put before which of them."""
    kept = [False] * len(units)
    runs: list[tuple[int, list[str]]] = []
    for step in LCSseq.opcodes(units, rewrite):
        if step.tag == "equal":
            kept[step.src_start : step.src_end] = [True] * (step.src_end - step.src_start)
        elif step.dest_end > step.dest_start:
            runs.append((step.src_start, list(rewrite[step.dest_start : step.dest_end])))
    return kept, runs
