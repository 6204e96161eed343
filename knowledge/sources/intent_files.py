"""Intents from YAML files; every problem named with its line.

read_intents(Path("intents.yaml")) -> [Intent, …]
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from knowledge.errors import KnowledgeError
from knowledge.sources.encodings import unreadable
from knowledge.sources.intents import Intent, Slot, Template, Webhook
from knowledge.sources.places import Place, Problem, excerpt
from knowledge.sources.yaml_lines import LinedYaml, read_yaml

_MODELS: dict[str, type[BaseModel]] = {"slots": Slot, "templates": Template, "webhook": Webhook}


@dataclass(frozen=True, slots=True)
class IntentRow:
    """What one intent of a file says."""

    place: Place
    intent: Intent | None
    """None when it cannot be used; the problems say why."""
    problems: tuple[Problem, ...] = ()


def read_intents(path: Path) -> list[Intent]:
    """All intents of a YAML file.

    Raises:
        UnreadableFileError: The file cannot be read as YAML with a list `intents`.
        KnowledgeError: Some intents are wrong; all problems are named, one a line.
    """
    rows = list(scan_intents(path))
    problems = [str(problem) for row in rows for problem in row.problems]
    if problems:
        raise KnowledgeError("\n".join(problems))
    return [row.intent for row in rows if row.intent]


def scan_intents(path: Path) -> Iterator[IntentRow]:
    """The intents of a YAML file one by one, wrong ones with their problems.

    Raises:
        UnreadableFileError: The file cannot be read as YAML with a list `intents`.
    """
    file = read_yaml(path)
    items = file.value.get("intents") if isinstance(file.value, dict) else None
    if not isinstance(items, list):
        raise unreadable(
            path, "The file has no list 'intents'.", "Begin it with 'intents:' and '- name: …' below."
        )
    for name in file.value:
        if name != "intents":
            what = f"The key '{name}' is not known at the top of the file."
            place = file.place([name])
            yield IntentRow(place, None, (Problem(place, what, "Put all under 'intents:'."),))
    for problem in file.problems:
        yield IntentRow(problem.place, None, (problem,))
    seen: dict[str, Place] = {}
    for number, item in enumerate(items):
        row = _row(file, number, item)
        name = row.intent.name if row.intent else ""
        if name in seen:
            what = f"An intent '{name}' stands already in line {seen[name].line}."
            row = IntentRow(
                row.place, None, (Problem(row.place.at("name"), what, "Merge the two, or rename one."),)
            )
        elif name:
            seen[name] = row.place
        yield row


def _row(file: LinedYaml, number: int, item: Any) -> IntentRow:
    place = file.place(["intents", number]).at(None)
    try:
        return IntentRow(place, Intent.model_validate(item))
    except ValidationError as error:
        label = f"'{item.get('name')}': " if isinstance(item, dict) and item.get("name") else ""
        problems = (
            _problem(file, number, label, details)
            for details in error.errors(include_url=False, include_context=True)
        )
        return IntentRow(place, None, tuple(problems))


def _problem(file: LinedYaml, number: int, label: str, details: ErrorDetails) -> Problem:
    location = details["loc"]
    place = file.place(["intents", number, *location])
    if not location:  # about the intent as a whole
        place = place.at(None)
    name = str(location[-1]) if location else ""
    match details["type"]:
        case "extra_forbidden":
            known = list(_model_at(location).model_fields)
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean '{near[0]}'? " if near else ""
            return Problem(
                place, f"{label}The key '{name}' is not known.", f"{hint}Known are {', '.join(known)}."
            )
        case "missing":
            return Problem(place, f"{label}The key '{name}' is missing.", "Add it.")
        case "value_error":
            said = details["msg"].removeprefix("Value error, ")
            return Problem(place, f"{label}{said[:1].upper()}{said[1:]}.", "Mend it there.")
    what = f"{label}{excerpt(details['input'])} does not fit: {details['msg'].lower()}."
    return Problem(place, what, "Write it as the other intents have it, with texts in quotes where in doubt.")


def _model_at(location: tuple[int | str, ...]) -> type[BaseModel]:
    """The part of the schema that a problem lies in."""
    found: type[BaseModel] = Intent
    for step in location[:-1]:
        found = _MODELS.get(str(step), found)
    return found
