"""How a customer feels, -1 (angry) .. +1 (happy), from a small lexicon with negation and emphasis."""

from __future__ import annotations

import math
import re

from chatbot.understand.language import HAN
from chatbot.understand.lexicon import weighted_words, words

_ANGRY_FACES = frozenset("😠😡🤬👎💩🖕😤😒🙄")
_SAD_FACES = frozenset("😞😢😭😔☹🙁😟😩😫")
_HAPPY_FACES = frozenset("😀😃😄😁😊🙂😍🥰👍❤💕🎉👏😘🌹")
# One strong word is anger already: tanh(3 / 3.5) = 0.70.
_SOFTENING = 3.5

_WEIGHTS = weighted_words("sentiment")
_ENGLISH = {word: weight for word, weight in _WEIGHTS.items() if word.isascii() and word.isalpha()}
_CHINESE = {word: weight for word, weight in _WEIGHTS.items() if not word.isascii() or not word.isalpha()}
_CHINESE_WORD = re.compile("|".join(re.escape(word) for word in sorted(_CHINESE, key=len, reverse=True)))
_CHINESE_NEGATION = re.compile(
    "(?:"
    + "|".join(sorted((w for w in words("negators") if not w.isascii()), key=len, reverse=True))
    + r")\S{0,1}$"
)
_CHINESE_EMPHASIS = re.compile(
    "(?:"
    + "|".join(sorted((w for w in words("amplifiers") if not w.isascii()), key=len, reverse=True))
    + r")\S{0,1}$"
)
_NO_BLAME = re.compile(
    r"\b(?:tell|know|hear|make|another)\b[^.!?]{0,20}\bjokes?\b|\bwrong (?:one|number|order|item|model|button|chat)\b"
)
"""A wish for a joke, and what a customer puts right."""
_ENGLISH_NEGATORS = frozenset(word for word in words("negators") if word.isascii())
_ENGLISH_AMPLIFIERS = frozenset(word for word in words("amplifiers") if word.isascii())


def sentiment_of(text: str) -> float:
    """Feeling of one message: 0 is neutral or unknown."""
    lowered = text.lower()
    total = _chinese(lowered) + _english(lowered) + _faces(lowered)
    if total < 0:
        shouted = sum(map(str.isupper, text)) > 10 and text.upper() == text and not HAN.search(text)
        total *= 1 + 0.2 * min(3, len(re.findall(r"[!！]", text))) + 0.3 * shouted
    return round(math.tanh(total / _SOFTENING), 3)


def _chinese(text: str) -> float:
    total = 0.0
    for match in _CHINESE_WORD.finditer(text):
        before = text[max(0, match.start() - 4) : match.start()]
        total += _weigh(
            _CHINESE[match[0]],
            negated=bool(_CHINESE_NEGATION.search(before)),
            emphasised=bool(_CHINESE_EMPHASIS.search(before)),
        )
    return total


def _english(text: str) -> float:
    tokens = re.findall(r"[a-z]+(?:['’][a-z]+)?", _NO_BLAME.sub(" ", text.replace("’", "'")))
    total = 0.0
    for place, token in enumerate(tokens):
        if token in _ENGLISH:
            before = tokens[max(0, place - 3) : place]
            total += _weigh(
                _ENGLISH[token],
                negated=any(word in _ENGLISH_NEGATORS for word in before),
                emphasised=any(word in _ENGLISH_AMPLIFIERS for word in before),
            )
    return total


def _weigh(weight: int, *, negated: bool, emphasised: bool) -> float:
    """Negation turns praise into mild blame ("not good") and blame into nothing much ("not bad")."""
    scaled = weight * (1.3 if emphasised else 1.0)
    if not negated:
        return scaled
    return -0.8 * scaled if weight > 0 else -0.2 * scaled


def _faces(text: str) -> float:
    return sum(
        -3.0 * (sign in _ANGRY_FACES) - 1.0 * (sign in _SAD_FACES) + 2.0 * (sign in _HAPPY_FACES)
        for sign in text
    )
