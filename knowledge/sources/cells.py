"""What people and vendors write into a cell, as values: several texts, yes and no, dates, addresses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from knowledge.sources.places import excerpt

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
_SEPARATOR = re.compile(r"\n|##")
_DANGEROUS = re.compile(r"'*[=+\-@\t\r]")
_YES = frozenset(
    [
        "true",
        "yes",
        "y",
        "on",
        "1",
        "enabled",
        "active",
        "valid",
        "是",
        "真",
        "启用",
        "啟用",
        "有效",
        "开",
        "開",
        "开启",
        "√",
        "✓",
        "1.0",
    ]
)
_NO = frozenset(
    [
        "false",
        "no",
        "n",
        "off",
        "0",
        "disabled",
        "inactive",
        "invalid",
        "否",
        "假",
        "停用",
        "禁用",
        "无效",
        "無效",
        "关",
        "關",
        "关闭",
        "×",
        "✗",
        "0.0",
    ]
)
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ].*)?")
_LOCALE = re.compile(r"[a-z]{2,3}(?:[-_][a-z0-9]{2,8})*", re.IGNORECASE)
_LOCALE_WORDS = {
    "中文": "zh", "简体中文": "zh", "繁体中文": "zh", "汉语": "zh", "chinese": "zh", "cn": "zh",
    "英文": "en", "英语": "en", "english": "en",
}  # fmt: skip


class CellError(ValueError):
    """A cell does not hold what its column needs: what is wrong, what to do."""

    def __init__(self, what: str, do: str) -> None:
        super().__init__(f"{what} {do}")
        self.what = what
        self.do = do


def plain(value: Any) -> str:
    """A single value as text: line ends as newlines, no control characters, no spaces around it.

    Raises:
        CellError: It is an object, or a list of several values.
    """
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return _CONTROL.sub("", str(value).replace("\r\n", "\n").replace("\r", "\n")).strip()
        case [single]:
            return plain(single)
        case []:
            return ""
    raise CellError(
        f"{excerpt(json.dumps(value, ensure_ascii=False))} is not a single text.", "Write one text."
    )


def several(value: Any) -> tuple[str, ...]:
    """Several values: a list, a JSON list, or one cell with newlines or ## between them; no repetitions."""
    if isinstance(value, str):
        value = _json_list(value) or _SEPARATOR.split(plain(value))
    elif not isinstance(value, list):
        value = [value]
    return unique(" ".join(plain(item).split()) for item in value)


def unique(values: Iterable[str]) -> tuple[str, ...]:
    """Non-empty values in order, each once."""
    return tuple(dict.fromkeys(value for value in values if value))


def joined(values: Iterable[str]) -> str:
    """One cell from which `several` reads the same values again."""
    texts = list(values)
    if any(_SEPARATOR.search(text) or text.startswith("[") for text in texts):
        return json.dumps(texts, ensure_ascii=False)
    return "\n".join(texts)


def truth(value: Any, *, default: bool = True) -> bool:
    """Yes or no, in English or Chinese; `default` for an empty cell.

    Raises:
        CellError: Neither.
    """
    word = plain(value).casefold()
    if not word:
        return default
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise CellError(f"{excerpt(word)} is neither yes nor no.", "Write TRUE or FALSE (是 or 否).")


def day(value: Any) -> date | None:
    """A date as 2026-01-31, 2026/1/31 or 2026年1月31日, or None for an empty cell; a time of day is dropped.

    Raises:
        CellError: Not a date.
    """
    if isinstance(value, datetime):
        return value.date()
    text = plain(value)
    if not text:
        return None
    found = _DATE.fullmatch(text)
    try:
        if found:
            return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        pass
    raise CellError(f"{excerpt(text)} is not a date.", "Write it as 2026-01-31.")


def locale_tag(value: Any) -> str | None:
    """A language tag; all Chinese becomes "zh" and all English "en", as answers are chosen by these.

    Raises:
        CellError: Not a language.
    """
    text = plain(value)
    if not text:
        return None
    word = _LOCALE_WORDS.get(text.casefold())
    if word:
        return word
    if len(text) > 20 or not _LOCALE.fullmatch(text):
        raise CellError(f"{excerpt(text)} is not a language.", "Write zh or en.")
    primary = re.split("[-_]", text)[0].lower()
    return primary if primary in ("zh", "en") else text


def web_address(value: Any) -> str | None:
    """An http(s) address or a path of the site ("/help/returns"), or None for an empty cell.

    Raises:
        CellError: Something else; a script's address must never become a link.
    """
    text = plain(value)
    if not text:
        return None
    if re.match(r"(?:https?://[^\s/]|/[^/\s]|/$)", text, re.IGNORECASE) and not re.search(r"[\s\\]", text):
        return text
    raise CellError(f"{excerpt(text)} is not a web address.", "Write it with https:// in front.")


def safe_for_spreadsheets(text: str) -> str:
    """The text with an apostrophe before what a spreadsheet would run as a formula (=, +, -, @, tab, return)."""
    return f"'{text}" if _DANGEROUS.match(text) else text


def without_apostrophe(text: str) -> str:
    """Undo `safe_for_spreadsheets`."""
    return text[1:] if text.startswith("'") and _DANGEROUS.match(text) else text


def _json_list(text: str) -> list[str] | None:
    if not text.lstrip().startswith("["):
        return None
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return None
    return value if isinstance(value, list) and all(isinstance(item, str) for item in value) else None
