"""Numbers as people write them: 3, 3.5, 1,200, 三百二十, 两, 3万, "a dozen", "twenty-five"."""

from __future__ import annotations

import re

_DIGITS = dict(zip("零〇一二两三四五六七八九", (0, 0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9), strict=True))
_UNITS = {"十": 10, "百": 100, "千": 1000}
_BIG_UNITS = {"万": 10_000, "亿": 100_000_000}
CHINESE_NUMERAL = "零〇一二两三四五六七八九十百千万亿"
# Behind a Chinese numeral one of these makes it a count and not part of a word (一下, 万一, 三星).
MEASURE = "个件台部只条双套箱盒包份本张块元次位天周月年号瓶把副款对组"

_SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
ENGLISH_NUMBERS = (
    {word: number for number, word in enumerate(_SMALL)}
    | {word: 20 + 10 * number for number, word in enumerate(_TENS)}
    | {
        "a dozen": 12,
        "dozen": 12,
        "a couple of": 2,
        "a couple": 2,
        "couple": 2,
        "hundred": 100,
        "a hundred": 100,
    }
)
_ENGLISH = re.compile(
    rf"\b(?:(?:{'|'.join(_TENS)})[- ](?:{'|'.join(_SMALL[1:10])})|"
    + "|".join(sorted(ENGLISH_NUMBERS, key=len, reverse=True))
    + r")\b",
    re.IGNORECASE,
)
_ARABIC = re.compile(
    r"(?<![A-Za-z\d_.-])(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?\s*([万亿千百]|k\b)?(?![A-Za-z_-]*\d)",
    re.IGNORECASE,
)
_CHINESE = re.compile(rf"(?<!第)([{CHINESE_NUMERAL}]+)(?=[{MEASURE}])")
_SUFFIX = {"": 1.0, "k": 1e3} | _UNITS | _BIG_UNITS


def read_number(text: str) -> float | None:
    """The value of a text that is a number and nothing else."""
    text = text.strip().lower()
    arabic = _ARABIC.fullmatch(text)
    if arabic:
        return _arabic(arabic)
    if text and all(character in CHINESE_NUMERAL for character in text):
        return _chinese(text)
    if text in ENGLISH_NUMBERS:
        return float(ENGLISH_NUMBERS[text])
    tens, _, ones = text.replace("-", " ").partition(" ")
    if tens in _TENS and ones in _SMALL[1:10]:
        return float(ENGLISH_NUMBERS[tens] + ENGLISH_NUMBERS[ones])
    return None


def find_numbers(text: str) -> list[str]:
    """All numbers of a text, left to right, as plain decimals ("3", "2.5"); codes such as KF123 are none."""
    found: list[tuple[int, float]] = [(match.start(), _arabic(match)) for match in _ARABIC.finditer(text)]
    for pattern in (_CHINESE, _ENGLISH):
        for match in pattern.finditer(text):
            value = read_number(match[0])
            if value is not None:
                found.append((match.start(), value))
    return [format_number(value) for _, value in sorted(found)]


def format_number(value: float) -> str:
    """3.0 -> "3", 2.50 -> "2.5"."""
    return str(int(value)) if value == int(value) else str(value)


def _arabic(match: re.Match[str]) -> float:
    number = float(match[1].replace(",", "") + (match[2] or ""))
    return round(number * _SUFFIX[(match[3] or "").lower()], 6)


def _chinese(text: str) -> float | None:
    """三百二十 = 320, 两千零五 = 2005, 一二三 = 123 (digits read one by one), 十二 = 12, 三百二 = 320."""
    if all(character in _DIGITS for character in text):
        return float("".join(str(_DIGITS[character]) for character in text))
    total, section, digit, last_unit, last_big = 0, 0, 0, 1, 0
    for character in text:
        if character in _DIGITS:
            digit = _DIGITS[character]
            last_unit = 1 if digit == 0 else last_unit
        elif character in _UNITS:
            last_unit = _UNITS[character]
            section += (digit or 1) * last_unit
            digit = 0
        else:
            unit = _BIG_UNITS[character]
            part = section + digit
            # 一万亿 is ten thousand times a hundred million; 一亿零三万 is a sum.
            total = (total + part or 1) * unit if unit > last_big else total + (part or 1) * unit
            section, digit, last_unit, last_big = 0, 0, unit, unit
    # 三百二 leaves out its last unit: it is a tenth of the one before.
    trailing = digit * (last_unit // 10 if last_unit >= 100 else 1)
    return float(total + section + trailing)
