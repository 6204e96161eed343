"""Files and folders -> Document values."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knowledge.clean import language_of
from knowledge.items import Document, Piece
from knowledge.sources.cells import CellError, locale_tag, plain, web_address
from knowledge.sources.documents.blocks import Block, Content, pieces_of
from knowledge.sources.documents.docx import read_docx
from knowledge.sources.documents.html import declared_charset, read_html
from knowledge.sources.documents.markdown import read_markdown
from knowledge.sources.documents.pdf import read_pdf
from knowledge.sources.encodings import UnreadableFileError, decode, read_bytes, read_text, unreadable
from knowledge.sources.json_records import JsonRecord, read_json, read_jsonl
from knowledge.sources.places import Place, Problem

SPLITTER = 1
"""Raised when the same bytes would be split differently, so that a re-import replaces the pieces."""


def _read_page(path: Path) -> Content:
    data = read_bytes(path)
    return read_html(decode(data, name=str(path), declared=declared_charset(data)))


def _read_plain(path: Path) -> Content:
    parts = re.split(r"\n\s*\n", read_text(path).replace("\r\n", "\n"))
    return Content("", tuple(Block(part.strip()) for part in parts if part.strip()))


def _read_markdown(path: Path) -> Content:
    return read_markdown(read_text(path))


READERS: Mapping[str, Callable[[Path], Content]] = {
    ".md": _read_markdown,
    ".markdown": _read_markdown,
    ".txt": _read_plain,
    ".html": _read_page,
    ".htm": _read_page,
    ".docx": read_docx,
    ".pdf": read_pdf,
}
RECORD_ENDINGS = (".jsonl", ".json")
ENDINGS = (*READERS, *RECORD_ENDINGS)

_FIELDS = {
    "id": "id doc_id document_id 编号",
    "title": "title name heading 标题",
    "content": "content text body markdown page_content 内容 正文",
    "url": "url source_url link 链接",
    "locale": "locale language lang 语言",
}
_FIELD_OF = {alias: field for field, aliases in _FIELDS.items() for alias in aliases.split()}


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document read, or why it could not be."""

    place: Place
    document: Document | None
    problem: Problem | None = None


def read_documents(path: Path, *, characters: int, locale: str | None = None) -> Iterator[DocumentRow]:
    """The document of a file, or all those of a JSON or JSONL file.

    A file's id follows from its name and that of its folder: "help/returns.md" is "help-returns.md".

    Args:
        path: The file.
        characters: The longest piece.
        locale: The language; None guesses each.
    """
    ending = path.suffix.lower()
    name = "/".join(path.absolute().parts[-2:]).lstrip("/")
    try:
        if ending in RECORD_ENDINGS:
            for record in read_jsonl(path) if ending == ".jsonl" else read_json(path):
                yield _of_record(record, name, characters=characters, locale=locale)
            return
        yield DocumentRow(Place(str(path)), _of_file(path, name, characters=characters, locale=locale))
    except UnreadableFileError as error:
        yield DocumentRow(error.problem.place, None, error.problem)


def slug(name: str) -> str:
    """An id from a name: letters, digits, dots, dashes and underscores of any language, at most 180."""
    plain_name = re.sub(r"[^\w.()+-]+", "-", unicodedata.normalize("NFKC", name)).strip("-.")
    if len(plain_name) <= 180:
        return plain_name
    return f"{plain_name[:160]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _of_file(path: Path, name: str, *, characters: int, locale: str | None) -> Document:
    ending = path.suffix.lower()
    if ending not in READERS:
        raise unreadable(
            path, f"Files of kind '{ending}' are not read as documents.", f"Known are {', '.join(ENDINGS)}."
        )
    data = read_bytes(path)
    try:
        content = READERS[ending](path)
    except RecursionError as error:
        raise unreadable(path, "The document is nested too deeply.", "Save it anew, or as text.") from error
    title = content.title or path.stem
    document = Document(
        id=slug(name),
        title=title,
        file_name=name,
        sha256=_digest(data, characters, locale),
        locale=locale or _language(title, content.blocks),
        pieces=pieces_of(title, content.blocks, characters=characters),
    )
    if not document.pieces:
        raise unreadable(path, "The document holds no text.", "Write something, or leave it out.")
    return document


def _of_record(
    record: JsonRecord | Problem, name: str, *, characters: int, locale: str | None
) -> DocumentRow:
    if isinstance(record, Problem):
        return DocumentRow(record.place, None, record)
    place, values = record.place, record.values
    try:
        if isinstance(values.get("pieces"), list):
            return DocumentRow(place, _exported(values))
        fields = {_FIELD_OF.get(key.casefold(), key): value for key, value in reversed(list(values.items()))}
        title, content = plain(fields.get("title")), plain(fields.get("content"))
        if not content:
            what = "The record has no content."
            return DocumentRow(place, None, Problem(place.at("content"), what, "Write its text there."))
        read = read_markdown(content)
        title = title or read.title or plain(fields.get("id")) or f"{Path(name).stem} {place.line}"
        language = locale_tag(fields.get("locale")) or locale
        document = Document(
            id=slug(plain(fields.get("id")) or f"{name}-{title}"),
            title=title,
            file_name=name,
            sha256=_digest(json.dumps([title, content], ensure_ascii=False).encode(), characters, language),
            locale=language or _language(title, read.blocks),
            pieces=pieces_of(title, read.blocks, characters=characters),
            url=web_address(fields.get("url")),
        )
    except CellError as error:
        return DocumentRow(place, None, Problem(place, error.what, error.do))
    if not document.pieces:
        return DocumentRow(place, None, Problem(place.at("content"), "It holds no words.", "Leave it out."))
    return DocumentRow(place, document)


def _exported(values: Mapping[str, Any]) -> Document:
    """A record of our own export, which brings its pieces as they are stored."""
    try:
        return Document(
            id=plain(values["id"]),
            title=plain(values["title"]),
            file_name=plain(values["file_name"]),
            sha256=plain(values["sha256"]),
            locale=plain(values["locale"]),
            pieces=tuple(Piece(str(piece["heading"]), str(piece["text"])) for piece in values["pieces"]),
            url=web_address(values.get("url")),
        )
    except (KeyError, TypeError) as error:
        raise CellError(f"An exported document lacks {error}.", "Export it again.") from error


def _digest(data: bytes, characters: int, locale: str | None) -> str:
    how = f"{SPLITTER}\n{characters}\n{locale}\n".encode()
    return hashlib.sha256(how + data).hexdigest()


def _language(title: str, blocks: Iterable[Block]) -> str:
    text = title
    for block in blocks:
        text += "\n" + block.text
        if len(text) > 5_000:
            break
    return language_of(text, default="en")
