"""Misspelt English words that are one slip away from a word the company uses."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

from chatbot.understand.language import CODE, ENGLISH_FUNCTION_WORDS

WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_SHORTEST = 4
_LONG = 10
# A wrong letter in a short word makes another word too often (small, shall; load, loan).
_SHORTEST_SUBSTITUTED = 8
_ENDINGS = ("s", "es", "'s", "d", "ed", "ing", "ly", "er", "r", "n", "y")
_CACHE_ENTRIES = 4096
_COMMON = 1000
"""Occurrences in pyspellchecker's list of 160,000 words from which a word is good English; "oder" has 146."""


class Speller:
    """Corrects words unknown to the company's English wordings; safe to share between threads."""

    def __init__(self, wordings: Iterable[str]) -> None:
        """Learn the words of `wordings`."""
        counts: Counter[str] = Counter()
        for wording in wordings:
            counts.update(WORD.findall(wording.lower()))
        self.words = frozenset(counts)
        counts.update(ENGLISH_FUNCTION_WORDS)
        self._counts = counts
        # By first letter: people rarely miss it, and it makes the search 20 times shorter.
        self._by_initial: dict[str, list[str]] = {}
        for word in sorted(counts):
            if len(word) >= _SHORTEST:
                self._by_initial.setdefault(word[0], []).append(word)
        self._cache: dict[str, str] = {}
        # Read now, a third of a second, and not while the first customer waits.
        self._good = _common() if self.words else frozenset()

    def correct(self, text: str) -> str:
        """The text with its slips mended; words that look like names or codes stay as they are."""
        codes = {found.span() for found in CODE.finditer(text)}
        if not self.words:
            return text
        return re.sub(
            r"[A-Za-z]+(?:['’][A-Za-z]+)?",
            lambda found: (
                found[0]
                if any(start <= found.start() < end for start, end in codes)
                else self._word(found[0])
            ),
            text,
        )

    def _word(self, word: str) -> str:
        lowered = word.lower().replace("’", "'")
        if lowered in self._good:
            return word  # the company never writes of it, but the customer meant it
        # IPHONE and OnePlus are written on purpose.
        if len(word) < _SHORTEST or lowered in self._counts or not (word.islower() or word.istitle()):
            return word
        if any(
            lowered.endswith(ending) and lowered.removesuffix(ending) in self._counts for ending in _ENDINGS
        ):
            return word
        if lowered not in self._cache:
            if len(self._cache) >= _CACHE_ENTRIES:
                self._cache.clear()
            self._cache[lowered] = self._nearest(lowered)
        nearest = self._cache[lowered]
        return nearest.capitalize() if word[0].isupper() else nearest

    def _nearest(self, word: str) -> str:
        slips = 2 if len(word) >= _LONG else 1
        found = process.extract(
            word, self._by_initial.get(word[0], ()), scorer=OSA.distance, score_cutoff=slips, limit=None
        )
        # A letter left out is the commonest slip ("oder"); then the word that the company uses most.
        return min(
            (known for known, _, _ in found if _plausible(word, known)),
            key=lambda known: (
                OSA.distance(word, known),
                not _is_subsequence(word, known),
                -self._counts[known],
                known,
            ),
            default=word,
        )


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    from spellchecker import SpellChecker

    words = SpellChecker(language="en").word_frequency.dictionary
    return frozenset(word for word, count in words.items() if count >= _COMMON and len(word) >= _SHORTEST)


def _plausible(word: str, known: str) -> bool:
    """Whether `known` may have been meant; another ending is grammar ("meant", "mean"), not a slip."""
    if known[:-1] == word[:-1] or any(known == word + end or word == known + end for end in (*_ENDINGS, "t")):
        return False
    substituted = len(word) == len(known) and sorted(word) != sorted(known)
    return not substituted or len(word) >= _SHORTEST_SUBSTITUTED


def _is_subsequence(short: str, long: str) -> bool:
    letters = iter(long)
    return all(letter in letters for letter in short)
