"""Sources cut into stretches that a composed sentence may rest on, and what each of them says."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import lru_cache

from chatbot.answer.facts import FACTS, Atom, atoms, normalise
from chatbot.answer.lexicon import (
    CONTRAST,
    FOLLOWS_UP,
    conditions,
    duty,
    glue_length,
    hedge,
    is_content,
    modifier,
    negations,
    stem,
)
from chatbot.answer.sentences import split

_CLAUSE = re.compile(r"[,:()]\s*|\s+and\s+")
_ROW = re.compile(r"[^:;]{1,30}:[^;]+;\s?[^:;]{1,30}:")
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A sentence, or the part of it that a contrast or a semicolon cuts off, read for comparison."""

    text: str
    """Normalised, lower case."""
    content: tuple[Atom, ...]
    """Facts (their keys carry "at least" and the like), content words as stems, runs of Chinese."""
    clauses: tuple[Span, ...]
    negated: tuple[int, ...]
    """Positions of negations."""
    conditions: frozenset[str]
    head: int = 0
    """Where the first content stands: what the sentence speaks of."""
    title: frozenset[str] = frozenset()
    """Stems that the passage's title lends to each of its sentences."""
    title_text: str = ""

    def negations_in(self, spans: list[Span]) -> int:
        """How many negations the clauses hold."""
        return sum(start <= at < end for at in self.negated for start, end in spans)

    def duty_in(self, spans: list[Span]) -> bool:
        """Whether one of the clauses says that something must be done."""
        return any(duty(self.text[start:end]) for start, end in spans)

    def hedge_in(self, spans: list[Span]) -> bool:
        """Whether one of the clauses hedges."""
        return any(hedge(self.text[start:end]) for start, end in spans)


@lru_cache(maxsize=4096)
def read(text: str) -> Stretch:
    """Read a normalised text."""
    low = text.lower()
    edges = [0, *(match.end() for match in _CLAUSE.finditer(low)), len(low)]
    clauses = tuple((a, b) for a, b in itertools.pairwise(edges) if b > a)
    content = []
    for atom in atoms(text):
        if atom.kind in FACTS:
            bound = modifier(low[max(0, atom.start - 24) : atom.start], low[atom.end : atom.end + 16])
            content.append(Atom(atom.kind, f"{atom.key} {bound}".strip(), atom.text, atom.start, atom.end))
        elif atom.kind == "word":
            if is_content(atom.text):
                content.append(Atom("word", stem(atom.text), atom.text, atom.start, atom.end))
        else:
            content.append(atom)
    return Stretch(low, tuple(content), clauses, tuple(negations(low)), conditions(low), _head(content))


def _head(content: list[Atom]) -> int:
    for atom in content:
        at = 0
        while atom.kind == "han" and at < len(atom.text) and (length := glue_length(atom.text, at)):
            at += length
        if atom.kind != "han" or at < len(atom.text):
            return atom.start + at
    return 0


@lru_cache(maxsize=1024)
def stretches(title: str, text: str) -> tuple[Stretch, ...]:
    """The stretches of a passage; conditions of a sentence bind all its parts."""
    heading = read(normalise(title))
    stems = frozenset(atom.key for atom in heading.content if atom.kind in ("word", "code"))
    found = []
    sentences = [normalise(sentence) for sentence in split(text)]
    for sentence, following in zip(sentences, [*sentences[1:], ""], strict=True):
        bound = conditions(sentence.lower()) - {"otherwise"}
        if FOLLOWS_UP.match(following.lower()):
            bound |= {"but"}
        for part in parts(sentence):
            base = read(part)
            found.append(
                Stretch(
                    *(base.text, base.content, base.clauses, base.negated),
                    conditions=bound | (base.conditions & {"otherwise"}),
                    head=base.head,
                    title=stems,
                    title_text=heading.text,
                )
            )
    return tuple(found)


def parts(sentence: str) -> list[str]:
    """A normalised sentence cut at semicolons and contrasts; a table's row ("Case: ...; Fee: ...") is whole."""
    if _ROW.match(sentence):
        return [sentence.strip(" .,;。")]
    return [part for piece in CONTRAST.split(sentence) if (part := piece.strip(" ,.;。"))]
