"""Write what `import` reads: FAQs as CSV, XLSX or JSONL, intents as YAML, documents as JSONL.

Importing an export changes nothing. Files are written beside their place and moved there when whole, so a
stopped export never leaves half a file under the name.
"""

from __future__ import annotations

import csv
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import yaml
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from knowledge.errors import KnowledgeError
from knowledge.items import Document, Faq
from knowledge.sources.cells import joined, safe_for_spreadsheets
from knowledge.sources.headers import COLUMNS
from knowledge.store import KnowledgeStore

MAX_XLSX_CELL = 32_767


def export_faq(store: KnowledgeStore, path: Path) -> int:
    """Write all FAQs as .csv (UTF-8 with a byte-order mark, for Excel), .tsv, .xlsx or .jsonl; returns how many.

    In tables, texts that a spreadsheet would run as formulas get an apostrophe, which import takes off.

    Raises:
        KnowledgeError: The ending is another one, the file cannot be written, or a text is too long for XLSX.
    """
    ending = path.suffix.lower()
    match ending:
        case ".csv" | ".tsv":
            with _replacing(path) as file:
                file.write("\ufeff")
                writer = csv.writer(file, delimiter="\t" if ending == ".tsv" else ",")
                writer.writerow(COLUMNS)
                return _count(writer.writerow(_cells(faq)) for faq in store.faqs())
        case ".xlsx":
            return _write_xlsx(path, store)
        case ".jsonl":
            with _replacing(path) as file:
                return _count(file.write(_json_line(_record(faq))) for faq in store.faqs())
    raise KnowledgeError(
        f"'{path}' ends with '{ending}', which FAQs are not exported as. Choose .csv, .tsv, .xlsx or .jsonl."
    )


def export_intents(store: KnowledgeStore, path: Path) -> int:
    """Write all intents as YAML; returns how many.

    Raises:
        KnowledgeError: The file cannot be written.
    """
    intents = [intent.model_dump(mode="json", exclude_defaults=True) for intent in store.intents()]
    with _replacing(path) as file:
        yaml.safe_dump({"intents": intents}, file, allow_unicode=True, sort_keys=False, width=110)
    return len(intents)


def export_documents(store: KnowledgeStore, path: Path) -> int:
    """Write all documents with their pieces as JSONL; returns how many.

    Raises:
        KnowledgeError: The file cannot be written.
    """
    with _replacing(path) as file:
        return _count(file.write(_json_line(_document_record(item))) for item in store.documents())


def _record(faq: Faq) -> dict[str, Any]:
    """All our columns, empty ones left out."""
    values = {
        "id": faq.id,
        "question": faq.question,
        "similar_questions": list(faq.similar_questions),
        "negative_questions": list(faq.negative_questions),
        "answer": faq.answer,
        "category": faq.category,
        "tags": list(faq.tags),
        "locale": faq.locale,
        "enabled": faq.enabled,
        "buttons": list(faq.buttons),
        "source_url": faq.source_url,
        "valid_from": faq.valid_from.isoformat() if faq.valid_from else None,
        "valid_to": faq.valid_to.isoformat() if faq.valid_to else None,
    }
    return {name: value for name, value in values.items() if value not in (None, [])}


def _cells(faq: Faq) -> list[str]:
    record = _record(faq)
    return [safe_for_spreadsheets(_cell(record.get(column))) for column in COLUMNS]


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return joined(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return value or ""


def _write_xlsx(path: Path, store: KnowledgeStore) -> int:
    for faq in store.faqs():
        for column, text in zip(COLUMNS, _cells(faq), strict=True):
            if len(text) > MAX_XLSX_CELL:
                raise KnowledgeError(
                    f"The {column} of '{faq.id}' has {len(text):,} characters; a cell of XLSX holds "
                    f"{MAX_XLSX_CELL:,}. Export as .csv or .jsonl."
                )
    book = Workbook(write_only=True)
    sheet = book.create_sheet("FAQ")
    sheet.freeze_panes = "A2"
    sheet.append(list(COLUMNS))
    count = _count(sheet.append(_xlsx_row(sheet, faq)) for faq in store.faqs())
    with _replacing(path, mode="wb") as file:
        book.save(file)
    return count


def _xlsx_row(sheet: WriteOnlyWorksheet, faq: Faq) -> list[Any]:
    row = []
    for text in _cells(faq):
        cell = WriteOnlyCell(sheet, value=text)
        cell.data_type = "s"  # never a formula, whatever it begins with
        row.append(cell)
    return row


def _document_record(document: Document) -> dict[str, Any]:
    return {
        "id": document.id,
        "title": document.title,
        "file_name": document.file_name,
        "sha256": document.sha256,
        "locale": document.locale,
        "url": document.url,
        "pieces": [{"heading": piece.heading, "text": piece.text} for piece in document.pieces],
    }


def _json_line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def _count(items: Iterable[object]) -> int:
    return sum(1 for _ in items)


@contextmanager
def _replacing(path: Path, *, mode: str = "w") -> Iterator[IO[Any]]:
    """A file that takes its place when it is whole and on disk."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _refused(path, error) from error
    temporary = Path(name)
    try:
        text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
        with os.fdopen(handle, mode, **text) as file:  # type: ignore[call-overload]
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _refused(path: Path, error: OSError) -> KnowledgeError:
    return KnowledgeError(
        f"'{path}' cannot be written: {error.strerror or error}. Choose another place, or free some space."
    )
