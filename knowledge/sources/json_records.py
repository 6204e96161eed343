"""Objects of JSON and JSONL files, each with the line where it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from knowledge.sources.encodings import read_text, unreadable
from knowledge.sources.places import Place, Problem, excerpt


@dataclass(frozen=True, slots=True)
class JsonRecord:
    """One object; values as JSON has them."""

    place: Place
    values: Mapping[str, Any]


Records: TypeAlias = Iterator[JsonRecord | Problem]

LIST_KEYS = (
    "FaqDocuments",
    "qnaDocuments",
    "qnaList",
    "faqs",
    "entries",
    "items",
    "data",
    "value",
    "documents",
)
"""Keys under which vendors keep their list: Kendra, QnA Maker, Azure, WeKnora and others."""


def read_jsonl(path: Path) -> Records:
    """One object a line; a line that is none is a `Problem`, the next ones go on."""
    text = read_text(path)
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = Place(str(path), number)
        try:
            value = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            column = f", at character {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
            what = f"The line is not JSON{column}: {excerpt(line)}."
            yield Problem(place, what, 'Write one whole object a line, as {"question": …, "answer": …}.')
            continue
        yield _record(place, value)


def read_json(path: Path) -> Records:
    """A list of objects, bare or under one of `LIST_KEYS`; lines are those where an object begins."""
    text = read_text(path)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise unreadable(
            path,
            f"The file is not JSON: {error.msg} on line {error.lineno}, character {error.colno}.",
            "Mend it there; for one object a line name it .jsonl.",
        ) from error
    except RecursionError as error:
        raise unreadable(path, "The JSON is nested too deeply.", "Write a flat list of objects.") from error
    found = _list_of(value)
    if found is None:
        raise unreadable(
            path,
            "The JSON holds no list of objects.",
            f'Write [{{"question": …, "answer": …}}], or a list under one of: {", ".join(LIST_KEYS)}.',
        )
    items, depth = found
    lines = _lines_of_objects(text, depth)
    known = len(lines) == len(items)
    for number, item in enumerate(items):
        yield _record(Place(str(path), lines[number] if known else None), item)


def _record(place: Place, value: object) -> JsonRecord | Problem:
    if isinstance(value, dict):
        return JsonRecord(place, value)
    kind = "a list" if isinstance(value, list) else "a single value"
    return Problem(place, f"This is {kind}, not an object: {excerpt(value)}.", "Write {…} with named fields.")


def _list_of(value: object, depth: int = 1) -> tuple[list[Any], int] | None:
    """The list and how deep it lies: 1 when it is the whole file."""
    if isinstance(value, list):
        return value, depth
    if isinstance(value, dict):
        for key in LIST_KEYS:
            found = _list_of(value.get(key), depth + 1)
            if found is not None:
                return found
    return None


_OUTSIDE = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]\n]', re.DOTALL)


def _lines_of_objects(text: str, depth: int) -> list[int]:
    """Lines on which the objects inside the list at `depth` begin."""
    level, line, starts = 0, 1, []
    for sign in _OUTSIDE.findall(text):
        if sign == "\n":
            line += 1
        elif sign in ("{", "["):
            level += 1
            if sign == "{" and level == depth + 1:
                starts.append(line)
        elif sign in ("}", "]"):
            level -= 1
    return starts
