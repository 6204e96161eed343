"""What nobody can do through the widget: run a script, call home, read along, break the page or be broken by it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jwt
import pytest
from street import payloads, sees

if TYPE_CHECKING:
    from playwright.sync_api import Frame, Route
    from street import Street, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.models]
HARMLESS = "a[href^='http://'], a[href^='https://'], a[href^='mailto:'], a[href^='tel:']"
INVENTORY = f"""() => ({{
  loading: [...document.querySelectorAll("img, iframe, object, embed, video, audio, source, base, meta[http-equiv], style, [style*=url], svg image, svg use, svg script")].map((e) => e.outerHTML.slice(0, 120)),
  scripts: [...document.querySelectorAll("script, link")].filter((e) => new URL(e.src || e.href).origin != location.origin && !/^data:,/.test(e.href)).map((e) => e.outerHTML),
  handlers: [...document.querySelectorAll("*")].flatMap((e) => [...e.attributes]).filter((a) => /^on/i.test(a.name)).map((a) => a.name),
  links: [...document.querySelectorAll("a")].filter((e) => !e.matches("{HARMLESS}")).map((e) => e.outerHTML),
  unsafe: [...document.querySelectorAll("a[href]")].filter((e) => !/noopener/.test(e.rel)).map((e) => e.outerHTML),
}})"""
CLEAN = {"loading": [], "scripts": [], "handlers": [], "links": [], "unsafe": []}


def frame_of(visitor: Visitor) -> Frame:
    return next(frame for frame in visitor.page.frames if "/widget/" in frame.url)


def assert_nothing_happened(street: Street, visitor: Visitor) -> None:
    visitor.page.wait_for_timeout(500)  # for what would call home a little later
    assert frame_of(visitor).evaluate(INVENTORY) == CLEAN
    assert visitor.complaints == []
    assert [said for said in visitor.said_on_console if "Content Security Policy" in said] == []
    homes = {urlsplit(street.kefu.url).netloc, street.host_pages.beacon}
    assert {
        urlsplit(url).netloc for url in visitor.asked_for if not url.startswith(("data:", "blob:"))
    } <= homes
    assert [
        path for path in street.host_pages.asked_for if not re.match(r"/(page\d+|favicon|[a-z]+$)", path)
    ] == []


def test_what_a_visitor_writes_is_text_and_nothing_else(street: Street) -> None:
    attacks = payloads(street.host_pages.beacon)
    visitor = street.shop(attributes='data-title="<img src=x onerror=alert(1)>"')
    visitor.opens()
    visitor.page.evaluate("texts => texts.forEach((text) => kefu.sendMessage(text))", attacks)

    sees(visitor.turns).to_have_count(len(attacks), timeout=180_000)

    texts = [" ".join(text.split()) for text in visitor.chat.locator("[data-turn] .user p").all_inner_texts()]
    assert "<script>alert(1)</script>" in texts
    assert_nothing_happened(street, visitor)
    visitor.page.reload()
    sees(visitor.turns).to_have_count(len(attacks))
    assert_nothing_happened(street, visitor)


def test_what_is_stored_as_answer_question_or_button_does_nothing(street: Street) -> None:
    attacks = payloads(street.host_pages.beacon)
    visitor = street.visit(street.shop_page(bot="evil", attributes='data-prechat="false"'))
    visitor.opens()
    visitor.page.evaluate(
        "count => { for (let n = 0; n < count; n++) kefu.sendMessage(`payload${n}x`) }", len(attacks)
    )

    sees(visitor.turns).to_have_count(len(attacks), timeout=180_000)
    for summary in visitor.chat.locator("summary").all():
        summary.evaluate("e => e.click()")

    assert visitor.chat.locator("blockquote").count() > len(attacks) / 2
    assert_nothing_happened(street, visitor)


def test_even_a_server_that_cleans_nothing_runs_nothing(street: Street) -> None:
    """And that without the Content-Security-Policy, so that it is not what saves the day."""
    attacks = payloads(street.host_pages.beacon)
    everything = "\n".join(attacks)
    visitor = street.shop(bypass_csp=True)
    citation = {"title": everything, "text": everything, "url": "javascript:alert(1)"}
    reply = {"text": everything, "citations": [citation], "quick_replies": attacks[:20], "finish": "complete"}
    turn = {
        "id": "t1", "sequence": 1, "decision": "answer", "language": "en", "html": everything, "reply": reply,
        "message": {"text": everything, "sent_at": "2026-11-22T10:00:00+00:00"},
    }  # fmt: skip

    def poisoned_session(route: Route) -> None:
        body = route.fetch().json()
        site = dict.fromkeys(body["site"], everything)
        body |= {"site": site, "suggestions": attacks[:20], "disclosure": everything}
        body["prechat"] = [{"name": "x", "label": everything, "type": everything, "required": False}]
        route.fulfill(json=body)

    def poisoned_stream(route: Route) -> None:
        events = [("delta", {"text": attack}) for attack in attacks] + [("turn", turn)]
        body = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
        route.fulfill(status=200, headers={"Content-Type": "text/event-stream"}, body=body)

    visitor.page.route("**/api/widget/session", poisoned_session)
    visitor.page.route("**/api/widget/messages", poisoned_stream)
    visitor.launcher.click()
    visitor.chat.get_by_role("button", name="Skip").click()
    visitor.asks("hello")
    visitor.chat.locator("summary").last.evaluate("e => e.click()")

    assert_nothing_happened(street, visitor)


def test_names_from_an_identity_and_a_form_are_text(street: Street) -> None:
    attack = "<img src=x onerror=alert(1)>"
    claims = {"sub": attack, "name": attack, "aud": "shop", "exp": int(time.time()) + 600}
    proof = jwt.encode(claims, street.kefu.secret, algorithm="HS256", headers={"kid": street.kefu.kid})
    visitor = street.shop()
    visitor.opens()

    visitor.page.evaluate("token => kefu.setUser(token)", proof)
    visitor.asks("How long is the return period?")

    assert_nothing_happened(street, visitor)


def test_the_sample_site_asks_attacks_as_questions_and_shows_them_as_answers(street: Street) -> None:
    """Of the poisoned company, so that questions, answers, titles and buttons are attacks at once."""
    attacks = payloads(street.host_pages.beacon)
    context = street.context()

    def poisoned(route: Route) -> None:
        page = route.fetch()
        body = page.text().replace('data-bot="demo"', 'data-bot="evil" data-prechat="false"')
        route.fulfill(response=page, body=body)

    context.route("**/site/en.html*", poisoned)
    address = "/site/en.html?question=<img src=x onerror=alert(1)>#<script>alert(1)</script>"
    visitor = street.visit(street.kefu.url + address, context=context)
    visitor.until(lambda: visitor.js("!!window.kefu"))
    for number, attack in enumerate(attacks):
        visitor.page.locator("#question").fill(attack)
        visitor.page.locator("#question").press("Enter")
        if not number:  # the window that opens takes the focus, and what is typed at that moment
            sees(visitor.chat.locator(".box textarea")).to_be_focused()

    sees(visitor.turns).to_have_count(len(attacks), timeout=180_000)

    for summary in visitor.chat.locator("summary").all():
        summary.evaluate("e => e.click()")
    assert visitor.chat.locator("blockquote").count() > len(attacks) / 2
    assert visitor.page.main_frame.evaluate(INVENTORY)["handlers"] == []
    assert_nothing_happened(street, visitor)


def test_a_page_that_is_on_no_list_can_neither_frame_it_nor_call_it(street: Street) -> None:
    address = street.shop_page().replace(street.host_pages.allowed, street.host_pages.foreign)
    visitor = street.visit(address)
    visitor.launcher.click()
    visitor.until(lambda: any("frame-ancestors" in said for said in visitor.said_on_console))

    called = visitor.page.evaluate(
        """url => fetch(url + "/api/widget/session", { method: "POST", body: '{"site": "shop"}',
             headers: { "Content-Type": "application/json" } }).then((answer) => answer.status, () => "refused")""",
        street.kefu.url,
    )

    assert called in ("refused", 403)
    assert visitor.page.frame_locator("kefu-widget iframe").locator(".app").count() == 0


def test_the_page_for_web_views_cannot_be_framed_at_all(street: Street) -> None:
    street.host_pages.pages["/framed"] = (
        f'<!doctype html><iframe src="{street.kefu.url}/widget/page?site=shop"></iframe>'
    )

    visitor = street.visit(f"{street.host_pages.allowed}/framed")

    visitor.until(lambda: any("frame-ancestors" in said for said in visitor.said_on_console))


def test_a_strict_page_that_pins_the_loader_shows_the_widget(street: Street) -> None:
    with urllib.request.urlopen(f"{street.kefu.url}/widget.js") as answer:
        digest = base64.b64encode(hashlib.sha384(answer.read()).digest()).decode()
    street.host_pages.pages["/strict"] = (
        f'<!doctype html><html lang=en><title>x</title><script async src="{street.kefu.url}/widget.js" data-bot="shop"'
        f' integrity="sha384-{digest}" crossorigin="anonymous"></script>'
    )
    street.host_pages.headers["/strict"] = {
        "Content-Security-Policy": f"default-src 'none'; script-src {street.kefu.url}; frame-src {street.kefu.url}; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    }

    visitor = street.visit(f"{street.host_pages.allowed}/strict")
    visitor.opens()
    visitor.asks("How long is the return period?")

    assert visitor.complaints == []
    assert [said for said in visitor.said_on_console if said.startswith("error")] == []


HOSTILE = """
Object.prototype.bot = "evil"; Object.prototype.color = "red"; Object.prototype.kefu = 1;
Array.prototype.includes = () => true;
"""
UGLY = (
    "<style>body *, iframe, button, kefu-widget { display: none !important; opacity: 0 !important; position: static !important;"
    " transform: scale(0) !important; pointer-events: none !important } body { transform: rotate(3deg); overflow: hidden }</style>"
    '<form id="kefuSettings"><input name="bot" value="evil"></form><img name="kefu"><a id="kefu" name="boot"></a>'
    '<form><input name="cardnumber" value="4111111111111111"></form>'
)


def test_a_hostile_page_does_not_stop_the_widget(street: Street) -> None:
    visitor = street.shop(settings=HOSTILE, body=UGLY)
    visitor.opens()

    visitor.asks("How long is the return period?")

    sees(visitor.replies.last).to_contain_text("15 days")
    assert "shop" in visitor.page.locator("kefu-widget iframe").get_attribute("src")  # type: ignore[operator]
    assert visitor.complaints == []
    assert not any("4111" in json.dumps(url) for url in visitor.asked_for)


def test_messages_from_others_are_not_heard(street: Street) -> None:
    """Another frame of the same page plays the host to the window, and the window to the host."""
    street.host_pages.pages["/forger"] = (
        "<!doctype html><script>addEventListener('message', () => 0)</script>"
    )
    forger = f"{street.host_pages.distant}/forger"
    visitor = street.shop(
        body=f'<iframe name="forger" src="{forger}"></iframe>',
        settings="window.seen = []; window.kefu = [['on', 'handoff', (x) => seen.push(x)], ['on', 'unread', (x) => seen.push(x)]];",
    )
    visitor.opens()
    stranger = next(frame for frame in visitor.page.frames if frame.url == forger)

    stranger.evaluate("""() => {
      for (const type of ["close", "handoff", "identity", "unread", "hello"]) parent.postMessage({ kefu: 1, type, count: 9 }, "*");
      for (let at = 0; at < parent.length; at++) {
        for (const type of ["send", "reset", "user", "close"]) parent[at].postMessage({ kefu: 1, type, text: "forged", token: "x" }, "*");
      }
    }""")
    visitor.page.wait_for_timeout(500)

    sees(visitor.window).to_be_visible()
    assert visitor.js("seen") == []
    assert visitor.chat.locator(".user").count() == 0
    assert len(visitor.page.frames) == 3


def test_the_host_page_gets_no_cookie_no_storage_and_no_token_in_an_address(street: Street) -> None:
    visitor = street.shop()
    visitor.opens()
    visitor.asks("How long is the return period?")

    kept = visitor.js("({ ...localStorage, ...sessionStorage })")
    token: str = json.loads(frame_of(visitor).evaluate("localStorage.getItem('kefu:shop:token')"))

    assert kept == {}
    assert visitor.page.context.cookies() == []
    assert [url for url in visitor.asked_for if token[:20] in url] == []


def test_a_token_of_another_site_or_none_begins_a_new_conversation(street: Street) -> None:
    shop = street.shop()
    shop.opens()
    shop.asks("How long is the return period?")
    stolen: Any = frame_of(shop).evaluate("localStorage.getItem('kefu:shop:token')")

    for token in (stolen, json.dumps(json.loads(stolen)[:-3] + "abc"), '"x.y.z"'):
        visitor = street.visit(street.shop_page(bot="evil", attributes='data-prechat="false"'))
        visitor.opens()
        frame_of(visitor).evaluate("token => localStorage.setItem('kefu:evil:token', token)", token)
        visitor.page.reload()
        sees(visitor.chat.locator(".disclosure")).to_be_visible()
        visitor.asks("hello")
        sees(visitor.turns).to_have_count(1)
