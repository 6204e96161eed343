"""Rows of CSV, TSV and XLSX files, each with the line number that a spreadsheet shows."""

from __future__ import annotations

import csv
import io
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.worksheet import Worksheet

from knowledge.sources.archives import check_archive
from knowledge.sources.encodings import read_bytes, read_text, unreadable
from knowledge.sources.places import Place, Problem

if TYPE_CHECKING:
    import _csv

MAX_CELL_CHARACTERS = 1_000_000
DELIMITERS = (",", "\t", ";")
_EXCEL_ERRORS = frozenset({"#REF!", "#N/A", "#NAME?", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!"})


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row as it stands in the file."""

    place: Place
    cells: tuple[str, ...]

    @property
    def blank(self) -> bool:
        """Whether nothing is written in it."""
        return not any(cell.strip() for cell in self.cells)


Rows: TypeAlias = Iterator[TableRow | Problem]


def read_delimited(path: Path, *, delimiter: str | None = None) -> Rows:
    """Rows of a CSV or TSV file; a row that cannot be parsed is a `Problem`, the next ones go on.

    Args:
        path: The file.
        delimiter: None: comma, tab or semicolon, whichever the first line has most of outside quotes.
    """
    text = read_text(path)
    # Physical lines, as `csv` wants them: only real line ends, not the separators that splitlines() knows.
    lines = io.StringIO(text, newline=None).readlines()
    return _parse(str(path), lines, delimiter or _delimiter(lines[0] if lines else ""))


def read_xlsx(path: Path) -> list[tuple[str, Rows]]:
    """The visible sheets of a workbook with their rows; values as shown, dates as ISO 8601."""
    check_archive(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns about every Excel feature it does not draw
            book = load_workbook(io.BytesIO(read_bytes(path)), read_only=True, data_only=True)
    except (
        InvalidFileException,
        KeyError,
        ValueError,
        TypeError,
        OSError,
        ParseError,
        zipfile.BadZipFile,
    ) as error:
        raise unreadable(path, f"The workbook is damaged: {error}.", "Open it and save it anew.") from error
    sheets = [cast("Worksheet", sheet) for sheet in book.worksheets if sheet.sheet_state == "visible"]
    return [(sheet.title, _sheet_rows(str(path), sheet, named=len(sheets) > 1)) for sheet in sheets]


def _parse(file: str, lines: Sequence[str], delimiter: str) -> Rows:
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    row, start = 1, 0
    reader = _reader(lines, start, delimiter)
    while True:
        begun = start + reader.line_num
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            place = Place(file, row)
            yield _csv_problem(place, str(error), begun + 1)
            # Take the line where the bad row begins as the whole of it: an open quote must not eat the rest.
            start = begun + 1
            reader = _reader(lines, start, delimiter)
        else:
            yield TableRow(Place(file, row), tuple(cells))
        row += 1


def _reader(lines: Sequence[str], start: int, delimiter: str) -> _csv.Reader:
    return csv.reader(islice(lines, start, None), delimiter=delimiter, strict=True)


def _csv_problem(place: Place, error: str, physical_line: int) -> Problem:
    if "end of data" in error or "field larger" in error:
        what = f'A quote (") that opens on line {physical_line} of the text is never closed.'
        return Problem(place, what, 'Close it, or write it twice ("") if it belongs to the text.')
    what = f'On line {physical_line} of the text a quote (") stands inside a quoted cell.'
    return Problem(place, what, 'Write it twice (""), or save the file again from a spreadsheet.')


def _delimiter(line: str) -> str:
    outside = "".join(line.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def _sheet_rows(file: str, sheet: Worksheet, *, named: bool) -> Rows:
    sheet.reset_dimensions()  # type: ignore[attr-defined]  # the stubs miss it; some tools write them wrong
    name = sheet.title if named else None
    for line, values in enumerate(sheet.iter_rows(values_only=True), start=1):
        yield TableRow(Place(file, line, sheet=name), tuple(map(_shown, values)))


def _shown(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "TRUE" if value else "FALSE"
        case float() if value.is_integer():
            return str(int(value))
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case datetime() | date() | time():
            return value.isoformat()
        case str() if value in _EXCEL_ERRORS:
            return ""
    return str(value)
