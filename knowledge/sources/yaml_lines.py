"""YAML as plain values that remember their lines, so that a wrong one can be pointed at.

Every scalar is text, as all that people edit here is: no "no" that becomes false, no date that becomes a
date. Repeated keys are errors, as the parser would silently keep the last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from knowledge.sources.encodings import read_text, unreadable
from knowledge.sources.places import Place, Problem

MAX_VALUES = 500_000
MAX_DEPTH = 40
# libyaml reads "{en: Which one?}" as YAML 1.2 does; the parser in pure Python trips over the question mark.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class LinedYaml:
    """A file's values, and its nodes to find lines in."""

    path: Path
    value: Any
    problems: tuple[Problem, ...]
    """Keys that stand twice."""
    root: yaml.Node | None

    def place(self, location: Sequence[int | str]) -> Place:
        """Where the value at a path of keys and numbers stands; the nearest one around it when it is missing."""
        node, column = self.root, ""
        for step in location:
            column = step if isinstance(step, str) else column
            found = _child(node, step)
            if found is None:
                break
            node = found
        line = node.start_mark.line + 1 if node else None
        return Place(str(self.path), line, column or None)


def read_yaml(path: Path) -> LinedYaml:
    """Read one document.

    Raises:
        UnreadableFileError: Not YAML, or nested or aliased beyond all use.
    """
    try:
        root = yaml.compose(read_text(path), Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, character {mark.column + 1}: " if mark else ""
        problem = error.problem or error.context or "unexpected text"
        do = "Mend it there: check the indentation (spaces, no tabs) and put texts with ': ', '#' or '{' in quotes."
        raise unreadable(path, f"The file is not YAML: {where}{problem}.", do) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise unreadable(
            path, f"The file is not YAML: {error}.", "Save it as plain text in UTF-8."
        ) from error
    builder = _Builder(path)
    value = builder.value(root, depth=0) if root else None
    return LinedYaml(path, value, tuple(builder.problems), root)


class _Builder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self._values = 0

    def value(self, node: yaml.Node, *, depth: int) -> Any:
        self._values += 1
        if self._values > MAX_VALUES or depth > MAX_DEPTH:
            raise unreadable(
                self.path,
                "The YAML is nested too deeply, or unfolds to too many values.",
                "Write it without aliases.",
            )
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, depth=depth + 1) for item in node.value]
        plain = isinstance(node, yaml.ScalarNode) and not node.style
        return None if plain and node.value in _NULLS else node.value

    def _mapping(self, node: yaml.MappingNode, depth: int) -> Mapping[str, Any]:
        values: dict[str, Any] = {}
        for key, item in node.value:
            name = str(key.value)
            if name in values:
                place = Place(str(self.path), key.start_mark.line + 1, name)
                self.problems.append(Problem(place, f"The key '{name}' stands twice.", "Keep one of them."))
            values[name] = self.value(item, depth=depth + 1)
        return values


def _child(node: yaml.Node | None, step: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step]  # type: ignore[no-any-return]
    if isinstance(node, yaml.MappingNode):
        for key, item in node.value:
            if key.value == step:
                return item  # type: ignore[no-any-return]
    return None
