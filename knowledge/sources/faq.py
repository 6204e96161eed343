"""FAQ files: CSV, TSV, XLSX, JSONL and JSON, ours and those that other products export.

    read_faqs(Path("faq.csv")).rows -> [FaqRow(place, faq, problems …), …]

A bad row is returned with its problems and the others are read; only a file that cannot be read at all is
an error. See headers.py for the columns and vendors.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from knowledge.sources.cells import without_apostrophe
from knowledge.sources.encodings import UnreadableFileError, unreadable
from knowledge.sources.faq_records import FaqRow, faq_of, merge_wordings
from knowledge.sources.headers import COLUMNS, Vendor, bare_header, column_of, vendor_of
from knowledge.sources.json_records import JsonRecord, read_json, read_jsonl
from knowledge.sources.places import Place, Problem
from knowledge.sources.tables import Rows, TableRow, read_delimited, read_xlsx

CONTAINERS = ("csv", "tsv", "xlsx", "jsonl", "json")
VENDORS = ("azure", "chatwoot", "dify", "kendra", "maxkb", "qanything", "weknora")
FORMATS = (*CONTAINERS, *VENDORS)
"""What `format` may name; needed only where name and header do not tell."""

OWN_RULES: dict[str, Vendor] = {"azure": "azure", "maxkb": "maxkb", "weknora": "weknora"}

Record: TypeAlias = tuple[Place, dict[str, Any]] | Problem


@dataclass(frozen=True, slots=True)
class FaqFile:
    """What a file holds."""

    path: Path
    rows: tuple[FaqRow, ...]
    unknown_columns: tuple[str, ...] = ()
    """Headers that mean nothing here; their cells are left out."""
    remarks: tuple[str, ...] = ()
    """How the file was understood, where that is not obvious."""


def read_faqs(
    path: Path,
    *,
    format: str | None = None,  # noqa: A002 - the command line's word
    locale: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FaqFile:
    """Read an FAQ file.

    Args:
        path: A file whose name ends with one of `CONTAINERS`, or any when `format` names one.
        format: One of `FORMATS`; None finds out.
        locale: The language of rows that do not say; None guesses each.
        progress: Called now and then with how many rows are read and how many there are.

    Raises:
        UnreadableFileError: The file cannot be opened or decoded, or has no question and answer columns.
    """
    container = _container(path, format)
    forced = format if format in VENDORS else None
    if container in ("csv", "tsv", "xlsx"):
        records, remarks = _table_records(path, container, headerless=forced in ("dify", "kendra"))
    else:
        read = read_json if container == "json" else read_jsonl
        records = [
            (item.place, dict(item.values)) if isinstance(item, JsonRecord) else item for item in read(path)
        ]
        remarks = []
    headers = dict.fromkeys(header for record in records if isinstance(record, tuple) for header in record[1])
    vendor = OWN_RULES.get(forced or "") or vendor_of(headers)
    if container in ("json", "jsonl"):
        _need_columns(path, list(headers), vendor)
    rows = []
    for number, record in enumerate(records, start=1):
        if isinstance(record, Problem):
            rows.append(FaqRow(record.place, None, problems=(record,)))
        else:
            rows.append(faq_of(record[0], record[1], vendor=vendor, locale=locale))
        if progress and (number % 1_000 == 0 or number == len(records)):
            progress(number, len(records))
    unknown = tuple(header for header in headers if column_of(header) is None)
    return FaqFile(path, tuple(merge_wordings(rows) if vendor == "azure" else rows), unknown, tuple(remarks))


def _container(path: Path, name: str | None) -> str:
    if name is not None and name not in FORMATS:
        near = difflib.get_close_matches(name, FORMATS, n=1)
        hint = f"Did you mean '{near[0]}'? " if near else ""
        raise unreadable(path, f"The format '{name}' is not known.", f"{hint}Known are {', '.join(FORMATS)}.")
    if name in CONTAINERS:
        return name
    ending = path.suffix.lower().removeprefix(".")
    if ending in CONTAINERS:
        return ending
    if ending in ("xls", "xlsm", "numbers", "ods"):
        raise unreadable(path, f"Files of kind .{ending} are not read.", "Save it as .xlsx or as CSV.")
    raise unreadable(
        path,
        f"The name ends with '.{ending}', which does not tell the format.",
        f"Rename it, or name the format: {', '.join(CONTAINERS)}.",
    )


def _table_records(path: Path, container: str, *, headerless: bool) -> tuple[list[Record], list[str]]:
    if container != "xlsx":
        rows = read_delimited(path, delimiter="\t" if container == "tsv" else None)
        return _sheet_records(path, rows, headerless=headerless)
    records: list[Record] = []
    remarks: list[str] = []
    refused: list[NoColumnsError] = []
    for title, sheet in read_xlsx(path):
        try:
            found, said = _sheet_records(path, sheet, headerless=headerless)
        except NoColumnsError as error:
            refused.append(error)
            remarks.append(f"Sheet '{title}' has no columns for question and answer and is left out.")
            continue
        records += found
        remarks += said
    if refused and not records:
        raise refused[0]
    return records, remarks


class NoColumnsError(UnreadableFileError):
    """A table without columns for question and answer."""


def _sheet_records(path: Path, rows: Rows, *, headerless: bool) -> tuple[list[Record], list[str]]:
    records: list[Record] = []
    for first in rows:
        if isinstance(first, TableRow) and not first.blank:
            break
        if isinstance(first, Problem):
            records.append(first)
    else:
        return records, []
    names = _distinct(first.cells)
    remarks = []
    if not any(map(column_of, names)) and (headerless or _is_content(first.cells)):
        names = ["question", "answer", "source_url"][: max(2, len(names))]
        remarks.append("No header was found: the columns are taken as question, answer and source_url.")
        records += _records([first], names)
    else:
        _need_columns(path, names, vendor_of(names))
    return [*records, *_records(rows, names)], remarks


def _records(rows: Iterable[TableRow | Problem], names: Sequence[str]) -> Iterator[Record]:
    for row in rows:
        if isinstance(row, Problem):
            yield row
        elif any(cell.strip() for cell in row.cells[len(names) :]):
            what = f"The row has {len(row.cells)} cells, but the header names {len(names)} columns."
            yield Problem(
                row.place, what, "Put texts that hold the separator in quotes, or name the columns."
            )
        elif not row.blank:
            yield row.place, dict(zip(names, map(without_apostrophe, row.cells), strict=False))


def _distinct(cells: Sequence[str]) -> list[str]:
    """Headers as written; a missing one gets its number, a second one for the same column is told apart."""
    names: list[str] = []
    taken = set()
    for number, cell in enumerate(cells, start=1):
        name = " ".join(without_apostrophe(cell).split()) or f"column {number}"
        column = column_of(name)
        if name in names or (column in COLUMNS and column in taken):
            name = f"second {name}"
        names.append(name)
        taken.add(column)
    return names


def _is_content(cells: Sequence[str]) -> bool:
    """Whether a first row is a question with its answer (Dify, Kendra) and not a header with strange names."""
    texts = [cell.strip() for cell in cells if cell.strip()]
    return 2 <= len(texts) <= 3 and any(
        len(text) > 4 and not re.fullmatch(r"[\w-]{1,20}", text, re.ASCII) for text in texts
    )


def _need_columns(path: Path, headers: Sequence[str], vendor: Vendor) -> None:
    if not headers and path.suffix.lower() in (".json", ".jsonl"):
        return
    columns = {column_of(header) for header in headers}
    needed = {"section_content"} if vendor == "maxkb" else {"question", "answer"}
    for column in sorted(needed - columns, reverse=True):
        bare = {bare_header(header): header for header in headers}
        near = difflib.get_close_matches(column, bare, n=1, cutoff=0.7)
        hint = f"Rename '{bare[near[0]]}' to '{column}'." if near else f"Name a column '{column}'."
        found = ", ".join(headers[:20]) or "none"
        problem = Problem(Place(str(path)), f"No column holds the {column}; the columns are: {found}.", hint)
        raise NoColumnsError(problem)
