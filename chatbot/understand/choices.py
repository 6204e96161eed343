"""Values of a fixed list in a text: which are named, and where."""

from __future__ import annotations

import re

from rapidfuzz import fuzz, process

from chatbot.understand.numerals import read_number
from knowledge.sources.intents import Slot

_ORDINAL = re.compile(
    r"^\W*(?:(?:the|option|number|no\.?|选项?|我?(?:要|选)?第?)\s*)?"
    r"(?P<place>\d|[一二三四五六七八九]|first|second|third|fourth|last|最后一)\s*(?:one|option|个|项|种|条)?\W*$",
    re.IGNORECASE,
)
_ORDINAL_WORDS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1, "最后一": -1}
# Stands right before a value that is denied: "not KF1 but KF2", 不是北京，是上海.
DENIAL = re.compile(
    r"(?:\bnot|\bisn't|\bwasn't|n't mean|不是|不要|而非|并非)(?:\s+(?:the|my|order|number|in|to))*\W*$",
    re.IGNORECASE,
)
_LEAST_LIKENESS = 80


def mentions(slot: Slot, text: str) -> list[tuple[int, int, str]]:
    """Where a text names choices, and which: beginning, end, value; the longer name where two overlap."""
    words = choice_words(slot)
    lowered = text.lower()
    found: list[tuple[int, int, str]] = []
    for word in sorted(words, key=len, reverse=True):
        # A Chinese character is no letter of the word beside it: "Buds 2有货吗".
        before, after = (r"(?<![a-z0-9])", r"(?![a-z0-9])") if word.isascii() else ("", "")
        plural = "(?:s|es)?" if word.isascii() and word[-1:].isalpha() else ""
        for match in re.finditer(rf"{before}{re.escape(word)}{plural}{after}", lowered):
            start, end = match.span()
            if not any(start < other_end and other_start < end for other_start, other_end, _ in found):
                found.append((start, end, words[word]))
    return sorted(found)


def choice_values(slot: Slot, text: str, *, asked: bool) -> list[str]:
    """The choices that a text names and does not deny, left to right.

    Args:
        slot: Of type "choice".
        text: The text.
        asked: True when the bot just asked for them: then a place in the list and a near spelling count too.
    """
    lowered = text.lower()
    found = [value for start, _, value in mentions(slot, text) if not DENIAL.search(lowered[:start])]
    if found or not asked:
        return found
    place = place_in_list(lowered, len(slot.choices))
    if place is not None:
        return [list(slot.choices)[place]]
    words = choice_words(slot)
    near = process.extractOne(lowered, list(words), scorer=fuzz.ratio, score_cutoff=_LEAST_LIKENESS)
    return [words[near[0]]] if near else []


def choice_words(slot: Slot) -> dict[str, str]:
    """All names of the choices, in small letters -> value."""
    words = {word.lower(): value for value, synonyms in slot.choices.items() for word in [value, *synonyms]}
    return words | {
        label.lower(): value for value, labels in slot.labels.items() for label in labels.values()
    }


def place_in_list(text: str, length: int) -> int | None:
    """Index into a list of `length` for "2", 第二个, "the second one", 最后一个; None for anything else."""
    match = _ORDINAL.match(text.strip())
    if not match:
        return None
    place = match["place"].lower()
    number = _ORDINAL_WORDS.get(place) or int(read_number(place) or 0)
    index = length - 1 if number == -1 else number - 1
    return index if 0 <= index < length else None
