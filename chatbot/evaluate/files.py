"""Files with known results: CSV with a header, JSON lines, and CoNLL columns."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatbot.understand.tags import OUTSIDE
from knowledge.errors import KnowledgeError


@dataclass(frozen=True, slots=True)
class TaggedSentence:
    """The words of a sentence and their tags ("B-city", "I-city", "O")."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


def read_columns(path: Path, *columns: str, optional: Sequence[str] = ()) -> list[dict[str, str]]:
    """The named columns of every row of a CSV file, stripped; optional ones are "" where they are missing.

    Args:
        path: UTF-8 with a header; a byte-order mark is fine.
        columns: Must be there, and filled in each row, except where the name ends in "?": may be empty.
        optional: May be missing as a whole.

    Raises:
        KnowledgeError: No such file, not UTF-8, a missing column, a row that is too short, or an empty cell.
    """
    text = _read(path)
    names = [name.removesuffix("?") for name in columns]
    reader = csv.DictReader(io.StringIO(text, newline=""))
    header = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = header
    missing = [name for name in names if name not in header]
    if missing:
        raise KnowledgeError(
            f"{path} has no column '{missing[0]}' (it has: {', '.join(header) or 'nothing'}). "
            f"Give it a header line with: {', '.join(names)}."
        )
    rows = []
    for row in reader:
        cells = {name: (row.get(name) or "").strip() for name in (*names, *optional)}
        for name in columns:
            if not name.endswith("?") and not cells[name]:
                raise KnowledgeError(
                    f"{path}, line {reader.line_num}: the column '{name}' is empty. Fill it in, or remove the row."
                )
        rows.append(cells)
    if not rows:
        raise KnowledgeError(f"{path} has a header but no rows. Put at least one row below it.")
    return rows


def read_json_lines(path: Path, *keys: str) -> list[dict[str, Any]]:
    """The objects of a JSON-lines file; blank lines are skipped.

    Raises:
        KnowledgeError: No such file, not UTF-8, a line that is no JSON object, or that lacks one of the keys.
    """
    rows = []
    for line, raw in enumerate(_read(path).split("\n"), start=1):
        if not raw.strip():
            continue
        try:
            value = json.loads(raw)
        except ValueError as error:
            raise KnowledgeError(
                f"{path}, line {line}: this is not JSON ({error}). Write one object on each line."
            ) from error
        lacking = [key for key in keys if not isinstance(value, Mapping) or key not in value]
        if lacking:
            raise KnowledgeError(
                f"{path}, line {line}: the key '{lacking[0]}' is missing. Each line needs: {', '.join(keys)}."
            )
        rows.append(dict(value))
    if not rows:
        raise KnowledgeError(f"{path} has no lines. Put at least one JSON object into it.")
    return rows


def read_tagged(path: Path) -> list[TaggedSentence]:
    """The sentences of a file in CoNLL columns: first the word, last its tag; empty lines part sentences.

    Lines that begin with "-DOCSTART-" are skipped.

    Raises:
        KnowledgeError: No such file, not UTF-8, a line without a tag, or a tag that is not O, B-x or I-x.
    """
    sentences: list[TaggedSentence] = []
    words: list[str] = []
    tags: list[str] = []
    for word, tag in (*_tagged_lines(path), ("", "")):
        if tag:
            words.append(word)
            tags.append(tag)
        elif words:
            sentences.append(TaggedSentence(tuple(words), tuple(tags)))
            words, tags = [], []
    if not sentences:
        raise KnowledgeError(f"{path} has no tagged words. Write one word and its tag on each line.")
    return sentences


def _tagged_lines(path: Path) -> Iterator[tuple[str, str]]:
    """(word, tag); ("", "") between sentences."""
    for line, raw in enumerate(_read(path).split("\n"), start=1):
        cells = raw.split()
        if not cells:
            yield "", ""
        elif cells[0] != "-DOCSTART-":
            # A word of characters that count as space ("\u3000") leaves its tag alone.
            word, tag = (cells[0], cells[-1]) if len(cells) > 1 else ("\u3000", cells[0])
            if tag != OUTSIDE and not (tag[:2] in ("B-", "I-") and tag[2:]):
                raise KnowledgeError(
                    f"{path}, line {line}: '{raw.strip()[:40]}' does not end in a tag. "
                    "Write the word, a space, and O, B-kind or I-kind."
                )
            yield word, tag


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError as error:
        raise KnowledgeError(
            f"There is no file {path}. Name a file that exists; relative names start at {Path.cwd()}."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise KnowledgeError(f"{path} cannot be read ({error}). Save it as UTF-8 and try again.") from error
