"""One form for all spellings of a question, the language of a text, and texts that say nearly the same."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal, TypeAlias

from opencc import OpenCC

Language: TypeAlias = Literal["zh", "en"]

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_LATIN_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]{2,}")
_LINK = re.compile(r"\S*(?:://|www\.|@)\S*")
_SIGN = re.compile(r"[^\w\s]|_")
_SPACES = re.compile(r"\s+")
_SPACE_BESIDE_HAN = re.compile(rf"(?<={_HAN.pattern}) | (?={_HAN.pattern})")
# Kept only between letters or digits (3.5, e-mail, don't, a/b, a@b, 9:30), as there they tell words apart.
_INNER = frozenset(".-'/@:_,&")
# Kept beside a letter or digit (C++, C#, 50%, $5, ¥5, ~5).
_ATTACHED = frozenset("+#%$¥€£°")
# Spellings that NFKC leaves apart.
_SAME_SIGN = str.maketrans(
    {"’": "'", "‘": "'", "＇": "'", "‐": "-", "‑": "-", "–": "-", "—": " ", "−": "-", "￥": "¥"}
)


@lru_cache(maxsize=32_768)
def normalise(text: str) -> str:
    """The form in which two spellings of one question are equal.

    Full-width and compatibility forms (NFKC), Traditional -> Simplified, lower case, no punctuation, emoji
    or invisible characters, one space between words and none beside Chinese characters. Signs inside words
    and numbers stay ("C++", "3.5", "50%"). Never empty unless the text is blank: "？？" stays "??".
    """
    folded = unicodedata.normalize("NFKC", text).translate(_SAME_SIGN).casefold()
    if _HAN.search(folded):
        folded = str(_simplifier().convert(folded))
    words = _SPACES.sub(" ", _without_signs(folded)).strip()
    joined = _SPACE_BESIDE_HAN.sub("", words)
    return joined or _SPACES.sub(" ", folded).strip()


def language_of(text: str, *, default: Language = "zh") -> Language:
    """Whether a text is Chinese or English; `default` when it holds neither (a number, a link).

    A Chinese character counts as much as an English word; a tie is Chinese, as Chinese texts borrow English
    names ("iPhone 15 怎么退货") more often than the other way round.
    """
    bare = _LINK.sub(" ", text)
    chinese, english = len(_HAN.findall(bare)), len(_LATIN_WORD.findall(bare))
    if not chinese and not english:
        return default
    return "zh" if chinese and chinese >= english else "en"


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two texts, by their places in the list, and how much they share."""

    first: int
    second: int
    likeness: float
    """Jaccard likeness of their character trigrams after `normalise`, 0..1; 1 is equal."""


def near_duplicates(texts: Sequence[str], *, likeness: float = 0.8) -> list[NearPair]:
    """All pairs that share at least `likeness` of their character trigrams, most alike first.

    Exact, yet far from quadratic: two sets that share that much must share one of their few rarest trigrams
    (prefix filter), so only such pairs are compared.

    Source: Chaudhuri, Ganti, Kaushik, "A primitive operator for similarity joins" (2006); Bayardo, Ma,
    Srikant, "Scaling up all pairs similarity search" (2007).
    """
    if not 0 < likeness <= 1:
        raise ValueError(f"likeness is {likeness}; it must lie above 0 and at most at 1.")
    sets = [_trigrams(normalise(text)) for text in texts]
    pairs = [
        NearPair(first, second, shared)
        for first, second in _candidates(sets, likeness)
        if (shared := _jaccard(sets[first], sets[second])) >= likeness
    ]
    return sorted(pairs, key=lambda pair: (-pair.likeness, pair.first, pair.second))


def duplicate_groups(texts: Sequence[str], *, likeness: float = 0.8) -> list[list[int]]:
    """Places of texts that are alike, directly or through others; groups of two and more, in order."""
    parent = list(range(len(texts)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for pair in near_duplicates(texts, likeness=likeness):
        first, second = sorted((root(pair.first), root(pair.second)))
        parent[second] = first
    groups: dict[int, list[int]] = {}
    for place in range(len(texts)):
        groups.setdefault(root(place), []).append(place)
    return [group for group in groups.values() if len(group) > 1]


@cache
def _simplifier() -> OpenCC:
    return OpenCC("t2s")


def _without_signs(text: str) -> str:
    def replaced(found: re.Match[str]) -> str:
        character = found[0]
        kind = _kind(character)
        if kind == "letter":
            return character
        if kind == "nothing":
            return ""
        return character if _belongs(text, found.start()) else " "

    return _SIGN.sub(replaced, text)


@lru_cache(maxsize=65_536)
def _kind(character: str) -> Literal["letter", "sign", "nothing"]:
    category = unicodedata.category(character)
    if category[0] in "LN" or category in ("Mn", "Mc"):
        return "letter"
    return "nothing" if category in ("Cf", "Cc") and not character.isspace() else "sign"


def _belongs(text: str, place: int) -> bool:
    character = text[place]
    before = text[place - 1] if place else " "
    after = text[place + 1] if place + 1 < len(text) else " "
    if character in _INNER:
        return before.isalnum() and after.isalnum() and not (_HAN.match(before) or _HAN.match(after))
    if character in _ATTACHED:
        return before.isalnum() or after.isalnum() or before == character or after == character
    return False


def _trigrams(text: str) -> frozenset[str]:
    padded = f" {text} "
    return frozenset(padded[start : start + 3] for start in range(len(padded) - 2))


def _candidates(sets: Sequence[frozenset[str]], likeness: float) -> Iterator[tuple[int, int]]:
    frequency = Counter(gram for grams in sets for gram in grams)
    by_size = sorted(range(len(sets)), key=lambda place: len(sets[place]))
    holders: dict[str, list[int]] = {}
    for place in by_size:
        grams = sorted(sets[place], key=lambda gram: (frequency[gram], gram))
        prefix = grams[: len(grams) - _at_least(likeness, len(grams)) + 1]
        smallest = likeness * len(grams)
        found = {other for gram in prefix for other in holders.get(gram, ()) if len(sets[other]) >= smallest}
        for other in found:
            yield min(place, other), max(place, other)
        for gram in prefix:
            holders.setdefault(gram, []).append(place)


def _at_least(likeness: float, size: int) -> int:
    """How many of `size` trigrams a set that is alike must share: the ceiling, safe against rounding."""
    return max(1, -int(-(likeness * size - 1e-9) // 1))


def _jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    shared = len(first & second)
    total = len(first) + len(second) - shared
    return shared / total if total else 1.0


def width(text: str) -> int:
    """How wide a text is shown: a Chinese character counts two."""
    return sum(2 if char > "\u2e7f" else 1 for char in text)
