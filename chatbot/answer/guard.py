"""The bot never invents: a composed sentence must stand in a source, fact by fact and word by word.

A sentence passes if one stretch of one passage (a sentence, or the part of it that a contrast or a semicolon
cuts off) supports all of it: every number with its unit and its "at least" or "before", every date, price,
link, address, name and code; every content word, in one clause or in the order of the source; as many
negations as the clauses it rests on; the same conditions ("if", "only", "unless"), duties and hedges. A
sentence of several clauses may rest on neighbouring stretches of one passage.

The share of content words that must be supported is 1. A smaller share lets one noun be exchanged in a
sentence of eight words ("opened laptops can be returned" for "opened headphones"), and that is the
difference between a right and a wrong promise. Models that paraphrase freely pay with more stored answers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from chatbot.answer.facts import FACTS, Atom, atoms, normalise
from chatbot.answer.lexicon import glue_length
from chatbot.answer.sentences import split
from chatbot.answer.stretches import Span, Stretch, parts, read, stretches
from knowledge.types import Passage

_PUNCTUATION = frozenset(" .,;:!?'\"()-。、《》「」『』…%$€£¥~/@+&")
_MARKUP = ("](", "![", "</", "javascript:", "data:", "{{", "${")
_QUOTED = re.compile(r"《([^》]+)》|「([^」]+)」|\"([^\"]{2,60})\"")
_NAME = re.compile(r"(?<=[a-z0-9,;:] )(?:[A-Z][a-zA-Z0-9]*|[a-z]+[A-Z]\w*)(?:[ -][A-Z][a-zA-Z0-9]*)*")
_LEAST = 2
"""Pieces of content (two Chinese characters are one); "1." and "Yes." claim nothing that can be checked."""
_RESTRICTION = re.compile(r"\s*for\b")
_ENDS = " .,;:!?。、"
_INDEPENDENT = re.compile(
    r"\b(?:is|are|was|were|can|cannot|will|must|should|has|have|do|does|takes?|costs?|you|we|it|they)\b"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the guard found out about a sentence."""

    refusals: tuple[str, ...]
    """Empty: the sentence passes."""
    passage_ids: tuple[str, ...] = ()
    """The passages that it rests on."""


def check(sentence: str, sources: Sequence[Passage]) -> list[str]:
    """Why a sentence must not be said, in words; empty when it stands in the sources."""
    return list(examine(sentence, sources).refusals)


def examine(sentence: str, sources: Sequence[Passage]) -> Finding:
    """As `check`, with the passages that support the sentence."""
    text = normalise(sentence).strip()
    if odd := [*_markup(text, sources), *_names(text, sources)]:
        return Finding(tuple(odd))
    if whole := [source.id for source in sources if text.strip(_ENDS) in _sentences(source.text)]:
        return Finding((), (whole[0],))
    said = read(text).content
    if sum(len(atom.text) // 2 if atom.kind == "han" else 1 for atom in said) < _LEAST:
        return Finding(("it says too little to be held against a source",))
    closest = Finding(("no source says this",))
    fewest = 10_000
    for source in sources:
        refusals = _in_passage(text, stretches(source.title, source.text))
        if not refusals:
            return Finding((), (source.id,))
        if len(refusals) < fewest:
            closest, fewest = Finding(tuple(refusals), (source.id,)), len(refusals)
    return closest


@lru_cache(maxsize=1024)
def _sentences(text: str) -> frozenset[str]:
    """The sentences of a source, which may always be said as they stand."""
    return frozenset(normalise(sentence).strip(_ENDS) for sentence in split(text))


def _markup(text: str, sources: Sequence[Passage]) -> list[str]:
    """Characters that a page or a template might take for more than text."""
    known = "".join(f"{normalise(source.title)}{normalise(source.text)}" for source in sources)
    odd = sorted({char for char in text if not (char.isalnum() or char in _PUNCTUATION or char in known)})
    odd += [mark for mark in _MARKUP if mark in text.lower()]
    return [f"marks that stand in no source: {' '.join(odd)}"] if odd else []


def _names(text: str, sources: Sequence[Passage]) -> list[str]:
    """Names and quoted titles must stand in a source as they are written."""
    known = " ".join(f"{normalise(source.title)} {normalise(source.text)}" for source in sources).lower()
    names = [next(filter(None, match.groups())) for match in _QUOTED.finditer(text)]
    facts = [atom for atom in atoms(text) if atom.kind in FACTS]
    names += [
        match.group()
        for match in _NAME.finditer(text)
        if not any(fact.start < match.end() and match.start() < fact.end for fact in facts)
    ]
    return [f"name '{name}' stands in no source" for name in names if name.lower().strip() not in known]


def _in_passage(text: str, found: Sequence[Stretch]) -> list[str]:
    """The refusals of the closest stretch; of each clause in neighbouring stretches, if that is none."""
    closest, _ = _closest(text, found)
    clauses = _clauses(text)
    if not closest or len(clauses) < 2:
        return closest
    results = [_closest(clause, found) for clause in clauses]
    places = [place for _, place in results]
    if not any(refusals for refusals, _ in results) and max(places) - min(places) <= len(clauses):
        return []
    return closest


def _clauses(text: str) -> list[str]:
    """Clauses that can stand alone; fewer than two when the sentence is one claim."""
    pieces = [piece for part in parts(text) for piece in re.split(r",\s*and\s+|,(?=[\u3400-\u9fff])", part)]
    alone = all(
        _INDEPENDENT.search(piece.lower()) or len(re.findall(r"[\u3400-\u9fff]", piece)) >= 6
        for piece in pieces
    )
    return pieces if alone else []


def _closest(text: str, found: Sequence[Stretch]) -> tuple[list[str], int]:
    candidate = read(text)
    if not candidate.content:
        return ["it holds nothing that a source could support"], 0
    best: list[str] = ["no source says this"]
    fewest, place = 10_000, 0
    for index, stretch in enumerate(found):
        refusals = _against(candidate, stretch)
        if not refusals:
            return [], index
        if len(refusals) < fewest:
            best, fewest, place = refusals, len(refusals), index
    return best, place


def _against(candidate: Stretch, stretch: Stretch) -> list[str]:
    """The refusals of a candidate that rests on one clause in any order, or on all of them in theirs."""
    if (
        candidate.text.strip(_ENDS) == stretch.text.strip(_ENDS)
        and candidate.conditions >= stretch.conditions
    ):
        return []
    if candidate.conditions != stretch.conditions:
        odd = ", ".join(sorted(candidate.conditions ^ stretch.conditions))
        return [f"a condition is added or left out ({odd})", *_uncovered(candidate, stretch)]
    if lost := _uncovered(candidate, stretch):
        return lost
    for clause in stretch.clauses:
        cover, missing = _cover(candidate, stretch, clause, ordered=False)
        if not (missing or _tone(candidate, stretch, [clause]) or _left_out(stretch, cover, [clause])):
            return []
    cover, missing = _cover(candidate, stretch, (0, len(stretch.text)), ordered=True)
    if missing:
        return ["its parts stand in the source, but not in this relation"]
    resting = [span for span in stretch.clauses if any(span[0] <= start < span[1] for start, _ in cover)]
    return _tone(candidate, stretch, resting) + _left_out(stretch, cover, resting)


def _uncovered(candidate: Stretch, stretch: Stretch) -> list[str]:
    """The pieces that stand nowhere in the stretch."""
    _, missing = _cover(candidate, stretch, (0, len(stretch.text)), ordered=False)
    return [
        f"{'the word' if atom.kind in ('word', 'han') else atom.kind} '{atom.text}' stands in no source that says the rest"
        for atom in missing
    ]


def _tone(candidate: Stretch, stretch: Stretch, spans: list[Span]) -> list[str]:
    """Negations, duties and hedges of the clauses that the candidate rests on must be kept."""
    whole: list[Span] = [(0, len(candidate.text))]
    refusals = []
    if len(candidate.negated) != stretch.negations_in(spans):
        refusals.append("it negates what the source affirms, or the reverse")
    if candidate.duty_in(whole) != stretch.duty_in(spans):
        refusals.append("a duty is added or left out")
    if stretch.hedge_in(spans) and not candidate.hedge_in(whole):
        refusals.append("it is more certain than the source")
    return refusals


def _left_out(stretch: Stretch, cover: list[Span], resting: list[Span]) -> list[str]:
    """What may not be left out: whom the source speaks of, its limits, and how it ends."""

    def covered(at: int) -> bool:
        return any(start <= at < end for start, end in cover)

    refusals = []
    if not covered(stretch.head):
        refusals.append(f"it leaves out what the source speaks of ('{stretch.text[stretch.head :][:12]}')")
    last = max((end for _, end in cover), default=0)
    for atom in stretch.content:
        in_rest = any(start <= atom.start < end for start, end in resting)
        bound = " " in atom.key or atom.start >= last
        if atom.kind in FACTS and in_rest and bound and not covered(atom.start):
            refusals.append(f"it leaves out '{atom.text}'")
    end = max((end for _, end in resting), default=0)
    if _RESTRICTION.match(stretch.text[last:end]) or len(_without_glue(stretch.text[last:end])) > 1:
        refusals.append(f"it ends before the source does ('{stretch.text[last:end].strip()[:20]}')")
    return refusals


def _without_glue(text: str) -> str:
    """The Chinese characters at the beginning of `text` that are more than glue."""
    match = re.match(r"[\u3400-\u9fff]*", text)
    run, kept, at = match.group() if match else "", "", 0
    while at < len(run):
        length = glue_length(run, at)
        kept, at = kept + ("" if length else run[at]), at + (length or 1)
    return kept


def _cover(
    candidate: Stretch, stretch: Stretch, span: Span, *, ordered: bool
) -> tuple[list[Span], list[Atom]]:
    """Where the pieces of the candidate stand within `span` of the stretch, and the pieces that do not."""
    cover: list[Span] = []
    missing: list[Atom] = []
    at = span[0]
    for atom in candidate.content:
        if atom.kind == "han":
            found, lost = _cover_han(candidate, atom, stretch, (at, span[1]))
            missing += lost
        else:
            same = (s for s in stretch.content if (s.kind, s.key) == (atom.kind, atom.key))
            found = [(s.start, s.end) for s in same if at <= s.start < span[1]][:1]
            if not found and not _in_title(atom, stretch):
                missing.append(atom)
        cover += found
        if ordered and found:
            at = max(end for _, end in found)
    return cover, missing


def _in_title(atom: Atom, stretch: Stretch) -> bool:
    """Whether only the title says this word; one that the sentence says too must be taken from there."""
    return (
        atom.kind == "word" and atom.key in stretch.title and all(atom.key != s.key for s in stretch.content)
    )


def _cover_han(candidate: Stretch, run: Atom, stretch: Stretch, span: Span) -> tuple[list[Span], list[Atom]]:
    """Cover a run of Chinese by the longest pieces that stand in the stretch; glue may fill the gaps."""
    text, start, at = run.text, 0, span[0]
    cover: list[Span] = []
    missing: list[Atom] = []
    lost = ""
    while start < len(text):
        length, place = _longest(text, start, stretch, (at, span[1]))
        if length == 0 or (
            length == 1 and not _beside(candidate.text, run.start + start, stretch.text[at : span[1]])
        ):
            length, place = glue_length(text, start), -1
        if length and lost:
            missing.append(Atom("han", lost, lost, run.start, run.end))
            lost = ""
        lost += "" if length else text[start]
        if place >= 0:
            cover.append((place, place + length))
            at = place + length
        start += length or 1
    if lost:
        missing.append(Atom("han", lost, lost, run.start, run.end))
    return cover, missing


def _longest(text: str, start: int, stretch: Stretch, span: Span) -> tuple[int, int]:
    """Length and place of the longest beginning of `text[start:]` in the stretch; title pieces have place -1."""
    best, place = 0, -1
    for length in range(1, len(text) - start + 1):
        piece = text[start : start + length]
        found = stretch.text.find(piece, *span)
        if found >= 0:
            best, place = length, found
        elif length >= 2 and piece in stretch.title_text and piece not in stretch.text:
            best, place = length, -1
        elif length >= 2:
            break
    return best, place


def _beside(candidate: str, at: int, source: str) -> bool:
    """Whether a single character stands in the source beside the same neighbour ("14天内", "满199元")."""
    return candidate[max(0, at - 1) : at + 1] in source or candidate[at : at + 2] in source
