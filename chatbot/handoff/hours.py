"""Opening hours, as people write them in the settings.

    "Mon-Fri 09:00-18:00; Sat 10:00-16:00"     "周一至周五 9:00-12:00, 13:00-18:00；周六 10点至16点"

Days are single (Mon, 周一, 星期一), lists (Mon, Wed), ranges (Mon-Fri, 周一至周五) or words (daily, weekdays,
weekend, 每天, 工作日, 周末). Without days a time counts for every day. 22:00-06:00 goes past midnight.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from knowledge.errors import SettingsError

_DAY = 24 * 60
_ENGLISH = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CHINESE = {
    name: number
    for number, names in enumerate(("一1", "二2", "三3", "四4", "五5", "六6", "日天7"))
    for name in names
}
_WORDS = {
    "daily": range(7),
    "every day": range(7),
    "everyday": range(7),
    "weekdays": range(5),
    "weekday": range(5),
    "weekends": range(5, 7),
    "weekend": range(5, 7),
    "每天": range(7),
    "每日": range(7),
    "工作日": range(5),
    "周末": range(5, 7),
}
_ENGLISH_DAY = "(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?s?"
_CHINESE_DAY = "(?:周|星期|礼拜)?[一二三四五六日天1-7]"
_DAYS = re.compile(rf"({_ENGLISH_DAY}|{_CHINESE_DAY})(?:\s*-\s*({_ENGLISH_DAY}|{_CHINESE_DAY}))?")
_TIMES = re.compile(r"(\d{1,2})(?::(\d{2}))?\s*-\s*(\d{1,2})(?::(\d{2}))?")
_FOLD = str.maketrans("：；，、～〜—–−至到　", ":;,,~~---" + "-- ")


@dataclass(frozen=True, slots=True)
class Interval:
    """Open from `start` to `end`, minutes after the day's midnight; `end` may lie in the next day."""

    day: int
    """0 is Monday."""
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """When people work; without intervals always."""

    text: str
    timezone: ZoneInfo
    intervals: Sequence[Interval]

    def is_open(self, at: datetime) -> bool:
        """Whether somebody works at that moment."""
        if not self.intervals:
            return True
        local = at.astimezone(self.timezone)
        day, minute = local.weekday(), local.hour * 60 + local.minute
        return any(
            interval.start <= minute + past * _DAY < interval.end
            for past in (0, 1)
            for interval in self.intervals
            if interval.day == (day - past) % 7
        )

    def next_opening(self, at: datetime) -> datetime | None:
        """When work begins next after that moment; None when it never stops."""
        local = at.astimezone(self.timezone)
        starts = (
            datetime.combine(
                local.date() + timedelta(days=ahead),
                time(interval.start // 60, interval.start % 60),
                self.timezone,
            )
            for ahead in range(8)
            for interval in self.intervals
            if interval.day == (local.weekday() + ahead) % 7
        )
        return min((start for start in starts if start > local), default=None)

    def __str__(self) -> str:
        return f"{self.text} ({self.timezone.key})" if self.text else ""


def parse_hours(text: str, *, timezone: str) -> OpeningHours:
    """Read opening hours; an empty text is always open.

    Raises:
        SettingsError: The timezone is unknown, or a part cannot be read.
    """
    try:
        zone = ZoneInfo(timezone)
    except (ValueError, OSError, KeyError) as error:
        msg = (
            f"The timezone '{timezone}' in handoff.timezone is not known. "
            "Write it as in the IANA list, e.g. Asia/Shanghai, Europe/London or UTC."
        )
        raise SettingsError(msg) from error
    intervals: list[Interval] = []
    for part in re.split(r"[;\n]", _normal(text)):
        if part.strip():
            intervals += _read_part(part.strip(), text)
    return OpeningHours(" ".join(text.split()), zone, tuple(intervals))


def _normal(text: str) -> str:
    plain = text.translate(_FOLD).replace("~", "-").lower()
    plain = re.sub(r"\s*\bto\b\s*", "-", plain)
    plain = re.sub(r"(\d{1,2})\s*[点时]半", r"\1:30", plain)
    plain = re.sub(r"(\d{1,2})\s*[点时]\s*(\d{1,2})\s*分?", r"\1:\2", plain)
    return re.sub(r"(\d{1,2})\s*[点时]", r"\1:00", plain)


def _read_part(part: str, whole: str) -> Iterable[Interval]:
    first = _TIMES.search(part)
    if first is None:
        raise _unreadable(part, whole)
    days = _read_days(part[: first.start()].strip(" ,:"), part, whole)
    times = part[first.start() :]
    spans = [_read_span(match, part, whole) for match in _TIMES.finditer(times)]
    if _TIMES.sub("", times).strip(" ,和and"):
        raise _unreadable(part, whole)
    return [Interval(day, start, end) for day in days for start, end in spans]


def _read_days(text: str, part: str, whole: str) -> Sequence[int]:
    if not text:
        return range(7)
    if text in _WORDS:
        return _WORDS[text]
    days: list[int] = []
    for match in _DAYS.finditer(text):
        first = _day_number(match[1])
        last = _day_number(match[2]) if match[2] else first
        days += [(first + step) % 7 for step in range((last - first) % 7 + 1)]
    if not days or _DAYS.sub("", text).strip(" ,和and&"):
        raise _unreadable(part, whole)
    return sorted(set(days))


def _day_number(name: str) -> int:
    return _ENGLISH.index(name[:3]) if name[:3] in _ENGLISH else _CHINESE[name[-1]]


def _read_span(match: re.Match[str], part: str, whole: str) -> tuple[int, int]:
    start = int(match[1]) * 60 + int(match[2] or 0)
    end = int(match[3]) * 60 + int(match[4] or 0)
    past_hour = int(match[2] or 0) > 59 or int(match[4] or 0) > 59
    if past_hour or start >= _DAY or end > _DAY or start == end:
        raise _unreadable(part, whole)
    return start, end if end > start else end + _DAY


def _unreadable(part: str, whole: str) -> SettingsError:
    return SettingsError(
        f"The opening hours '{whole}' in handoff.hours cannot be read at '{part}'. "
        'Write them like "Mon-Fri 09:00-18:00; Sat 10:00-16:00" or "周一至周五 09:00-18:00".'
    )
