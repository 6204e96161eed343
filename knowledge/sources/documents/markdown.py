"""Markdown (CommonMark and tables) -> blocks of plain text, as customers may be shown them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from knowledge.sources.documents.blocks import Block, Content, join_lines, table_lines
from knowledge.sources.documents.html import html_blocks

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)


def read_markdown(text: str) -> Content:
    """The title is that of the front matter, else the only heading of level 1, else empty."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    title = ""
    front = _FRONT_MATTER.match(text)
    if front:
        text = text[front.end() :]
        title = _title_of(front[1])
    blocks = tuple(_blocks(_parser().parse(text)))
    top = [block.text for block in blocks if block.level == 1]
    return Content(title or (top[0] if len(top) == 1 else ""), blocks)


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _title_of(front: str) -> str:
    try:
        fields = yaml.safe_load(front)
    except yaml.YAMLError:
        return ""
    title = fields.get("title") if isinstance(fields, dict) else None
    return str(title).strip() if title else ""


def _blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    place = 0
    while place < len(tokens):
        token = tokens[place]
        end = _end(tokens, place)
        inside = tokens[place + 1 : end]
        match token.type:
            case "heading_open":
                yield Block(_inline(inside), int(token.tag[1:]))
            case "paragraph_open":
                yield Block(_inline(inside))
            case "bullet_list_open" | "ordered_list_open":
                yield Block("\n".join(_list_lines(tokens[place : end + 1])))
            case "table_open":
                yield Block(table_lines(_table(inside)))
            case "fence" | "code_block":
                yield Block(token.content.rstrip())
            case "html_block":
                yield from html_blocks(token.content)
            case "blockquote_open":
                yield from _blocks(inside)
        place = end + 1


def _end(tokens: Sequence[Token], place: int) -> int:
    """The place of the token that closes the one at `place`."""
    depth = 0
    for end in range(place, len(tokens)):
        depth += tokens[end].nesting
        if depth == 0:
            return end
    return len(tokens) - 1


def _list_lines(tokens: Sequence[Token]) -> Iterator[str]:
    """A list as lines "- item" or "1. item", inner lists indented."""
    depth, bullets = 0, [""]
    fresh = False
    for token in tokens:
        if token.type in ("bullet_list_open", "ordered_list_open"):
            depth += 1
            bullets.append("")
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            depth -= 1
            bullets.pop()
        elif token.type == "list_item_open":
            bullets[-1] = f"{token.info}. " if token.info else "- "
            fresh = True
        elif token.type in ("inline", "fence", "code_block"):
            content = _inline([token]) if token.type == "inline" else token.content.rstrip()
            indent = "  " * (depth - 1)
            for line in content.split("\n"):
                yield indent + (bullets[-1] if fresh else "  ") + line
                fresh = False


def _table(tokens: Sequence[Token]) -> list[list[str]]:
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(_inline([token]))
    return rows


def _inline(tokens: Sequence[Token]) -> str:
    """Text without marks; a link keeps its address in brackets, a picture its description."""
    pieces: list[str] = []
    links: list[tuple[str, int]] = []
    for child in (child for token in tokens for child in token.children or ()):
        match child.type:
            case "text" | "code_inline":
                pieces.append(child.content)
            case "softbreak":
                pieces.append("\n")
            case "hardbreak":
                pieces.append("\v")
            case "image":
                pieces.append(_inline([child]))
            case "html_inline" if re.match(r"<br\s*/?>", child.content, re.IGNORECASE):
                pieces.append("\v")
            case "link_open":
                links.append((str(child.attrs.get("href", "")), len(pieces)))
            case "link_close":
                address, start = links.pop()
                if address.startswith(("http://", "https://")) and address != "".join(pieces[start:]).strip():
                    pieces.append(f" ({address})")
    return join_lines("".join(pieces)).replace("\v", "\n").strip()
