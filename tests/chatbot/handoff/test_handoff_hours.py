"""Opening hours are read as people write them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from chatbot.handoff.hours import parse_hours
from knowledge.errors import SettingsError

SHANGHAI = ZoneInfo("Asia/Shanghai")
# 2026-03-09 is a Monday.


def _at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 8 + day, hour, minute, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    "text",
    [
        "Mon-Fri 09:00-18:00; Sat 10:00-16:00",
        "Monday to Friday 9:00 to 18:00; Saturday 10-16",
        "Mon, Tue, Wed, Thu, Fri: 09:00–18:00\nSaturdays 10:00-16:00",
        "weekdays 9-18; sat 10-16",
        "周一至周五 09:00-18:00；周六 10:00-16:00",
        "周一到周五：9点至18点；周六 10点-16点",
        "星期一～星期五 ９：００～１８：００；星期六 10:00~16:00",
        "工作日 9:00-12:00, 12:00-18:00; 礼拜六 10点到16点",
        "周一、周二、周三、周四、周五 9点-18点；周6 10点00分-16点00分",
    ],
)
def test_the_same_hours_in_many_hands(text: str) -> None:
    hours = parse_hours(text, timezone="Asia/Shanghai")

    assert [hours.is_open(_at(day, 9)) for day in range(1, 8)] == [True] * 5 + [False] * 2
    assert [hours.is_open(_at(day, 15, 59)) for day in range(1, 8)] == [True] * 6 + [False]
    assert not hours.is_open(_at(1, 8, 59))
    assert not hours.is_open(_at(1, 18))


def test_without_hours_somebody_is_always_there() -> None:
    hours = parse_hours("", timezone="UTC")

    assert hours.is_open(_at(7, 3))
    assert hours.next_opening(_at(7, 3)) is None
    assert str(hours) == ""


def test_hours_are_told_with_their_timezone() -> None:
    assert str(parse_hours("每天 8-20", timezone="Asia/Shanghai")) == "每天 8-20 (Asia/Shanghai)"


def test_moments_of_other_timezones_are_converted() -> None:
    hours = parse_hours("Mon-Fri 09:00-18:00", timezone="Asia/Shanghai")

    assert hours.is_open(datetime(2026, 3, 9, 1, 0, tzinfo=UTC))
    assert not hours.is_open(datetime(2026, 3, 9, 12, 0, tzinfo=UTC))


def test_a_night_shift_goes_past_midnight() -> None:
    hours = parse_hours("Sun 22:00-06:00", timezone="Asia/Shanghai")

    assert hours.is_open(_at(7, 23))
    assert hours.is_open(_at(1, 5, 59))
    assert not hours.is_open(_at(1, 6))


def test_a_whole_day_and_a_range_over_the_weekend() -> None:
    hours = parse_hours("Sat-Mon 00:00-24:00", timezone="Asia/Shanghai")

    assert [hours.is_open(_at(day, 23, 59)) for day in range(1, 8)] == [True, *[False] * 4, True, True]


def test_times_without_days_count_for_every_day() -> None:
    hours = parse_hours("上午 9点半-12点".replace("上午 ", ""), timezone="Asia/Shanghai")

    assert hours.is_open(_at(7, 9, 30))
    assert not hours.is_open(_at(7, 9, 29))


@pytest.mark.parametrize(
    ("now", "opening"),
    [
        (_at(1, 8), _at(1, 9)),
        (_at(1, 12, 30), _at(1, 13)),
        (_at(5, 18), _at(8, 9)),
        (_at(1, 9), _at(1, 13)),
    ],
)
def test_the_next_opening_is_found(now: datetime, opening: datetime) -> None:
    hours = parse_hours("Mon-Fri 09:00-12:00, 13:00-18:00", timezone="Asia/Shanghai")

    assert hours.next_opening(now) == opening


@pytest.mark.parametrize(
    "text",
    [
        "Mon-Fri",
        "Someday 9-18",
        "Mon 25:00-26:00",
        "Mon 09:70-18:00",
        "Mon 09:00-09:00",
        "Mon 9-18 maybe",
        "Mon Blursday 9-18",
    ],
)
def test_hours_that_cannot_be_read_are_named(text: str) -> None:
    with pytest.raises(SettingsError, match=r"handoff\.hours cannot be read"):
        parse_hours(text, timezone="UTC")


@pytest.mark.parametrize("timezone", ["Mars/Olympus", "", "../etc/passwd"])
def test_an_unknown_timezone_is_named(timezone: str) -> None:
    with pytest.raises(SettingsError, match=r"handoff\.timezone is not known"):
        parse_hours("", timezone=timezone)
