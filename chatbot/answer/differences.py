"""Where two answers to one question may contradict each other: in what they state, in yes and no.

It is held as the guard holds it: facts go through `atoms`, so that "30 days", "３０天" and "one month" are one,
and a sentence is taken for the denial of another only where it says nothing else. What one answer states and
the other leaves out is no contradiction.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from chatbot.answer.facts import FACTS, Atom, atoms, normalise
from chatbot.answer.lexicon import glue_length, is_content, negations, stem
from chatbot.answer.stretches import Stretch, stretches

About: TypeAlias = Literal[
    "duration", "price", "share", "number", "date", "time", "weekday", "phone", "email", "yes_no", "negation"
]


@dataclass(frozen=True, slots=True)
class Difference:
    """What two answers say differently about one thing."""

    about: About
    one: str
    other: str

    def __str__(self) -> str:
        return f"{self.one} / {self.other}"


def differences(one: str, other: str) -> tuple[Difference, ...]:
    """What two answers state differently; empty where both may be true."""
    first, second = normalise(one).strip(), normalise(other).strip()
    found = [*_yes_or_no(first, second), *_of_facts(_stated(first), _stated(second))]
    denied = [] if found and found[0].about == "yes_no" else _denied(first, second)
    return (*found, *denied)


# Yes and no.

_POLITE = re.compile(
    r"(?:(?:hi|hello|dear customer|(?:i'?m |we'?re )?sorry|亲爱的(?:顾客|用户|客户|朋友)?|亲|您好|你好"
    r"|(?:很|非常|十分)?抱歉|对不起|不好意思)[\s,，!！。.~:：]*)*",
    re.IGNORECASE,
)
_YES = re.compile(
    r"(?:yes|yep|sure|of course|certainly|absolutely|definitely)\b"
    r"|是的|有的|会的|可以|能(?!否|不能)|支持|当然|没(?:有)?问题|[是有会行能](?=[,，。!])",
    re.IGNORECASE,
)
_NO = re.compile(
    r"(?:no\b(?! (?:problem|worries|matter|need))|not\b|unfortunately\b|很遗憾|暂时?[不未无没])",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[,.;!?，。；！？](?:\s|$)|[，。；！？,]|$")


def _yes_or_no(one: str, other: str) -> Iterator[Difference]:
    openings = [_opening(text) for text in (one, other)]
    said = [_verdict(opening) for opening in openings]
    if {*said} == {True, False}:
        yield Difference("yes_no", *(_short(text[: _CLAUSE.search(text).start()]) for text in openings))  # type: ignore[union-attr]


def says_yes_or_no(text: str) -> bool:
    """Whether an answer begins with yes or no."""
    return _verdict(_opening(normalise(text).strip())) is not None


def _opening(text: str) -> str:
    polite = _POLITE.match(text)
    return text[polite.end() :] if polite else text


def _verdict(opening: str) -> bool | None:
    """True where an answer begins with yes, False with no."""
    if _YES.match(opening):
        return True
    denied = _NO.match(opening) or (re.match(r"[不没无未]", opening) and 0 in negations(opening))
    return False if denied else None


# Facts.

_SECONDS = {
    "second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0, "calendar day": 86_400.0,
    "week": 604_800.0, "month": 2_592_000.0, "year": 31_104_000.0,
}  # fmt: skip
"""A month has 30 days and a year 12 months: that is how terms are written."""
_MONEY = frozenset(("yuan", "usd", "eur", "gbp"))
_TO = re.compile(r"\s*(?:-|~|to|至|到)\s*", re.IGNORECASE)
_COMPARED = frozenset(("date", "time", "weekday", "phone", "email"))


@dataclass(frozen=True, slots=True)
class _Value:
    """A fact that can be held against another about the same."""

    about: About
    unit: str
    """Values of one unit are compared."""
    key: str
    scale: str
    """Only on one scale does "3-5" hold "4": "3 working days" is not "3 days"."""
    low: float
    high: float
    text: str

    def agrees(self, other: _Value) -> bool:
        """Whether they are the same, or one is a value in the range of the other."""
        if self.key == other.key:
            return True
        point, span = (self, other) if self.low == self.high else (other, self)
        within = point.low == point.high and span.low <= point.low <= span.high
        return self.scale == other.scale != "" and within


def _of_facts(one: Sequence[_Value], other: Sequence[_Value]) -> Iterator[Difference]:
    """Where both state something that the other doesn't, in one unit."""
    for unit in dict.fromkeys(value.unit for value in one):
        left = [value for value in one if value.unit == unit]
        right = [value for value in other if value.unit == unit]
        alone = [value for value in left if not any(value.agrees(known) for known in right)]
        alone_too = [value for value in right if not any(value.agrees(known) for known in left)]
        if alone and alone_too:
            yield Difference(alone[0].about, _list(alone), _list(alone_too))


@lru_cache(maxsize=1024)
def _stated(text: str) -> tuple[_Value, ...]:
    """The facts of a normalised text that can be compared; a range is one of them."""
    found = [atom for atom in atoms(text) if atom.kind in FACTS or atom.kind == "word"]
    values = []
    at = 0
    while at < len(found):
        atom = found[at]
        after = [one for one in found[at + 1 : at + 3] if one.kind == "number"]
        end = after[0] if after and _is_range(atom, after[0], text) else atom
        if atom.kind == "number":
            values += _number(atom, end, text, found)
        elif atom.kind in _COMPARED:
            values.append(_Value(atom.kind, atom.kind, atom.key, "", 0, 0, atom.text.rstrip(".")))  # type: ignore[arg-type]
        at = found.index(end, at) + 1
    return tuple(values)


def _is_range(first: Atom, last: Atom, text: str) -> bool:
    """Whether it is one: "3-5 days", "3 to 5 days"; "2 items - 5 days" is none."""
    same = first.key.partition("|")[2] in ("", last.key.partition("|")[2])
    return same and _TO.fullmatch(text[first.end : last.start]) is not None


def _number(first: Atom, last: Atom, text: str, found: Sequence[Atom]) -> list[_Value]:
    """The value of a number, or of a range of them; none where it is not said of what."""
    unit = last.key.partition("|")[2]
    about: About = "number"
    scale = unit
    low, high = (float(atom.key.partition("|")[0]) for atom in (first, last))
    if unit in _SECONDS:
        about, scale = "duration", "time"
        low, high = (_seconds(value, unit) for value in (low, high))
    elif unit == "workday":
        about = "duration"
    elif unit in _MONEY:
        about = "price"
    elif unit == "percent":
        about = "share"
    elif not unit:
        named = [word for word in found if word.kind == "word" and text[last.end : word.start] == " "]
        if not named or not is_content(named[0].text):
            return []
        scale = stem(named[0].text)
        last = named[0]
    compared = about if about in ("duration", "price") else scale
    return [_Value(about, compared, f"{low}~{high} {scale}", scale, low, high, text[first.start : last.end])]


def _seconds(value: float, unit: str) -> float:
    if unit.endswith("day") and value and value % 365 == 0:
        return value / 365 * _SECONDS["year"]
    return value * _SECONDS[unit]


# What one says and the other denies.

_NO_DENIAL = re.compile(r"没(?:有)?问题|no problem|no worries|no matter")
_SAYING = re.compile(
    r"没(?:有)?问题|不可以?|不能够?|不支持|不提供|不允许|不会|不得|无法|没有|禁止|可以?|能够?|支持|提供|允许|会|不|没|无|未|勿"
)
_LEAST = 2


def _denied(one: str, other: str) -> list[Difference]:
    """Sentences of the one that say what the other denies, where it does not also say it."""
    first, second = _claims(one), _claims(other)
    found = []
    for claim in first:
        same = [known for known in second if claim.speaks_of(known)]
        if same and all(known.negative != claim.negative for known in same):
            back = [known for known in first if known.speaks_of(same[0])]
            if all(known.negative != same[0].negative for known in back):
                found.append(Difference("negation", _short(claim.text), _short(same[0].text)))
    return found[:1]


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a sentence speaks of, and whether it negates it."""

    text: str
    pieces: frozenset[str]
    conditions: frozenset[str]
    negative: bool

    def speaks_of(self, other: _Claim) -> bool:
        """Whether one of the two speaks of nothing that the other doesn't."""
        return self.conditions == other.conditions and (
            self.pieces <= other.pieces or other.pieces <= self.pieces
        )


@lru_cache(maxsize=1024)
def _claims(text: str) -> tuple[_Claim, ...]:
    claims = (
        _Claim(one.text, _pieces(one), one.conditions, _negates(one))
        for one in (stretches("", text) if text else ())
    )
    return tuple(claim for claim in claims if len(claim.pieces) >= _LEAST)


def _negates(stretch: Stretch) -> bool:
    harmless = [match.span() for match in _NO_DENIAL.finditer(stretch.text)]
    counted = [at for at in stretch.negated if not any(start <= at < end for start, end in harmless)]
    return len(counted) % 2 == 1


def _pieces(stretch: Stretch) -> frozenset[str]:
    """Stems of the words, keys of the facts, Chinese characters that are neither glue nor yes or no."""
    pieces = [atom.key for atom in stretch.content if atom.kind != "han"]
    for atom in stretch.content:
        if atom.kind == "han":
            runs = _SAYING.split(atom.text)
            pieces += itertools.chain.from_iterable(map(_without_glue, runs))
    return frozenset(pieces)


def _without_glue(run: str) -> str:
    kept, at = "", 0
    while at < len(run):
        length = glue_length(run, at)
        kept, at = kept + ("" if length else run[at]), at + (length or 1)
    return kept


# Words for a person.

_LONGEST = 48
_MOST = 3


def _list(values: Sequence[_Value]) -> str:
    return ", ".join(list(dict.fromkeys(value.text.strip() for value in values))[:_MOST])


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + "…"
