"""Replies as HTML that can do nothing: Markdown in, a few tags out.

Two walls: markdown-it never passes HTML or images through and takes four kinds of link; nh3 then drops
whatever is not on its own short list. A link says where it leads, unless that is the site itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

_OFF = ["image", "heading", "lheading", "html_block", "html_inline", "reference", "code"]
_SCHEMES = {"http", "https", "mailto", "tel"}
_TAGS = {"p", "br", "strong", "em", "code", "pre", "ul", "ol", "li", "blockquote", "a", "hr"}
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags={"script", "style"},
    attributes={"*": set(), "a": {"href"}, "ol": {"start"}},
    set_tag_attribute_values={"a": {"target": "_blank"}},
    link_rel="noopener noreferrer nofollow",
    url_schemes=_SCHEMES,
    url_relative="deny",
)
_BARE = re.compile(
    r"(?P<url>https?://[^\s<>\"'`{}|\\^()\[\]（）【】《》“”‘’，。；：！？、]{1,2000})"
    r"|(?<![A-Za-z0-9._%+-])(?P<mail>[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4})"
)
_INVISIBLE = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")
"""Turn the direction of writing, or hide text from people but not from programs."""
_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_PILED = re.compile(f"([{_MARKS}]{{3}})[{_MARKS}]+")


def html_of(text: str, *, own_hosts: Collection[str] = ()) -> str:
    """The reply as HTML.

    Args:
        text: Markdown, from an FAQ, a template or a model; trusted in nothing.
        own_hosts: Hosts that a link may lead to without saying so.
    """
    markdown = _markdown()
    tokens = markdown.parse(neutral(text))
    for token in tokens:
        if token.type == "inline" and token.children:
            token.children = list(_named(_linked(token.children), frozenset(own_hosts)))
    return _CLEANER.clean(markdown.renderer.render(tokens, markdown.options, {})).strip()


def neutral(text: str) -> str:
    """Without characters that hide text or turn its direction; at most three marks on a letter."""
    return _PILED.sub(r"\1", _INVISIBLE.sub("", text))


def safe_link(address: str) -> bool:
    """True for a web page, a mail address or a phone number, said in full and without a name in front of the host."""
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return False
    if parts.scheme in ("http", "https"):
        return bool(parts.hostname) and "@" not in parts.netloc
    return parts.scheme in _SCHEMES and bool(parts.path)


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "breaks": True}).disable(_OFF)
    markdown.validateLink = safe_link  # type: ignore[assignment,method-assign]
    return markdown


def _linked(children: Sequence[Token]) -> Iterator[Token]:
    """Addresses that stand in the text as such become links."""
    depth = 0
    for token in children:
        depth += token.nesting if token.type in ("link_open", "link_close") else 0
        if token.type != "text" or depth:
            yield token
            continue
        at = 0
        for found in _BARE.finditer(token.content):
            shown = found.group().rstrip(".,;:!?")
            address = f"mailto:{shown}" if found["mail"] else _markdown().normalizeLink(shown)
            if not safe_link(address):
                continue
            yield Token("text", "", 0, content=token.content[at : found.start()])
            yield Token("link_open", "a", 1, attrs={"href": address})
            yield Token("text", "", 0, content=shown)
            yield Token("link_close", "a", -1)
            at = found.start() + len(shown)
        yield Token("text", "", 0, content=token.content[at:])


def _named(children: Iterator[Token], own_hosts: frozenset[str]) -> Iterator[Token]:
    """After the words of a link comes its host, where they do not say it."""
    host, said = "", ""
    for token in children:
        if token.type == "link_open":
            host, said = (urlsplit(str(token.attrs.get("href", ""))).hostname or "").lower(), ""
        elif token.type == "link_close":
            if host and host not in own_hosts and host not in said.lower():
                yield Token("text", "", 0, content=f" ({host})")
            host = ""
        else:
            said += token.content
        yield token
