"""Which language and script a short, noisy message is in.

Scripts are counted first; what they leave open (a number, an emoji, a product name) is answered by the
conversation, then by the page, then by the setting. Statistical identifiers are useless on three words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from opencc import OpenCC

from chatbot.understand.lexicon import words

Script: TypeAlias = Literal["Hans", "Hant", "Latn"]

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]")
KANA_OR_HANGUL = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
LATIN_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]+(?:['’][A-Za-z]+)?")
OTHER_LETTER = re.compile(r"[\u0370-\u05ff\u0600-\u06ff\u0900-\u0dff\u0e00-\u0eff]")
# Order numbers, addresses and links are written with Latin letters in every language.
CODE = re.compile(r"\S*(?:@|://|www\.)\S*|\b(?=\w*\d)[A-Za-z\d_-]+\b")

# Format characters, controls, surrogates and unassigned ones: zero-width spaces, direction marks, BOMs.
_INVISIBLE = frozenset({"Cf", "Cc", "Cs", "Cn", "Co"})

ENGLISH_FUNCTION_WORDS = words("english_function_words")
SHARED_WORDS = words("shared_words")


@dataclass(frozen=True, slots=True)
class Tongue:
    """The language of the reply and the script of the customer."""

    language: str
    script: Script
    certain: bool
    """False when the text itself did not tell and the conversation, the page or the setting did."""


@lru_cache(maxsize=8)
def _converter(configuration: str) -> OpenCC:
    return OpenCC(configuration)


@lru_cache(maxsize=65_536)
def tidy(text: str) -> str:
    """The text as it is understood and encoded; case and punctuation are kept. Kept, since a reader is made anew with each
    change of the knowledge, mostly from the same texts.

    Full-width and compatibility forms folded (NFKC), invisible characters dropped, runs of white space single,
    Traditional -> Simplified (in Traditional texts Taiwan's words become the mainland's too: 滑鼠 -> 鼠标).
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    folded = unicodedata.normalize("NFKC", text)
    visible = "".join(
        character
        for character in folded
        if character.isspace() or unicodedata.category(character) not in _INVISIBLE
    )
    single = " ".join(visible.split())
    if not HAN.search(single):
        return single
    if script_of(single) == "Hant":
        single = str(_converter("tw2sp").convert(single))
    return str(_converter("t2s").convert(single))


def script_of(text: str) -> Script | None:
    """Hans, Hant or Latn; None when the letters (or their lack) do not tell."""
    if not HAN.search(text):
        return "Latn" if LATIN_WORD.search(text) else None
    traditional = _differences(text, str(_converter("t2s").convert(text)))
    simplified = _differences(text, str(_converter("s2t").convert(text)))
    if traditional == simplified:
        return None
    return "Hant" if traditional > simplified else "Hans"


def _differences(text: str, converted: str) -> int:
    if len(text) != len(converted):
        return 1
    return sum(a != b for a, b in zip(text, converted, strict=True))


def language_in(text: str, *, known_english: Iterable[str] = ()) -> str | None:
    """The language that the text itself speaks: "zh", "en", or None where it does not tell.

    Args:
        text: The message.
        known_english: Lower-case words of the company's English questions; "refund" alone is English then.
    """
    bare = CODE.sub(" ", text)
    han = len(HAN.findall(bare))
    spelt = [word.lower().replace("’", "'") for word in LATIN_WORD.findall(bare)]
    function_words = sum(word in ENGLISH_FUNCTION_WORDS for word in spelt)
    if han:
        if KANA_OR_HANGUL.search(bare):
            return "en"
        # "My page shows 已签收 but I got nothing" is English; "华为 Mate 60 Pro Plus 多少钱" is not.
        return "en" if function_words >= 2 and len(spelt) > han else "zh"
    if KANA_OR_HANGUL.search(bare) or OTHER_LETTER.search(bare):
        return "en"  # neither of ours: English is what more people of other languages read
    telling = [word for word in spelt if word not in SHARED_WORDS]
    known = known_english if isinstance(known_english, frozenset | set | dict) else frozenset(known_english)
    if any(word in ENGLISH_FUNCTION_WORDS or word in known for word in telling):
        return "en"
    return "en" if len(spelt) >= 3 else None


def tongue_of(
    text: str, *, language: str | None, previous: Tongue | None, locale: str | None, default: str
) -> Tongue:
    """Settle language and script.

    Args:
        text: The message as it was typed.
        language: What the text itself tells (`language_in`), if anything.
        previous: The tongue of the conversation so far.
        locale: BCP 47 tag chosen on the page.
        default: The setting `languages.default`.
    """
    spoken = language or (previous.language if previous else None) or language_of_locale(locale) or default
    if spoken != "zh":
        return Tongue(spoken, "Latn", certain=language is not None)
    # A code or "ok" in a Chinese conversation does not change what the customer reads.
    script = script_of(text) if language else None
    if script is None:
        script = previous.script if previous and previous.language == "zh" else _script_of_locale(locale)
    return Tongue(spoken, script, certain=language is not None)


def language_of_locale(locale: str | None) -> str | None:
    """Language of a BCP 47 tag: "zh-TW" -> "zh", "en_GB" -> "en"; other languages read English; None stays None."""
    if not locale:
        return None
    return "zh" if locale.lower().startswith(("zh", "yue")) else "en"


def _script_of_locale(locale: str | None) -> Script:
    tag = (locale or "").lower().replace("_", "-")
    return "Hant" if any(part in tag for part in ("hant", "-tw", "-hk", "-mo")) else "Hans"
