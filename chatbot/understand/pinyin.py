"""Chinese typed in Latin letters: "wo yao tui kuan" -> 我要退款.

The company's own wordings are the dictionary: a character model over them (bigrams, interpolated with
single characters) finds the likeliest characters for the syllables. What those wordings never say is not
guessed at.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from pypinyin import Style, pinyin

from chatbot.understand.language import HAN, SHARED_WORDS

_CODE = r"\S*(?:@|://|www\.)\S*|\b[A-Za-z]{0,5}-?\d{4,}[\w-]*"
TOKEN = re.compile(rf"{_CODE}|[A-Za-züÜ']+|[^A-Za-züÜ'\s]+|\s+")
_LETTERS = re.compile(r"[A-Za-züÜ']*[A-Za-züÜ][A-Za-züÜ']*")
_START = "^"
_LONGEST_SYLLABLE = 6
_MOST_LETTERS = 120
_PAIR_WEIGHT = 0.8
# Mean log-probability of a character below which the letters are some other language. With it 98 % of 1,431
# Chinese bank questions turned into pinyin are read and 1 of 8,580 English questions is mistaken for pinyin.
_LEAST_MEAN_LOG_PROBABILITY = -6.5

_Path: TypeAlias = tuple[float, str]
"""Log-probability and the characters it stands for."""


class PinyinReader:
    """Turns pinyin into the characters that the company's wordings make likeliest; immutable after init."""

    def __init__(self, wordings: Iterable[str], *, english: frozenset[str] = frozenset()) -> None:
        """Learn from `wordings` (Simplified Chinese); `english` are words never taken for pinyin alone."""
        self._english = english
        single, pair = _count(wordings)
        total = sum(single.values())
        context = {**single, _START: sum(count for both, count in pair.items() if both[0] == _START)}
        share = {character: count / total for character, count in single.items()}
        self._single = {character: math.log((1 - _PAIR_WEIGHT) * part) for character, part in share.items()}
        self._pair = {
            both: math.log(_PAIR_WEIGHT * count / context[both[0]] + (1 - _PAIR_WEIGHT) * share[both[1]])
            for both, count in pair.items()
        }
        self._characters = _by_syllable(single)

    def read(self, text: str) -> str | None:
        """The text with its pinyin as characters; None when it is not (mostly) pinyin."""
        words = [token for token in TOKEN.findall(text) if _LETTERS.fullmatch(token)]
        if not self._characters or not words or sum(map(len, words)) > _MOST_LETTERS:
            return None
        readable = {word for word in words if self._decode(word) is not None}
        english = {word for word in words if word.lower() in self._english}
        if english - readable or not readable - english:
            return None
        if sum(word not in readable for word in words) * 3 > len(words):
            return None
        return self._spell(text, readable)

    def _spell(self, text: str, readable: set[str]) -> str | None:
        spelt: list[str] = []
        letters = ""
        log_probability, syllables = 0.0, 0
        for token in [*TOKEN.findall(text), "\0"]:
            if token in readable or (letters and token.isspace()):
                letters += token.lower()
                continue
            if letters:
                path = self._decode(letters)
                if path is None:  # pragma: no cover - every word of it could be read alone
                    return None
                log_probability += path[0]
                syllables += len(path[1])
                spelt.append(path[1])
                letters = ""
            spelt.append(token)
        # One syllable alone is as likely an English word or an abbreviation.
        if syllables < 2 or log_probability / syllables < _LEAST_MEAN_LOG_PROBABILITY:
            return None
        return "".join(spelt).rstrip("\0").strip()

    def _decode(self, letters: str) -> _Path | None:
        """Viterbi over all ways to cut the letters into syllables; spaces and apostrophes always cut."""
        letters = letters.lower().replace("ü", "v")
        best: list[dict[str, _Path]] = [{} for _ in range(len(letters) + 1)]
        best[0][_START] = (0.0, "")
        for start, paths in enumerate(best[:-1]):
            if not paths:
                continue
            if letters[start] in " '":
                best[start + 1].update(paths)
                continue
            for end in range(start + 1, min(len(letters), start + _LONGEST_SYLLABLE) + 1):
                for character in self._characters.get(letters[start:end], ()):
                    step = self._step(paths, character)
                    if character not in best[end] or best[end][character] < step:
                        best[end][character] = step
        return max(best[-1].values(), default=None)

    def _step(self, paths: Mapping[str, _Path], character: str) -> _Path:
        alone = self._single[character]
        likeliest = max(
            (path[0] + self._pair.get(last + character, alone), last) for last, path in paths.items()
        )
        return likeliest[0], paths[likeliest[1]][1] + character


def _count(wordings: Iterable[str]) -> tuple[Counter[str], Counter[str]]:
    """How often each character and each pair of neighbours occurs; a run of characters starts with "^"."""
    single: Counter[str] = Counter()
    pair: Counter[str] = Counter()
    for wording in wordings:
        before = _START
        for character in wording:
            if not HAN.match(character):
                before = _START
                continue
            single[character] += 1
            pair[before + character] += 1
            before = character
    return single, pair


def _by_syllable(characters: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Syllable without tone -> the characters that can be read so."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for character in sorted(characters):
        for reading in set(pinyin(character, style=Style.NORMAL, heteronym=True)[0]):
            found[reading].append(character)
            if "ü" in reading:
                found[reading.replace("ü", "v")].append(character)
    return {syllable: tuple(read) for syllable, read in found.items() if syllable not in SHARED_WORDS}
