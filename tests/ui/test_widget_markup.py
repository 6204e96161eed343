"""What an FAQ, a model or a visitor writes is text: no script runs, nothing is fetched, links say where they lead."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from payloads import payloads
from server_fakes import made_turn
from widget_site import SHOP, two_sites

from chatbot.types import Citation, Message, Turn
from ui.server.widget.markdown import html_of
from ui.server.widget.shown import visitor_turn
from ui.server.wire import clean_text

BEACON = "https://beacon.example/b"
TAGS = {"p", "br", "strong", "em", "code", "pre", "ul", "ol", "li", "blockquote", "a", "hr"}
ATTRIBUTES = {("a", "href"), ("a", "rel"), ("a", "target"), ("ol", "start")}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Parsed(HTMLParser):
    """Every element with its attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.elements.append(("comment", {}))

    @property
    def links(self) -> list[str]:
        return [attrs["href"] or "" for tag, attrs in self.elements if tag == "a" and "href" in attrs]


def _inert(html: str) -> list[str]:
    """What in it is not on the list."""
    wrong = []
    for tag, attributes in Parsed(html).elements:
        if tag not in TAGS:
            wrong.append(tag)
        wrong += [f"{tag}[{name}]" for name in attributes if (tag, name) not in ATTRIBUTES]
        if tag == "a" and "href" in attributes:
            parts = urlsplit(attributes["href"] or "")
            web = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
            if not (web or parts.scheme in ("mailto", "tel")):
                wrong.append(str(attributes["href"]))
            if (attributes.get("target"), attributes.get("rel")) != (
                "_blank",
                "noopener noreferrer nofollow",
            ):
                wrong.append(f"a without rel: {attributes}")
    return wrong


def _wrapped() -> Iterator[str]:
    for text in payloads(BEACON):
        yield text
        yield f"Thanks. **{text}** is what you asked for."
        yield f"[{text}](https://help.shop.example/)"
        yield f"- one\n- {text}\n"


def test_there_are_at_least_sixty_payloads() -> None:
    assert len(set(payloads())) >= 60


def test_no_payload_becomes_more_than_text_and_harmless_links() -> None:
    wrong = {text: found for text in _wrapped() if (found := _inert(html_of(text)))}

    assert wrong == {}


def test_nothing_is_fetched_as_no_payload_makes_an_image_or_a_style() -> None:
    for text in _wrapped():
        html = html_of(text)
        assert all(tag == "a" or "beacon" not in str(attrs) for tag, attrs in Parsed(html).elements), text


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("Hello\nthere", "<p>Hello<br>\nthere</p>"),
        ("**Now** and *then*", "<p><strong>Now</strong> and <em>then</em></p>"),
        ("1. one\n2. two", "<ol>\n<li>one</li>\n<li>two</li>\n</ol>"),
        ("3. three", '<ol start="3">\n<li>three</li>\n</ol>'),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("a < b & c > d", "<p>a &lt; b &amp; c &gt; d</p>"),
        ("# No heading", "<p># No heading</p>"),
        ("    four blanks are no code", "<p>four blanks are no code</p>"),
    ],
)
def test_ordinary_markdown_looks_as_it_should(markdown: str, html: str) -> None:
    assert html_of(markdown) == html


@pytest.mark.parametrize(
    ("text", "links", "shown"),
    [
        (
            "See https://shop.example/returns.",
            ["https://shop.example/returns"],
            "See https://shop.example/returns.",
        ),
        (
            "详见https://shop.example/退货，谢谢",
            ["https://shop.example/%E9%80%80%E8%B4%A7"],
            "详见https://shop.example/退货，谢谢",
        ),
        ("[our page](https://help.shop.example/a)", ["https://help.shop.example/a"], "our page"),
        ("[our page](https://evil.example/a)", ["https://evil.example/a"], "our page (evil.example)"),
        (
            "[https://bank.example](https://evil.example/)",
            ["https://evil.example/"],
            "https://bank.example (evil.example)",
        ),
        ("[bank](https://bаnk.example/)", ["https://xn--bnk-6cd.example/"], "bank (xn--bnk-6cd.example)"),
        ("[call](tel:+861012345678)", ["tel:+861012345678"], "call"),
        ("Write to help@shop.example!", ["mailto:help@shop.example"], "Write to help@shop.example!"),
        ("[x](https://bank.example@evil.example/)", [], None),
        ("[x](//evil.example)", [], "[x](//evil.example)"),
    ],
)
def test_a_link_says_where_it_leads_unless_that_is_the_site_itself(
    text: str, links: list[str], shown: str | None
) -> None:
    parsed = Parsed(html_of(text, own_hosts={"help.shop.example"}))

    assert [link for link in parsed.links if "evil.example@" not in link][: len(links)] == links
    assert shown is None or parsed.text == shown
    assert not any("bank.example@" in link for link in parsed.links)


def test_characters_that_hide_or_turn_text_are_dropped_and_piles_of_marks_flattened() -> None:
    hidden = "a\u202eb\u2066c\u200bd\ufeffe\U000e0041f"
    piled = "Z" + "\u0301" * 10_000

    assert html_of(hidden) == "<p>abcdef</p>"
    assert len(html_of(piled)) < 20
    assert html_of("👩‍👩‍👧 नमस्ते") == "<p>👩‍👩‍👧 नमस्ते</p>"


@pytest.mark.parametrize(
    "piece",
    ["[", "![", "a@", "*a ", "_a", "`", "> ", "- ", "<", "https://a", "[a](", "\u0301", "&#", "a.", "(("],
)
def test_hostile_lengths_take_no_time(piece: str) -> None:
    start = time.process_time()

    html_of(piece * (20_000 // len(piece)))

    assert time.process_time() - start < 20.0


@pytest.mark.anyio
async def test_payloads_in_every_field_leave_as_json_with_inert_html(tmp_path: Path) -> None:
    fast = {"requests_per_minute": 0, "messages_per_minute": 0}
    async with two_sites(tmp_path, security=fast) as sites:
        visitor = await sites.visitor()
        for number, text in enumerate(payloads(BEACON)):
            sites.shop.bot.pieces = (text[: len(text) // 2], text[len(text) // 2 :])
            answer = await visitor.post("messages", {"text": text, "key": f"key-{number}"})
            assert answer.headers["content-type"] == "application/json"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.json()["reply"]["text"] == text
            assert _inert(answer.json()["html"]) == []
            await visitor.post("context", {"fields": {"page": text}})
            await visitor.post("csat", {"score": 1, "comment": text})
        read = await visitor.get("conversation")
        home = await visitor.get("transcript")

    assert len(read.json()["turns"]) == len(payloads())
    assert [html for turn in read.json()["turns"] if (html := _inert(turn["html"]))] == []
    assert home.headers["content-type"].startswith("text/plain")
    assert home.headers["content-disposition"].startswith("attachment")


@pytest.mark.anyio
async def test_payloads_in_names_never_reach_the_frame(tmp_path: Path) -> None:
    async with two_sites(tmp_path, security={"requests_per_minute": 0}) as sites:
        for text in payloads(BEACON):
            sites.setup.sites.replace(replace(SHOP, name=text))
            frame = await sites.client.get("/widget/frame", params={"site": "shop", "locale": text[:20]})
            strange = await sites.client.get("/widget/frame", params={"site": text[:64]})
            user = await sites.session(identity=sites.identity(name=text))
            assert text not in frame.text
            assert "beacon" not in frame.text
            assert strange.status_code in (404, 422)
            assert strange.headers["content-type"] == "application/problem+json"
            assert user.headers["content-type"] == "application/json"
            assert user.json()["user"]["name"] == _cleaned(text)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://shop.example/returns", "https://shop.example/returns"),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("//evil.example", None),
        ("https://bank.example@evil.example/", None),
        ("https://[::1", None),
        (None, None),
    ],
)
def test_a_source_has_an_address_only_when_it_is_a_safe_one(url: str | None, shown: str | None) -> None:
    turn = _with_source(made_turn(_message(), "Hi."), url)

    told: dict[str, Any] = visitor_turn(turn, alias="alias", own_hosts=())

    assert told["reply"]["citations"][0]["url"] == shown
    assert json.dumps(told)


def _with_source(turn: Turn, url: str | None) -> Turn:
    source = Citation("faq-1", "Returns", "Within 30 days.", "faq", url)
    return replace(turn, reply=replace(turn.reply, citations=[source]))


def _message() -> Message:
    return Message("conversation", "hi", datetime.now(UTC))


def _cleaned(text: str) -> str:
    return clean_text(text)[:100]
