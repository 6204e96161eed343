"""A document as headings and texts, and how it becomes pieces of a size that a customer can read.

A piece never crosses a heading. Paragraphs are kept whole and packed together while they fit; what is too
long is cut between lines (of lists and tables), else between sentences, else between clauses, and only a
clause longer than a whole piece is cut in itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from knowledge.items import Piece

HEADING_MARK = " > "
_HAN = r"\u3000-\u303f\u3400-\u9fff\uff00-\uffef"
_SENTENCE = re.compile(r".+?(?:[。！？；…]+[”’」』）)]*|[.!?;]+[\"')\]]*(?=\s)|$)\s*", re.DOTALL)
_CLAUSE = re.compile(r".+?(?:[，、：,:]|\s|$)\s*", re.DOTALL)
_HAS_WORDS = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Block:
    """A heading (level 1 to 6) or a text (level 0): a paragraph, a list, a table as lines."""

    text: str
    level: int = 0


@dataclass(frozen=True, slots=True)
class Content:
    """What a file says."""

    title: str
    """Its own; empty when it has none."""
    blocks: tuple[Block, ...]


def pieces_of(title: str, blocks: Iterable[Block], *, characters: int) -> tuple[Piece, ...]:
    """Split at headings, then paragraphs; every piece knows its heading path, from the title down.

    Args:
        title: Of the whole document; a first heading with the same words is not repeated.
        blocks: The document in reading order.
        characters: The longest piece.
    """
    return tuple(
        Piece(path, text)
        for path, texts in _sections(title, blocks)
        for text in _packed(texts, characters)
        if _HAS_WORDS.search(text)
    )


def table_lines(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is its header, one line a row that can be read alone: "Plan: Basic; Price: $5"."""
    cleaned = [[" ".join(cell.split()) for cell in row] for row in rows]
    if len(cleaned) < 2:
        return "; ".join(cell for row in cleaned for cell in row if cell)
    header = cleaned[0]
    colon, semicolon = ("：", "；") if re.search(f"[{_HAN}]", "".join(header)) else (": ", "; ")
    lines = []
    for row in cleaned[1:]:
        named = [
            f"{name}{colon}{cell}" if name and name != cell else cell
            for name, cell in zip([*header, *[""] * len(row)], row, strict=False)
            if cell
        ]
        lines.append(semicolon.join(named))
    return "\n".join(line for line in lines if line)


def join_lines(text: str) -> str:
    """One line of what was broken over several: a space between words, none between Chinese characters."""
    return re.sub(rf"(?<=[{_HAN}])\s*\n\s*(?=[{_HAN}])", "", text).replace("\n", " ")


def _sections(title: str, blocks: Iterable[Block]) -> Iterator[tuple[str, list[str]]]:
    headings: list[tuple[int, str]] = []
    texts: list[str] = []
    for block in blocks:
        if not block.level:
            if block.text.strip():
                texts.append(block.text.strip())
            continue
        if texts:
            yield _path(title, headings), texts
            texts = []
        name = " ".join(block.text.split())
        headings = [(level, text) for level, text in headings if level < block.level]
        if name:
            headings.append((block.level, name))
    if texts:
        yield _path(title, headings), texts


def _path(title: str, headings: Sequence[tuple[int, str]]) -> str:
    names = [name for _, name in headings]
    if names and names[0].casefold() == title.casefold():
        names = names[1:]
    return HEADING_MARK.join([title, *names])


def _packed(texts: Sequence[str], characters: int) -> Iterator[str]:
    """Texts joined by blank lines while they fit; longer ones are cut."""
    current = ""
    for text in texts:
        first, *more = _parts(text, characters)
        if current and len(current) + 2 + len(first) <= characters:
            current += "\n\n" + first
        else:
            if current:
                yield current
            current = first
        for part in more:
            yield current
            current = part
    if current:
        yield current


def _parts(text: str, characters: int) -> list[str]:
    """A text as it is when it fits, else cut at the gentlest places that make it fit."""
    if len(text) <= characters:
        return [text]
    if "\n" in text:
        return _refill(text.split("\n"), "\n", characters)
    for pattern in (_SENTENCE, _CLAUSE):
        units = pattern.findall(text)
        if len(units) > 1:
            return _refill(units, "", characters)
    return [text[start : start + characters] for start in range(0, len(text), characters)]


def _refill(units: Sequence[str], mark: str, characters: int) -> list[str]:
    parts: list[str] = []
    current = ""
    for unit in units:
        if current and len((current + mark + unit).rstrip()) <= characters:
            current += mark + unit
            continue
        if current.strip():
            parts.append(current.strip() if not mark else current.rstrip())
        current = unit
        if len(unit.rstrip()) > characters:
            *whole, current = _parts(unit.strip(), characters)
            parts += whole
    if current.strip():
        parts.append(current.strip() if not mark else current.rstrip())
    return parts
