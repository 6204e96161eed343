"""PDF -> blocks: bookmarks as headings, else pages; running headers and footers dropped."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pypdf import PdfReader
from pypdf.errors import DependencyError, PyPdfError
from pypdf.generic import Destination

from knowledge.sources.documents.blocks import Block, Content, join_lines
from knowledge.sources.encodings import read_bytes, unreadable

MAX_PAGES = 3_000
_ENDS_PARAGRAPH = re.compile(r"[。！？：；.!?:;…”」』)）]\s*$")
_LIST_ITEM = re.compile(r"\s*(?:[-•·●▪◦*]|\d{1,2}[.)、]|[（(]\d{1,2}[）)]|[一二三四五六七八九十]{1,3}、)\s*")


def read_pdf(path: Path) -> Content:
    """Text page by page; a heading for every bookmark, or "p. 3" for a page under none.

    Raises:
        UnreadableFileError: Encrypted, damaged, too long, or scanned (pictures without text).
    """
    try:
        reader = PdfReader(io.BytesIO(read_bytes(path)))
        if reader.is_encrypted and not reader.decrypt(""):
            raise _encrypted(path)
        if len(reader.pages) > MAX_PAGES:
            what = f"The PDF has {len(reader.pages):,} pages; at most {MAX_PAGES:,} are read."
            raise unreadable(path, what, "Split it.")
        pages = [page.extract_text() for page in reader.pages]
        marks = dict(_bookmarks(reader))
        title = str(reader.metadata.title or "").strip() if reader.metadata else ""
    except DependencyError as error:
        raise _encrypted(path) from error
    except (PyPdfError, KeyError, ValueError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise unreadable(
            path, f"The PDF is damaged: {error}.", "Open it and print it to a new PDF."
        ) from error
    if not any(page.strip() for page in pages):
        raise unreadable(
            path,
            "The PDF holds no text, only pictures (a scan).",
            "Run text recognition on it (e.g. ocrmypdf), then import the result.",
        )
    return Content("" if re.search(r"\.(?:docx?|indd|tmp)$", title) else title, tuple(_blocks(pages, marks)))


def _encrypted(path: Path) -> Exception:
    return unreadable(path, "The PDF is protected by a password.", "Save it without one, then import it.")


def _bookmarks(reader: PdfReader) -> Iterator[tuple[int, list[Block]]]:
    """Page number (from 0) -> headings of the bookmarks that point to it, in order."""
    found: dict[int, list[Block]] = {}

    def collect(entries: Sequence[Destination | list[object]], level: int) -> None:
        for entry in entries:
            if isinstance(entry, list):
                collect(entry, min(level + 1, 6))  # type: ignore[arg-type]
            else:
                page = reader.get_destination_page_number(entry)
                if page is not None and entry.title:
                    found.setdefault(page, []).append(Block(" ".join(str(entry.title).split()), level))

    collect(reader.outline, 1)  # type: ignore[arg-type]
    yield from found.items()


def _blocks(pages: Sequence[str], marks: dict[int, list[Block]]) -> Iterator[Block]:
    running = _running_lines(pages)
    under_bookmark = False
    for number, page in enumerate(pages):
        for heading in marks.get(number, ()):
            under_bookmark = True
            yield heading
        if not under_bookmark and len(pages) > 1:
            yield Block(f"p. {number + 1}", 1)
        lines = [line.rstrip() for line in page.splitlines()]
        yield from map(Block, _paragraphs([line for line in lines if _shape(line) not in running]))


def _running_lines(pages: Sequence[str]) -> frozenset[str]:
    """First and last lines that stand on most pages, but for the page number."""
    if len(pages) < 4:
        return frozenset()
    counted: Counter[str] = Counter()
    for page in pages:
        lines = [line for line in page.splitlines() if line.strip()]
        counted.update({_shape(line) for line in (*lines[:2], *lines[-2:])})
    return frozenset(shape for shape, count in counted.items() if count > len(pages) / 2)


def _shape(line: str) -> str:
    return re.sub(r"\d+", "0", line.strip())


def _paragraphs(lines: Sequence[str]) -> Iterator[str]:
    """Lines joined again into the paragraphs that the page broke."""
    width = max((len(line) for line in lines), default=0)
    current = ""
    for line in lines:
        if not line.strip() or (current and _LIST_ITEM.match(line)):
            yield current
            current = line.strip()
        elif current.endswith("-") and current[-2:-1].isalpha() and line[:1].islower():
            current = current[:-1] + line.strip()
        else:
            current = join_lines(f"{current}\n{line.strip()}") if current else line.strip()
        if current and _ENDS_PARAGRAPH.search(line) and len(line) < 0.8 * width:
            yield current
            current = ""
    yield current
