"""The widget on other people's pages: every option, method and event, and a page that is not hurt by it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from street import sees

if TYPE_CHECKING:
    from street import Street, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.models]
LISTEN = """
window.seen = [];
addEventListener("kefu:ready", () => window.seen.push(["kefu:ready", {}]));
window.kefu = ["ready", "open", "close", "message:sent", "message:received", "unread", "handoff", "error"]
  .map((name) => ["on", name, (detail) => window.seen.push([name, detail])]);
"""


def seen(visitor: Visitor) -> list[Any]:
    found: list[Any] = visitor.js("window.seen")
    return found


def names(visitor: Visitor) -> list[str]:
    return [name for name, _ in seen(visitor)]


def style(visitor: Visitor, selector: str, name: str) -> str:
    found: str = visitor.page.locator(f"kefu-widget {selector}").evaluate(f"e => getComputedStyle(e).{name}")
    return found


def test_attributes_on_the_script_tag_are_options(street: Street) -> None:
    visitor = street.shop(
        attributes='data-color="#c2185b" data-position="left" data-offset-x="40" data-offset-y="50" data-z-index="77"'
        ' data-width="500" data-height="400" data-launcher-title="Ask us" data-color-scheme="dark" data-title="Desk"'
        ' data-subtitle="We are quick" data-greeting="Hi from {bot}" data-texts=\'{"send": "Off it goes"}\' data-open="true"'
    )
    sees(visitor.chat.locator("h1")).to_have_text("Desk")
    sees(visitor.chat.locator(".who p")).to_have_text("We are quick")
    sees(visitor.chat.locator(".bot .bubble").first).to_contain_text("Hi from Lumi")

    sees(visitor.chat.get_by_role("button", name="Off it goes")).to_be_visible()
    sees(visitor.chat.locator("html")).to_have_attribute("data-scheme", "dark")
    assert (style(visitor, "button", "left"), style(visitor, "button", "bottom")) == ("40px", "50px")
    assert style(visitor, "button", "backgroundColor") == "rgb(194, 24, 91)"
    assert style(visitor, "button", "zIndex") == "77"
    assert (style(visitor, "[role=dialog]", "width"), style(visitor, "[role=dialog]", "height")) == (
        "500px",
        "400px",
    )
    assert visitor.js("document.activeElement.tagName") == "BODY"
    visitor.launcher.click()
    sees(visitor.launcher).to_have_attribute("aria-label", "Ask us")


def test_a_settings_object_may_stand_before_the_script(street: Street) -> None:
    visitor = street.shop(
        settings='window.kefuSettings = { locale: "zh-TW", launcher: false, trigger: ".help", prechat: false, context: { page: "/x" } };',
        body='<button class="help"><b>Help</b></button>',
    )
    visitor.page.locator(".help b").click()

    sees(visitor.chat.locator("html")).to_have_attribute("lang", "zh-TW")
    sees(visitor.chat.locator(".disclosure")).to_contain_text("自動")
    assert visitor.launcher.count() == 0
    visitor.chat.get_by_role("button", name="關閉客服視窗").click()
    sees(visitor.window).to_be_hidden()
    sees(visitor.page.locator(".help")).to_be_visible()


def test_what_is_wrong_in_the_options_is_told_in_one_line(street: Street) -> None:
    visitor = street.shop(attributes='data-colour="#fff" data-position="top"')

    visitor.until(lambda: any("unknown option" in said for said in visitor.said_on_console))

    told = [said for said in visitor.said_on_console if "kefu" in said]
    assert len(told) == 1
    assert 'unknown option "colour" (did you mean "color"?)' in told[0]
    assert 'option "position" cannot be "top"' in told[0]


def test_a_script_without_a_bot_says_what_is_missing(street: Street) -> None:
    street.host_pages.pages["/nobot"] = (
        f'<!doctype html><script>kefuSettings = {{}}</script><script src="{street.kefu.url}/widget.js"></script>'
    )

    visitor = street.visit(f"{street.host_pages.allowed}/nobot")
    visitor.js("kefu.boot({})")

    assert [said for said in visitor.said_on_console if "data-bot" in said]
    assert visitor.page.locator("kefu-widget").count() == 0


def test_every_method_does_what_it_says_and_every_event_tells_it(street: Street) -> None:
    visitor = street.shop(settings=LISTEN)
    visitor.until(lambda: {"ready", "kefu:ready"} <= set(names(visitor)))
    visitor.js("kefu.open()")
    sees(visitor.window).to_be_visible()
    visitor.js("kefu.toggle()")
    sees(visitor.window).to_be_hidden()
    visitor.js("kefu.toggle()")
    visitor.js("kefu.close()")
    visitor.js("kefu.push(['open'])")
    sees(visitor.window).to_be_visible()

    visitor.js('kefu.sendMessage("How long is the return period?")')
    sees(visitor.turns).to_have_count(1)
    visitor.js('kefu.setLocale("zh-CN")')
    sees(visitor.chat.locator(".person")).to_have_text("转人工")
    sees(visitor.chat.locator(".disclosure")).to_contain_text("自动")
    visitor.js("kefu.sendMessage('转人工')")
    sees(visitor.turns).to_have_count(2)
    visitor.js("kefu.reset()")
    sees(visitor.turns).to_have_count(0)

    told = names(visitor)
    assert told.count("open") == 3
    assert told.count("close") == 2
    assert told.count("message:sent") == told.count("message:received") == 2
    assert told.count("handoff") == 1
    assert [name for name in told if name == "error"] == []
    visitor.js("kefu.destroy()")
    assert visitor.page.locator("kefu-widget").count() == 0
    visitor.page.evaluate("host => kefu.boot({ bot: 'shop', host, open: true })", street.kefu.url)
    sees(visitor.chat.locator(".disclosure")).to_be_visible()


def test_a_listener_that_is_taken_off_hears_nothing_more_and_one_that_throws_hurts_nobody(
    street: Street,
) -> None:
    visitor = street.shop()
    visitor.js("""() => {
      window.heard = [];
      window.mine = () => heard.push("mine");
      kefu.on("open", mine);
      kefu.on("open", () => { throw new Error("theirs"); });
      kefu.on("open", () => heard.push("last"));
      kefu.open();
      kefu.off("open", mine);
      kefu.close();
      kefu.open();
    }""")

    assert visitor.js("heard") == ["mine", "last", "last"]


def test_the_module_does_the_same_from_another_origin(street: Street) -> None:
    street.host_pages.pages["/module"] = (
        f'<!doctype html><title>x</title><script type="module">import {{ boot, open, on }} from "{street.kefu.url}/widget.mjs";'
        'on("ready", () => { window.isReady = true; open(); }); boot({ bot: "shop" });</script>'
    )

    visitor = street.visit(f"{street.host_pages.allowed}/module")

    sees(visitor.chat.locator(".disclosure")).to_be_visible()
    assert visitor.js("window.isReady")


def test_the_page_for_web_views_takes_its_options_from_its_address(street: Street) -> None:
    visitor = street.visit(
        f"{street.kefu.url}/widget/page?site=shop#locale=zh-CN&colorScheme=dark&color=%230f6b5c&title=App"
    )

    sees(visitor.chat.locator("h1")).to_have_text("App")
    visitor.asks("多少天内可以退货？")

    sees(visitor.replies.last).to_contain_text("15 天")
    sees(visitor.chat.locator("html")).to_have_attribute("data-scheme", "dark")
    assert visitor.page.get_by_role("button", name="关闭客服窗口").count() == 0


def token(street: Street, user: str, **claims: Any) -> str:
    said = {"sub": user, "name": user.title(), "aud": "shop", "exp": int(time.time()) + 600} | claims
    return jwt.encode(said, street.kefu.secret, algorithm="HS256", headers={"kid": street.kefu.kid})


def test_a_customer_who_signs_in_finds_their_conversation_on_another_device(street: Street) -> None:
    laptop = street.shop(settings=LISTEN)
    laptop.opens()
    laptop.asks("How long is the return period?")
    before = stored_token(laptop)
    laptop.page.evaluate("token => kefu.setUser(token)", token(street, "ada"))
    laptop.until(lambda: stored_token(laptop) != before)
    sees(laptop.turns).to_have_count(1)

    phone = street.shop(
        settings=f"{LISTEN} window.kefuSettings = {{ user: async () => '{token(street, 'ada')}' }};"
    )
    phone.launcher.click()
    sees(phone.turns).to_have_count(1)
    phone.js("kefu.setUser(null)")
    sees(phone.turns).to_have_count(0)

    assert [name for name in names(laptop) + names(phone) if name == "error"] == []


def test_what_a_customer_writes_on_one_device_appears_on_the_other_without_a_reload(street: Street) -> None:
    signed_in = f"{LISTEN} window.kefuSettings = {{ user: '{token(street, 'eve')}' }};"
    laptop, phone = street.shop(settings=signed_in), street.shop(settings=signed_in)
    for device in (laptop, phone):
        device.launcher.click()
        device.until(lambda device=device: frame_js(device, "localStorage.getItem('kefu:shop:user')"))  # type: ignore[misc]

    laptop.asks("How long is the return period?")
    sees(phone.replies).to_have_count(1)
    sees(phone.replies.last).to_contain_text("15 days")
    phone.until(lambda: "message:received" in names(phone))
    phone.asks("How long does delivery take?")
    sees(laptop.replies).to_have_count(2)
    phone.js("kefu.reset()")

    sees(laptop.turns).to_have_count(0)
    assert [name for name in names(laptop) + names(phone) if name == "error"] == []


def test_a_window_that_nobody_sees_asks_the_server_nothing(street: Street) -> None:
    visitor = street.shop()
    visitor.opens()
    visitor.asks("How long is the return period?")
    visitor.until(lambda: any("after=1" in url for url in visitor.asked_for))
    hide = "Object.defineProperty(document, 'hidden', { get: () => %s, configurable: true })"
    frame_js(visitor, hide % "true")
    frame_js(visitor, "document.dispatchEvent(new Event('visibilitychange'))")
    visitor.page.wait_for_timeout(500)  # what was under way comes to its end
    before = len(visitor.asked_for)

    visitor.page.wait_for_timeout(8000)
    assert visitor.asked_for[before:] == []
    with visitor.page.expect_request("**/api/widget/conversation?*"):
        frame_js(visitor, hide % "false")
        frame_js(visitor, "document.dispatchEvent(new Event('visibilitychange'))")


def test_a_forged_identity_changes_nothing_and_is_told_to_the_page(street: Street) -> None:
    visitor = street.shop(settings=LISTEN)
    visitor.opens()
    visitor.asks("How long is the return period?")

    visitor.page.evaluate("token => kefu.setUser(token)", token(street, "ada", aud="another"))
    visitor.until(lambda: "error" in names(visitor))

    assert [detail["code"] for name, detail in seen(visitor) if name == "error"] == ["identity"]
    sees(visitor.turns).to_have_count(1)
    visitor.js("kefu.setUser(() => { throw new Error('no network'); })")
    visitor.until(lambda: names(visitor).count("error") == 2)


def test_a_session_that_ran_out_is_renewed_by_asking_the_page_who_it_is(street: Street) -> None:
    visitor = street.shop(
        settings=f"{LISTEN} window.kefuSettings = {{ user: async () => (window.asked = (window.asked ?? 0) + 1, '{token(street, 'bob')}') }};"
    )
    visitor.opens()
    visitor.asks("How long is the return period?")
    asked = visitor.js("asked")
    frame_js(visitor, "localStorage.setItem('kefu:shop:token', JSON.stringify('worn.out.token'))")

    visitor.asks("How long does delivery take?")

    sees(visitor.turns).to_have_count(2)
    assert visitor.js("asked") == asked + 1


def test_what_the_page_knows_is_told_to_the_server(street: Street) -> None:
    visitor = street.shop(settings='window.kefuSettings = { context: { page: "/cart" } };')
    with visitor.page.expect_response("**/api/widget/context") as told:
        visitor.opens()
    with visitor.page.expect_response("**/api/widget/context") as more:
        visitor.js("kefu.setContext({ order: 'LM2026110012', total: 12 })")

    assert told.value.status == more.value.status == 204
    assert more.value.request.post_data_json == {
        "fields": {"page": "/cart", "order": "LM2026110012", "total": "12"}
    }


def test_persistence_none_leaves_nothing_and_session_ends_with_the_tab(street: Street) -> None:
    none = street.shop(attributes='data-persistence="none"')
    none.opens()
    none.asks("How long is the return period?")
    assert frame_js(none, "Object.keys({...localStorage, ...sessionStorage})") == []
    none.page.reload()
    none.opens()
    sees(none.turns).to_have_count(0)

    session = street.shop(attributes='data-persistence="session"')
    session.opens()
    session.asks("How long is the return period?")
    assert frame_js(session, "Object.keys(localStorage)") == []
    session.page.reload()
    sees(session.turns).to_have_count(1)


def test_a_browser_that_keeps_nothing_for_frames_can_still_talk(street: Street) -> None:
    address = street.shop_page().replace(street.host_pages.allowed, street.host_pages.distant)
    visitor = street.visit(address)
    visitor.opens()

    visitor.asks("How long is the return period?")

    sees(visitor.replies.last).to_contain_text("15 days")


def test_the_page_neither_moves_nor_waits(street: Street) -> None:
    address = street.shop_page(body="<p>text</p>" * 80)
    visitor = street.visit(address)
    visitor.opens()
    visitor.asks("How long is the return period?")
    visitor.launcher.click()

    measured = visitor.js("""() => {
      const shifts = performance.getEntriesByType("layout-shift").map((entry) => entry.value);
      const load = performance.getEntriesByType("navigation")[0].loadEventEnd;
      const late = performance.getEntriesByType("resource").filter((one) => !one.name.endsWith("widget.js"));
      return { shifts, supported: PerformanceObserver.supportedEntryTypes.includes("layout-shift"), load, first: Math.min(...late.map((one) => one.startTime)) };
    }""")
    buffered = visitor.js("""() => new Promise((resolve) => {
      let sum = 0;
      new PerformanceObserver((list) => list.getEntries().forEach((entry) => (sum += entry.value))).observe({ type: "layout-shift", buffered: true });
      setTimeout(() => resolve(sum), 300);
    })""")

    assert measured["supported"]
    assert buffered == 0
    assert measured["first"] > measured["load"] > 0


def test_a_page_without_the_server_is_a_page_without_a_window(street: Street) -> None:
    context = street.context()
    context.route("**/widget/frame*", lambda route: route.abort("connectionrefused"))
    page = context.new_page()
    page.clock.install()
    page.goto(street.shop_page(settings=LISTEN))
    page.locator("kefu-widget button").click()
    page.clock.run_for(25_000)

    sees(page.locator("kefu-widget [role=dialog]")).to_be_hidden()
    assert ["error", {"code": "unreachable"}] in page.evaluate("window.seen")


def stored_token(visitor: Visitor) -> str:
    return str(frame_js(visitor, "localStorage.getItem('kefu:shop:token')"))


def frame_js(visitor: Visitor, script: str) -> Any:
    frame = next(frame for frame in visitor.page.frames if "/widget/frame" in frame.url)
    return frame.evaluate(script)


def test_what_is_typed_after_the_launcher_was_pressed_arrives_in_the_window(street: Street) -> None:
    visitor = street.shop()
    visitor.launcher.click()
    sees(visitor.chat.locator(".box textarea")).to_be_focused()

    visitor.page.keyboard.type("How long is the return period?\n")

    sees(visitor.replies.last).to_contain_text("15 days")
