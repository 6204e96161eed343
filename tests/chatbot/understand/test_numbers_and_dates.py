"""Numbers and dates as people write them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.understand.dates import find_dates
from chatbot.understand.numerals import find_numbers, format_number, read_number

WEDNESDAY = date(2026, 3, 11)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("2.5", 2.5), ("1,200", 1200), ("三百二十", 320), ("三百二", 320), ("两千零五", 2005), ("一二三", 123),
        ("十二", 12), ("3万", 30000), ("一亿零三万", 100030000), ("万", 10000), ("2k", 2000), ("twenty-five", 25),
        ("twenty five", 25), ("a dozen", 12), ("two", 2), ("apple", None), ("twenty apples", None), ("", None),
    ],
)  # fmt: skip
def test_a_number_is_read_however_it_is_written(text: str, value: float | None) -> None:
    assert read_number(text) == value


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("我要退3个", ["3"]),
        ("买了两台电视", ["2"]),
        ("KF123 and 5 more", ["5"]),
        ("万一坏了", []),
        ("三星手机", []),
        ("第三个", []),
        ("order 12 of them, not 20", ["12", "20"]),
        ("一共花了三千五百元", ["3500"]),
        ("I want two and a half", ["2"]),
    ],
)
def test_numbers_are_found_and_parts_of_words_and_codes_are_not(text: str, numbers: list[str]) -> None:
    assert find_numbers(text) == numbers


@given(st.integers(min_value=0, max_value=9_999_999))
def test_a_plain_number_reads_back_as_itself(number: int) -> None:
    assert format_number(read_number(str(number)) or 0.0) == str(number)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-11-03", "2026-11-03"), ("2026年11月3日", "2026-11-03"), ("2026/1/5", "2026-01-05"),
        ("11月3号", "2025-11-03"), ("十一月三号", "2025-11-03"), ("4月1日", "2026-04-01"),
        ("今天", "2026-03-11"), ("明天下午", "2026-03-12"), ("后天", "2026-03-13"), ("大后天", "2026-03-14"),
        ("昨晚", "2026-03-10"), ("前天", "2026-03-09"), ("大前天", "2026-03-08"),
        ("上周五", "2026-03-06"), ("周日", "2026-03-15"), ("下周二上午", "2026-03-17"), ("下下周一", "2026-03-23"),
        ("上个星期天", "2026-03-08"), ("礼拜4", "2026-03-12"),
        ("两天前", "2026-03-09"), ("三个月后", "2026-06-11"), ("1周前", "2026-03-04"),
        ("15号", "2026-03-15"), ("二十号", "2026-03-20"), ("上个月20号", "2026-02-20"), ("下月5日", "2026-04-05"),
        ("today", "2026-03-11"), ("yesterday", "2026-03-10"), ("tomorrow", "2026-03-12"),
        ("the day before yesterday", "2026-03-09"), ("day after tomorrow", "2026-03-13"), ("last night", "2026-03-10"),
        ("next Monday", "2026-03-16"), ("last Friday", "2026-03-06"), ("on Friday", "2026-03-13"),
        ("Wednesday", "2026-03-11"), ("next fri", "2026-03-20"), ("this sat", "2026-03-14"),
        ("3 days ago", "2026-03-08"), ("a week ago", "2026-03-04"), ("in two weeks", "2026-03-25"),
        ("two months later", "2026-05-11"), ("Nov 3rd", "2025-11-03"), ("3 November 2025", "2025-11-03"),
        ("November 3, 2025", "2025-11-03"), ("the 3rd of May", "2026-05-03"), ("12/25", "2025-12-25"),
        ("25/12/2025", "2025-12-25"), ("3/4/26", "2026-03-04"),
    ],
)  # fmt: skip
def test_a_date_is_understood_from_the_day_it_is_said(text: str, found: str) -> None:
    assert find_dates(text, WEDNESDAY) == [found]


@pytest.mark.parametrize(
    "text",
    [
        "手机号是13800138000",
        "it is sunny",
        "I sat on it",
        "31/31",
        "2026-13-45",
        "2月30号",
        "3号楼",
        "order 12",
        "7号线",
    ],
)
def test_what_is_no_date_is_not_taken_for_one(text: str) -> None:
    assert find_dates(text, WEDNESDAY) == []


def test_several_dates_come_in_the_order_in_which_they_are_said() -> None:
    assert find_dates("not yesterday but on 5 May", WEDNESDAY) == ["2026-03-10", "2026-05-05"]


def test_the_last_day_of_a_month_is_kept_inside_a_shorter_one() -> None:
    assert find_dates("三个月前", date(2026, 5, 31)) == ["2026-02-28"]
