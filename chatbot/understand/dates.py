"""Dates as people write them, in Chinese and English, relative to the day they write on."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date, timedelta
from typing import TypeAlias

from chatbot.understand.numerals import CHINESE_NUMERAL, ENGLISH_NUMBERS, read_number

Resolve: TypeAlias = Callable[[re.Match[str], date], date | None]

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_MONTH = r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
# "I sat on it" and "the sun" are no days: short forms count only behind "last", "next" ...
_WEEKDAY = r"(?P<weekday>mon|tue|wed|thu|fri|sat|sun)(?:(?:s|nes|rs|ur)?day|(?<=last ...)|(?<=next ...)|(?<=this ...)|(?<=on ...))"
_COUNT = (
    r"(?P<count>\d{1,3}|a|an|"
    + "|".join(sorted(map(re.escape, ENGLISH_NUMBERS), key=len, reverse=True))
    + ")"
)
_ZH_COUNT = rf"(?P<count>\d{{1,3}}|[{CHINESE_NUMERAL}]{{1,3}})"
_ZH_DAY = rf"(?P<day>\d{{1,2}}|[{CHINESE_NUMERAL}]{{1,3}})"
_ZH_RELATIVE = {"大前天": -3, "前天": -2, "昨天": -1, "昨日": -1, "昨晚": -1, "今天": 0, "今日": 0, "今晚": 0,
                "今早": 0, "明天": 1, "明日": 1, "明早": 1, "明晚": 1, "大后天": 3, "后天": 2}  # fmt: skip
_EN_RELATIVE = {"day before yesterday": -2, "yesterday": -1, "last night": -1, "today": 0, "tonight": 0,
                "day after tomorrow": 2, "tomorrow": 1, "tmrw": 1, "tmr": 1}  # fmt: skip


def find_dates(text: str, today: date) -> list[str]:
    """All dates of a text as ISO 8601, left to right; of overlapping readings the more exact one counts.

    A date without a year is the one nearest to `today`: on 10 January, "11月3号" is last year's.
    """
    text = text.lower()
    taken: list[tuple[int, int, date | None]] = []
    for pattern, resolve in _RULES:
        for match in pattern.finditer(text):
            start, end = match.span()
            if any(start < other_end and other_start < end for other_start, other_end, _ in taken):
                continue
            # 2月30号 is no date, and the 30号 in it is none either.
            taken.append((start, end, resolve(match, today)))
    return [found.isoformat() for _, _, found in sorted(taken, key=lambda each: each[0]) if found]


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _number(text: str) -> int:
    value = 1 if text in ("a", "an") else read_number(text)
    return int(value) if value is not None else 0


def _full(match: re.Match[str], _: date) -> date | None:
    return _date(int(match["year"]), _number(match["month"]), _number(match["day"]))


def _day_month(match: re.Match[str], today: date) -> date | None:
    """11/03/2026 is month first, unless the first number cannot be a month."""
    first, second = int(match["first"]), int(match["second"])
    month, day = (second, first) if first > 12 else (first, second)
    if not match["year"]:
        return _nearest_year(month, day, today)
    year = int(match["year"])
    return _date(year + 2000 if year < 100 else year, month, day)


def _month_and_day(match: re.Match[str], today: date) -> date | None:
    return _nearest_year(_number(match["month"]), _number(match["day"]), today)


def _named_month(match: re.Match[str], today: date) -> date | None:
    month = _MONTHS.index(match["month"][:3]) + 1
    if match["year"]:
        return _date(int(match["year"]), month, int(match["day"]))
    return _nearest_year(month, int(match["day"]), today)


def _nearest_year(month: int, day: int, today: date) -> date | None:
    found = [_date(year, month, day) for year in (today.year - 1, today.year, today.year + 1)]
    return min((each for each in found if each), key=lambda each: abs(each - today), default=None)


def _relative(days: dict[str, int]) -> Resolve:
    return lambda match, today: today + timedelta(days=days[" ".join(match[0].split())])


def _chinese_weekday(match: re.Match[str], today: date) -> date | None:
    """上周五 is the Friday of last week, as a Chinese calendar shows it; 周五 alone that of this week."""
    before = match["which"] or ""
    weeks = before.count("下") - before.count("上")
    name = match["weekday"]
    weekday = 6 if name in "日天7" else "一二三四五六".find(name)
    weekday = weekday if weekday >= 0 else int(name) - 1
    return today + timedelta(days=weekday - today.weekday() + 7 * weeks)


def _english_weekday(match: re.Match[str], today: date) -> date | None:
    """Last Friday: the latest one; Friday: the next one, today included; next Friday: that of next week."""
    weekday = _WEEKDAYS.index(match["weekday"])
    ahead = (weekday - today.weekday()) % 7
    which = (match["which"] or "").strip()
    if which in ("last", "past"):
        return today + timedelta(days=ahead - 7)
    if which == "next":
        return today + timedelta(days=weekday - today.weekday() + 7)
    return today + timedelta(days=ahead)


def _away(match: re.Match[str], today: date) -> date | None:
    """Resolve "3 days ago", 两周后: a number of units from today."""
    count = _number(match["count"])
    groups = match.groupdict()
    back = bool(groups.get("ago"))
    unit = match["unit"]
    sign = -1 if back else 1
    if unit.startswith(("month", "月", "个月")):
        return _months_away(today, sign * count)
    return today + timedelta(
        days=sign * count * (7 if unit.startswith(("week", "周", "星期", "礼拜")) else 1)
    )


def _months_away(today: date, months: int) -> date:
    year, month = divmod(today.year * 12 + today.month - 1 + months, 12)
    return date(year, month + 1, min(today.day, monthrange(year, month + 1)[1]))


def _day_of_month(match: re.Match[str], today: date) -> date | None:
    which = match["which"] or ""
    months = which.count("下") - which.count("上")
    if which:
        first = _months_away(today.replace(day=1), months)
        return _date(first.year, first.month, _number(match["day"]))
    around = [_months_away(today.replace(day=1), months) for months in (-1, 0, 1)]
    found = [_date(first.year, first.month, _number(match["day"])) for first in around]
    return min((each for each in found if each), key=lambda each: abs(each - today), default=None)


_RULES: tuple[tuple[re.Pattern[str], Resolve], ...] = (
    (re.compile(r"(?<!\d)(?P<year>20\d\d)\s*[-/.年]\s*(?P<month>\d{1,2})\s*[-/.月]\s*(?P<day>\d{1,2})(?!\d)[日号]?"), _full),
    (re.compile(rf"{_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s*(?P<year>20\d\d))?"), _named_month),
    (re.compile(rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}\b(?:,?\s*(?P<year>20\d\d))?"), _named_month),
    (re.compile(rf"(?P<month>\d{{1,2}}|[{CHINESE_NUMERAL}]{{1,2}})月份?{_ZH_DAY}[日号]?"), _month_and_day),
    (re.compile(r"(?<![\d/])(?P<first>\d{1,2})/(?P<second>\d{1,2})(?:/(?P<year>\d{4}|\d\d))?(?![\d/])"), _day_month),
    (re.compile("|".join(_ZH_RELATIVE)), _relative(_ZH_RELATIVE)),
    (re.compile(r"\b(?:" + "|".join(key.replace(" ", r"\s+") for key in _EN_RELATIVE) + r")\b"), _relative(_EN_RELATIVE)),
    (re.compile(r"(?P<which>上上|下下|上|下|这|本)?个?(?:周|星期|礼拜)(?P<weekday>[一二三四五六日天1-7])"), _chinese_weekday),
    (re.compile(rf"(?:\b(?P<which>last|past|next|this|coming|on)\s+)?\b{_WEEKDAY}\b"), _english_weekday),
    (re.compile(rf"{_ZH_COUNT}(?P<unit>天|周|个?星期|个?礼拜|个月)(?:(?P<ago>之?以?前)|之?以?后)"), _away),
    (re.compile(rf"\b{_COUNT}\s+(?P<unit>day|week|month)s?\s+(?P<ago>ago|back|earlier)\b"), _away),
    (re.compile(rf"\bin\s+{_COUNT}\s+(?P<unit>day|week|month)s?\b"), _away),
    (re.compile(rf"\b{_COUNT}\s+(?P<unit>day|week|month)s?\s+(?:from now|later)\b"), _away),
    (re.compile(rf"(?P<which>上个?月|下个?月|这个?月|本月)?(?<![\d{CHINESE_NUMERAL}]){_ZH_DAY}[号日](?![码线楼店])"), _day_of_month),
)  # fmt: skip
