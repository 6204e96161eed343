"""HTML -> blocks: headings kept, scripts, menus and hidden parts dropped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from knowledge.sources.documents.blocks import Block, Content, table_lines

_DROPPED = (
    "script", "style", "noscript", "template", "iframe", "object", "embed", "svg", "canvas", "nav", "form",
    "button", "select", "dialog", "[hidden]", "[aria-hidden=true]",
)  # fmt: skip
_FLOWING = frozenset(
    [
        "a",
        "abbr",
        "b",
        "bdi",
        "bdo",
        "cite",
        "code",
        "data",
        "del",
        "dfn",
        "em",
        "font",
        "i",
        "ins",
        "kbd",
        "label",
        "mark",
        "q",
        "ruby",
        "s",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "time",
        "tt",
        "u",
        "var",
        "wbr",
    ]
)
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_-]+)""", re.IGNORECASE)


def declared_charset(data: bytes) -> str | None:
    """What a page says of its encoding in its first 2 KB."""
    found = _CHARSET.search(data[:2048])
    return found[1].decode("ascii") if found else None


def read_html(text: str) -> Content:
    """The page's main part when it is marked (main, article), else its body without header and footer."""
    page = _parsed(text)
    head = page.css_first("title")
    title = " ".join(head.text().split()) if head else ""
    mains = page.css("main") or page.css("article")
    if not mains:
        page.strip_tags(["header", "footer", "aside"])
    roots = mains or ([page.body] if page.body else [])
    blocks = tuple(block for root in roots for block in _blocks_of(root))
    top = [block.text for block in blocks if block.level == 1]
    return Content(top[0] if len(top) == 1 else title, blocks)


def html_blocks(text: str) -> tuple[Block, ...]:
    """Blocks of a fragment."""
    page = _parsed(text)
    return tuple(_blocks_of(page.body)) if page.body else ()


def _parsed(text: str) -> LexborHTMLParser:
    page = LexborHTMLParser(text)
    for selector in _DROPPED:
        for node in page.css(selector):
            if node.tag not in ("html", "body"):
                node.decompose()
    return page


@dataclass(slots=True)
class _Flow:
    """Text that runs on until a block begins or ends."""

    pieces: list[str] = field(default_factory=list)

    def take(self) -> Iterator[Block]:
        lines = [" ".join(line.split()) for line in "".join(self.pieces).split("\v")]
        self.pieces.clear()
        text = "\n".join(line for line in lines if line)
        if text:
            yield Block(text)


def _blocks_of(root: LexborNode) -> Iterator[Block]:
    flow = _Flow()
    yield from _walk(root, flow)
    yield from flow.take()


def _walk(parent: LexborNode, flow: _Flow) -> Iterator[Block]:
    node = parent.child
    while node is not None:
        tag = node.tag or ""
        if node.is_text_node:
            flow.pieces.append(node.text_content or "")
        elif tag == "br":
            flow.pieces.append("\v")
        elif tag in _FLOWING:
            yield from _walk(node, flow)
            flow.pieces.append(_address(node))
        elif node.is_element_node:
            yield from flow.take()
            yield from _element(node, tag, flow)
        node = node.next


def _element(node: LexborNode, tag: str, flow: _Flow) -> Iterator[Block]:
    if re.fullmatch(r"h[1-6]", tag):
        text = " ".join(node.text(separator=" ").split())
        yield Block(text, int(tag[1]))
    elif tag in ("ul", "ol"):
        lines = list(_list_lines(node, indent=""))
        yield Block("\n".join(lines))
    elif tag == "dl":
        yield Block("\n".join(_definition_lines(node)))
    elif tag == "table" and not node.css("table table, h1, h2, h3"):
        yield Block(table_lines(_rows(node)))
    elif tag == "pre":
        yield Block(node.text().strip("\n"))
    else:
        yield from _walk(node, flow)
        yield from flow.take()


def _list_lines(node: LexborNode, *, indent: str) -> Iterator[str]:
    for number, item in enumerate(_children(node, "li"), start=1):
        mark = f"{number}. " if node.tag == "ol" else "- "
        inner = list(_children(item, "ul", "ol"))
        nested = [line for child in inner for line in _list_lines(child, indent=indent + "  ")]
        for child in inner:
            child.decompose()
        text = " ".join(block.text for block in _blocks_of(item)).strip()
        yield f"{indent}{mark}{' '.join(text.split())}"
        yield from nested


def _definition_lines(node: LexborNode) -> Iterator[str]:
    term = ""
    for child in _children(node, "dt", "dd"):
        text = " ".join(child.text(separator=" ").split())
        if child.tag == "dt":
            term = text
        else:
            yield f"{term}: {text}" if term else text


def _rows(table: LexborNode) -> list[list[str]]:
    return [[cell.text(separator=" ") for cell in _children(row, "th", "td")] for row in table.css("tr")]


def _children(node: LexborNode, *tags: str) -> Iterator[LexborNode]:
    child = node.child
    while child is not None:
        following = child.next
        if child.tag in tags:
            yield child
        child = following


def _address(node: LexborNode) -> str:
    address = (node.attributes.get("href") or "") if node.tag == "a" else ""
    shown = node.text().strip()
    return f" ({address})" if address.startswith(("http://", "https://")) and address != shown else ""
