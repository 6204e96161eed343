"""Facts in a text: numbers with their units, dates, times, links, e-mails, phones, codes; and its words.

Both sides of a comparison go through `atoms`, so that "３０ 天", "三十天" and "30 days" are one fact and
"1,000", "1000" and "一千" are one number.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "link", "email", "phone", "date", "time", "weekday", "number", "code", "word", "han"
]
FACTS: frozenset[Kind] = frozenset(("link", "email", "phone", "date", "time", "weekday", "number", "code"))


@dataclass(frozen=True, slots=True)
class Atom:
    """A piece of a normalised text that is compared as a whole."""

    kind: Kind
    key: str
    """Equal keys are equal facts; for words their lower case."""
    text: str
    start: int
    end: int


@lru_cache(maxsize=4096)
def normalise(text: str) -> str:
    """Full-width folded, markdown marks and zero-width characters gone, dashes and quotes unified."""
    folded = unicodedata.normalize("NFKC", text)
    folded = folded.translate(_PLAIN)
    folded = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", folded)
    return re.sub(r"\s+", " ", folded)


def atoms(text: str) -> list[Atom]:
    """Everything in a normalised text that means something, from left to right."""
    found = [_atom(match) for match in _SCAN.finditer(text)]
    return _share_units(found, text)


_PLAIN = str.maketrans(
    {"‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "−": "-", "’": "'", "‘": "'", "“": '"', "”": '"'}
    | {"*": None, "`": None, "￥": "¥", "〜": "~", "～": "~"}
    | dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", None)
)

_UNITS: dict[str, tuple[str, ...]] = {
    "workday": ("business days", "business day", "working days", "working day", "workdays", "workday", "个工作日", "工作日"),
    "calendar day": ("calendar days", "calendar day", "个自然日", "自然日"),
    "day": ("days", "day", "天", "日"),
    "hour": ("hours", "hour", "hrs", "hr", "h", "个小时", "小时", "钟头"),
    "minute": ("minutes", "minute", "mins", "min", "分钟"),
    "second": ("seconds", "second", "secs", "sec", "秒钟", "秒"),
    "week": ("weeks", "week", "个星期", "星期", "个礼拜", "周"),
    "month": ("months", "month", "个月"),
    "year": ("years", "year", "周年", "年"),
    "yuan": ("rmb", "cny", "yuan", "元人民币", "人民币", "元", "块钱", "块", "¥"),
    "usd": ("us dollars", "us dollar", "dollars", "dollar", "usd", "美元", "美金", "us$", "$"),
    "eur": ("euros", "euro", "eur", "欧元", "€"),
    "gbp": ("pounds", "pound", "gbp", "英镑", "£"),
    "percent": ("percent", "per cent", "个百分点", "%"),
    "time": ("times", "次"),
    "piece": ("items", "item", "pieces", "piece", "件", "个", "台", "张", "份", "条", "款", "枚", "部"),
    "person": ("people", "persons", "person", "位", "人", "名"),
    "point": ("points", "point", "积分", "分"),
    "fold": ("倍",), "discount": ("折",),
    "gb": ("gb",), "mb": ("mb",), "tb": ("tb",), "kb": ("kb",), "mah": ("mah", "毫安时", "毫安"),
    "kg": ("kilograms", "kilogram", "kg", "公斤", "千克"), "g": ("grams", "gram", "g", "克"),
    "cm": ("cm", "厘米"), "mm": ("mm", "毫米"), "km": ("km", "公里", "千米"), "m": ("meters", "metres", "m", "米"),
    "inch": ("inches", "inch", "英寸", "寸"), "w": ("watts", "w", "瓦"), "hz": ("hz", "赫兹"), "v": ("volts", "v", "伏"),
}  # fmt: skip
_UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words}


def _words(text: str) -> list[str]:
    return text.split()


_MONTHS = _words("january february march april may june july august september october november december")
_DAYS = _words("monday tuesday wednesday thursday friday saturday sunday")
_ONES = _words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety"
)
_TENS = _words("twenty thirty forty fifty sixty seventy eighty ninety")
_EN_VALUE = {word: value for value, word in enumerate(_ONES)} | {
    word: 10 * (value + 2) for value, word in enumerate(_TENS)
}
_HAN_DIGIT = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_HAN_SCALE = {"十": 10, "百": 100, "千": 1000, "万": 10_000}


def _either(words: list[str]) -> str:
    parts = [re.escape(word) + (r"\b" if word[-1].isascii() and word[-1].isalpha() else "") for word in words]
    return "|".join(parts)


_UNIT = _either(sorted(_UNIT_OF, key=len, reverse=True))
_MONEY = r"us\$|hk\$|\$|€|£|¥|rmb|cny|usd|eur|gbp|人民币|美元"
_MONTH = "(?:" + "|".join(f"{month[:3]}(?:{month[3:]})?" for month in _MONTHS) + r")\.?(?![a-z])"
_DAY = "(?:" + "|".join(f"{day}s?|{day[:3]}" for day in _DAYS) + r"|tues|thur|thurs)\b"
_EN_NUMBER = (
    f"(?:{'|'.join(_TENS)})(?:-(?:{'|'.join(_ONES[1:10])}))?|{'|'.join(sorted(_ONES, key=len, reverse=True))}"
)
_HAN_COUNTED = "个工作日|个自然日|个小时|个星期|个月|工作日|自然日|天|日|周|年|小时|分钟|秒|元|块|次|件|台|张|份|倍|折|位|人|名|款|条|万元"

_HAN_SPELT = (
    "(?:[二两三四五六七八九十百千万]|[零一二两三四五六七八九十百千万]{2,}"
    f"|一(?=天|日|周|年|个月|小时|个小时|个工作日|个星期|元|块|分钟))(?:{_HAN_COUNTED})"
)

_SCAN = re.compile(
    rf"""
    (?P<email>[a-z0-9._%+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+)
  | (?P<link>(?:https?://|www\.)[^\s<>"'()，。；、】」》]+|(?<![\w.@])(?:[a-z0-9-]+\.)+(?:com|cn|net|org|io|shop|store|app|info|example|test|edu|gov|dev|co|me|hk|tw)\b(?:/[^\s<>"'()，。；、】」》]*)?)
  | (?P<date>\d{{4}}\s?[-/.年]\s?\d{{1,2}}\s?[-/.月]\s?\d{{1,2}}\s?[日号]?|\d{{1,2}}月\d{{1,2}}[日号]|\d{{4}}年(?:\d{{1,2}}月)?(?!\d)|\d{{1,2}}月(?:份|底|初)?
      |\b{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s\d{{4}}\b)?|\b\d{{1,2}}(?:st|nd|rd|th)?\s(?:of\s)?{_MONTH}(?:,?\s\d{{4}}\b)?|\b{_MONTH}\s\d{{4}}\b|\b\d{{1,2}}/\d{{1,2}}/\d{{2,4}}\b)
  | (?P<time>(?:上午|早上|凌晨|中午|下午|晚上|晚)?\d{{1,2}}:\d{{2}}(?:\s?[ap]\.?m\b\.?)?|\b\d{{1,2}}\s?[ap]\.?m\b\.?|(?:上午|早上|凌晨|中午|下午|晚上|晚)?\d{{1,2}}[点时](?:\d{{1,2}}分|半|整)?)
  | (?P<phone>(?<![\w.])\+?\(?\d{{2,4}}\)?(?:[\s-]\d{{2,4}}){{2,4}}(?![\w.]*\d)|(?<![\w.])\+?\d{{3,4}}-\d{{7,8}}(?!\d)|(?<![\w.])\+?\d{{7,15}}(?![\w]))
  | (?P<weekday>(?:周|星期|礼拜)[一二三四五六日天末]|\b{_DAY})
  | (?P<percent>百分之[零一二两三四五六七八九十百点\d.]+)
  | (?P<number>(?:(?<![\w.])(?:{_MONEY})\s?)?(?<![a-z\d.])\d+(?:\.\d+)?(?:\s?(?:万|千|百|亿|thousand\b|million\b|k\b))?(?:\s?-?\s?(?:{_UNIT}))?(?![a-z\d]))
  | (?P<spelt>\b(?:{_EN_NUMBER})(?:\s(?:hundred|thousand))?\b(?:[\s-](?:{_UNIT}))?|{_HAN_SPELT})
  | (?P<code>(?=[\w+./-]*\d)(?=[\w+./-]*[a-z])[a-z0-9]+(?:[-_/.+][a-z0-9]+)*)
  | (?P<han>(?:(?!(?:周|星期|礼拜)[一二三四五六日天末]|百分之[零一二两三四五六七八九十百]|{_HAN_SPELT})[\u3400-\u9fff〇])+)
  | (?P<word>[^\W\d_]+(?:'[a-z]+)?)
  | (?P<digits>\d+)
    """,
    re.VERBOSE | re.IGNORECASE,
)


def _atom(match: re.Match[str]) -> Atom:
    name, raw = match.lastgroup or "", match.group()
    kind, key_of = _READERS[name]
    key = key_of(raw.lower() if name != "link" else raw)
    if name == "spelt" and key.endswith("|") and key[0] in "01":
        kind, key = "word", raw.lower()  # "one of them", "zero" and "ten": words unless something is counted
    return Atom(kind, key, raw, match.start(), match.end())


def _share_units(found: list[Atom], text: str) -> list[Atom]:
    """In "3-5 days", "3 to 5 days" and "3至5天" the first number has the unit of the second."""
    shared = list(found)
    for index, (atom, after) in enumerate(itertools.pairwise(found)):
        between = text[atom.end : after.start].strip().lower()
        if atom.kind == "number" and atom.key.endswith("|"):
            follower = after
            if (
                between == ""
                and after.key in ("to", "or", "and", "至", "到", "或")
                and index + 2 < len(found)
            ):
                follower, between = found[index + 2], "-"
            if follower.kind == "number" and between in ("-", "~", "/"):
                key = atom.key + follower.key.partition("|")[2]
                shared[index] = Atom(atom.kind, key, atom.text, atom.start, atom.end)
    return shared


def _number_key(low: str) -> str:
    match = re.fullmatch(
        rf"({_MONEY})?\s?(\d+(?:\.\d+)?)\s?(万|千|百|亿|thousand|million|k)?\s?-?\s?(.*)", low
    )
    if match is None:  # pragma: no cover - the scanner matched the same shape
        return f"{low}|"
    money, digits, scale, unit = match.groups()
    factor = {"百": 100, "千": 1000, "k": 1000, "thousand": 1000, "万": 10_000, "million": 10**6, "亿": 10**8}
    value = float(digits) * factor.get(scale or "", 1)
    return f"{_plain(value)}|{_UNIT_OF.get(unit.strip(), '') or _UNIT_OF.get((money or '').strip(), money or '')}"


def _spelt_key(low: str) -> str:
    han = re.match(r"[零一二两三四五六七八九十百千万]+", low)
    if han:
        unit = low[han.end() :]
        scale = 10_000 if unit == "万元" else 1
        return f"{_plain(_han_value(han.group()) * scale)}|{_UNIT_OF.get(unit.removeprefix('万'), unit)}"
    words = re.match(rf"({_EN_NUMBER})(\s(?:hundred|thousand))?[\s-]?(.*)", low)
    if words is None:  # pragma: no cover - the scanner matched the same shape
        return f"{low}|"
    value = sum(_EN_VALUE[word] for word in words.group(1).split("-"))
    value *= {"": 1, "hundred": 100, "thousand": 1000}[(words.group(2) or "").strip()]
    return f"{value}|{_UNIT_OF.get(words.group(3).strip(), '')}"


def _han_value(text: str) -> float:
    """A Chinese or Arabic number up to 99,999,999, with 点 for the decimal point."""
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        return float(text)
    whole, _, fraction = text.partition("点")
    total = section = digit = 0
    for char in whole:
        if char == "万":
            total, section, digit = (total + section + digit) * 10_000, 0, 0
        elif char in _HAN_SCALE:
            section, digit = section + (digit or 1) * _HAN_SCALE[char], 0
        else:
            digit = digit * 10 + _HAN_DIGIT.get(char, 0) if whole.isdigit() else _HAN_DIGIT.get(char, 0)
    decimals = "".join(str(_HAN_DIGIT.get(char, char)) for char in fraction)
    return float(f"{total + section + digit}.{decimals or 0}")


def _plain(value: float | str) -> str:
    return f"{float(value):.6f}".rstrip("0").rstrip(".")


def _date_key(low: str) -> str:
    words = re.search(r"[a-z]{3,}", low.replace("th", "") if re.search(r"\dth", low) else low)
    numbers = re.findall(r"\d+", low)
    if words:
        month = next((i + 1 for i, m in enumerate(_MONTHS) if m.startswith(words.group()[:3])), 0)
        year = next((n for n in numbers if len(n) == 4), "")
        day = next((n for n in numbers if len(n) < 4), "")
        return f"{year}-{month}-{int(day) if day else ''}"
    if "/" in low and len(numbers[0]) < 4:
        return low
    if "月" in low and "年" not in low:
        return f"-{int(numbers[0])}-{int(numbers[1]) if len(numbers) > 1 else ''}"
    year, *rest = numbers
    return "-".join([year, *(str(int(number)) for number in rest), *([""] * (2 - len(rest)))])


def _time_key(low: str) -> str:
    numbers = [int(number) for number in re.findall(r"\d+", low)]
    hour, minute = numbers[0], numbers[1] if len(numbers) > 1 else 30 if "半" in low else 0
    late = re.search(r"p\.?m|下午|晚", low)
    early = re.search(r"a\.?m|凌晨", low)
    hour = hour + 12 if late and hour < 12 else 0 if early and hour == 12 else hour
    return f"{hour:02d}:{minute:02d}"


def _weekday_key(low: str) -> str:
    if low[-1] in "一二三四五六日天末" and not low.isascii():
        return str(
            {"一": 1, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "日": 7, "天": 7, "末": 67}[low[-1]]
        )
    return str(next(i + 1 for i, day in enumerate(_DAYS) if day.startswith(low[:3])))


def _link_key(raw: str) -> str:
    return re.sub(r"^https?://(www\.)?|^www\.", "", raw.rstrip(".,;:!?)")).rstrip("/")


_READERS: dict[str, tuple[Kind, Callable[[str], str]]] = {
    "email": ("email", str),
    "link": ("link", _link_key),
    "date": ("date", _date_key),
    "time": ("time", _time_key),
    "phone": ("phone", lambda low: re.sub(r"\D", "", low)),
    "weekday": ("weekday", _weekday_key),
    "percent": ("number", lambda low: f"{_plain(_han_value(low[3:]))}|percent"),
    "number": ("number", _number_key),
    "spelt": ("number", _spelt_key),
    "digits": ("number", lambda low: f"{_plain(low)}|"),
    "code": ("code", str),
    "han": ("han", str),
    "word": ("word", str),
}
