"""DOCX -> blocks: heading styles, lists, tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docx
from docx.opc.exceptions import OpcError

from knowledge.sources.archives import check_archive
from knowledge.sources.documents.blocks import Block, Content, table_lines
from knowledge.sources.encodings import unreadable

_HEADING = re.compile(r"(?:heading|标题|標題)\s*([1-9])", re.IGNORECASE)


def read_docx(path: Path) -> Content:
    """The title is that of the style Title, else of the properties, else the only heading of level 1.

    Raises:
        UnreadableFileError: Damaged, protected, or a bomb.
    """
    check_archive(path)
    try:
        document = docx.Document(str(path))
        blocks = tuple(_blocks(document))
        stated = str(document.core_properties.title or "").strip()
    except (OpcError, SyntaxError, KeyError, ValueError, AttributeError) as error:
        raise unreadable(path, f"The document is damaged: {error}.", "Open it and save it anew.") from error
    titled = [block.text for block in blocks if block.level == 1]
    shown = next((text for text, style in _styled(document) if style == "title" and text), "")
    return Content(shown or stated or (titled[0] if len(titled) == 1 else ""), blocks)


def _blocks(document: Any) -> Iterator[Block]:
    items: list[str] = []
    for element in document.iter_inner_content():
        if hasattr(element, "rows"):
            yield from _list_block(items)
            yield Block(table_lines([_cells(row) for row in element.rows]))
            continue
        text = element.text.strip()
        if not text:
            continue
        style = str(element.style.name if element.style else "").casefold()
        level = _HEADING.match(style)
        if not level and _in_list(element, style):
            items.append(f"- {text}")
            continue
        yield from _list_block(items)
        if style != "title":
            yield Block(text, min(6, int(level[1])) if level else 0)
    yield from _list_block(items)


def _list_block(items: list[str]) -> Iterator[Block]:
    if items:
        yield Block("\n".join(items))
        items.clear()


def _in_list(paragraph: Any, style: str) -> bool:
    properties = paragraph._p.pPr
    numbered = properties is not None and properties.numPr is not None
    return numbered or style.startswith(("list", "列表"))


def _cells(row: Any) -> list[str]:
    """Texts of a row; a cell merged over several columns is there once."""
    texts: list[str] = []
    last = None
    for cell in row.cells:
        if cell._tc is not last:
            texts.append(cell.text)
        last = cell._tc
    return texts


def _styled(document: Any) -> Iterator[tuple[str, str]]:
    for paragraph in document.paragraphs[:20]:
        yield paragraph.text.strip(), str(paragraph.style.name if paragraph.style else "").casefold()
