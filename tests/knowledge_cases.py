"""Stores, files and small PDFs for the tests of knowledge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from openpyxl import Workbook

from knowledge.database import open_engine
from knowledge.items import Faq
from knowledge.store import KnowledgeStore
from knowledge.tables import metadata


def new_store(folder: Path, name: str = "kefu.db") -> KnowledgeStore:
    engine = open_engine(f"sqlite:///{folder / name}")
    metadata.create_all(engine)
    return KnowledgeStore(engine)


def a_faq(faq_id: str = "f1", **changes: object) -> Faq:
    values: dict[str, object] = {
        "id": faq_id,
        "question": f"Question {faq_id}?",
        "answer": f"Answer {faq_id}.",
        "locale": "en",
    }
    return Faq(**(values | changes))  # type: ignore[arg-type]


def text_file(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def xlsx_file(folder: Path, name: str, sheets: dict[str, Sequence[Sequence[object]]]) -> Path:
    book = Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    book.save(folder / name)
    return folder / name


def a_pdf(pages: Iterable[Sequence[str]]) -> bytes:
    """A PDF in Helvetica with these lines on its pages."""
    texts = list(pages)
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    kids = []
    for lines in texts:
        drawn = "\n".join(f"({line}) Tj T*" for line in lines)
        content = f"BT /F1 12 Tf 72 720 Td 14 TL\n{drawn}\nET" if lines else ""
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
        kids.append(f"{len(objects) + 1} 0 R")
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {len(objects)} 0 R >>"
        )
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    body, offsets = b"%PDF-1.4\n", []
    for number, item in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{item}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    tail = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer << /Size {len(objects) + 1} /Root 1 0 R >>"
    return body + f"{tail}\nstartxref\n{len(body)}\n%%EOF".encode()
