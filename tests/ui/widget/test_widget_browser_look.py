"""How the widget looks and sounds: every state in two languages, light and dark, on desk and phone, by keys alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from street import sees

if TYPE_CHECKING:
    from playwright.sync_api import Frame, Locator, Route
    from street import Street, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.models]
PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
WORDS = {
    "en": {
        "ask": "How long is the return period?", "order": "Where is my order?", "more": "More", "end": "End this chat",
        "email": "E-mail transcript", "down": "Not helpful", "skip": "Skip", "cancel": "Cancel", "person": "Talk to a person",
    },
    "zh-CN": {
        "ask": "多少天内可以退货？", "order": "我的订单到哪了？", "more": "更多", "end": "结束对话",
        "email": "邮件发送记录", "down": "没帮助", "skip": "跳过", "cancel": "取消", "person": "转人工",
    },
}  # fmt: skip


def frame_of(visitor: Visitor) -> Frame:
    return next(frame for frame in visitor.page.frames if "/widget/" in frame.url)


def place(locator: Locator) -> tuple[float, float, float, float]:
    """Left, top, right and bottom on the page."""
    box = locator.bounding_box()
    assert box is not None, "it is not on the page"
    return box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]


def violations(frame: Frame | Any, axe: str) -> list[str]:
    if not frame.evaluate("typeof axe == 'object'"):
        frame.evaluate(axe)
    found = frame.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    return [
        f"{one['id']}: {node['html'][:150]} {node['failureSummary']}"
        for one in found
        for node in one["nodes"]
    ]


@pytest.mark.parametrize(
    ("device", "locale", "scheme"),
    [
        ("desk", "en", "light"),
        ("desk", "zh-CN", "dark"),
        ("phone", "en", "dark"),
        ("phone", "zh-CN", "light"),
        pytest.param("desk", "en", "dark", marks=pytest.mark.hard),
        pytest.param("desk", "zh-CN", "light", marks=pytest.mark.hard),
        pytest.param("phone", "en", "light", marks=pytest.mark.hard),
        pytest.param("phone", "zh-CN", "dark", marks=pytest.mark.hard),
    ],
)
def test_axe_finds_nothing_in_any_state(
    street: Street, axe: str, device: str, locale: str, scheme: str
) -> None:
    words = WORDS[locale]
    options = PHONE if device == "phone" else {}
    visitor = street.shop(attributes=f'data-locale="{locale}"', color_scheme=scheme, locale=locale, **options)
    found: dict[str, list[str]] = {}

    def look(state: str) -> None:
        visitor.page.wait_for_timeout(250)  # what fades in is not pale any more
        found[state] = violations(frame_of(visitor), axe)

    found["closed"] = violations(visitor.page.main_frame, axe)
    visitor.opens()
    look("greeting")
    found["open page"] = violations(visitor.page.main_frame, axe)
    visitor.asks(words["ask"])
    visitor.chat.locator("summary").last.click()
    look("answer with source")
    visitor.asks(words["order"])
    look("slot asked for")
    visitor.chat.get_by_role("button", name=words["down"]).first.click()
    look("what was wrong")
    visitor.chat.get_by_role("button", name=words["skip"]).click()
    visitor.chat.get_by_role("button", name=words["more"]).click()
    look("menu")
    visitor.chat.get_by_role("menuitem", name=words["email"]).click()
    look("e-mail")
    visitor.chat.get_by_role("button", name=words["cancel"]).click()
    visitor.writes("x" * 3000)
    sees(visitor.chat.locator(".state.bad")).to_be_visible()
    look("not sent")
    visitor.page.context.set_offline(True)
    visitor.writes(words["ask"])
    sees(visitor.chat.locator(".offline")).to_be_visible()
    look("no network")
    visitor.page.context.set_offline(False)
    sees(visitor.turns).to_have_count(3)
    visitor.chat.get_by_role("button", name=words["person"], exact=True).last.click()
    sees(visitor.turns).to_have_count(4)
    look("person")
    visitor.chat.get_by_role("button", name=words["more"]).click()
    visitor.chat.get_by_role("menuitem", name=words["end"]).click()
    look("how was it")
    visitor.chat.get_by_role("button", name=words["skip"]).click()
    look("ended")

    assert {state: said for state, said in found.items() if said} == {}


@pytest.mark.parametrize("address", ["/site/index.html", "/site/en.html"])
def test_axe_finds_nothing_while_an_answer_is_written_nor_on_pages_of_our_own(
    street: Street, axe: str, address: str
) -> None:
    def slowly(route: Route) -> None:
        route.fulfill(status=200, headers={"Content-Type": "text/event-stream"}, body=": nothing yet\n\n")

    site = street.visit(street.kefu.url + address)
    page = street.visit(f"{street.kefu.url}/widget/page?site=shop")
    sees(page.chat.locator(".choice").first).to_be_visible()
    found = [*violations(site.page.main_frame, axe), *violations(page.page.main_frame, axe)]
    page.page.route("**/api/widget/messages", slowly)
    page.writes("hello")
    sees(page.chat.locator(".pending")).to_be_visible()
    page.page.wait_for_timeout(250)
    found += violations(page.page.main_frame, axe)

    assert found == []


@pytest.mark.parametrize("color", ["#ffd400", "#000", "#fff", "#e91e63", "#7f7f7f"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_any_brand_can_be_read(street: Street, axe: str, color: str, scheme: str) -> None:
    visitor = street.visit(
        f"{street.kefu.url}/widget/page?site=shop#color={color.replace('#', '%23')}&colorScheme={scheme}"
    )
    sees(visitor.chat.locator(".choice").first).to_be_visible()
    visitor.asks("How long is the return period?")
    visitor.page.wait_for_timeout(250)

    assert violations(visitor.page.main_frame, axe) == []


def test_the_whole_conversation_is_held_by_keys(street: Street) -> None:
    visitor = street.shop(body="<a href='#x'>first</a>")
    keys = visitor.page.keyboard
    visitor.until(lambda: len(visitor.page.frames) > 1)
    visitor.launcher.focus()
    keys.press("Enter")
    sees(visitor.chat.locator(".box textarea")).to_be_focused()

    keys.type("Where is my order?")
    keys.press("Enter")
    sees(visitor.turns).to_have_count(1)
    keys.type("LM2026110012")
    keys.press("Enter")
    sees(visitor.turns).to_have_count(2)
    keys.press("Tab")
    sees(visitor.chat.get_by_role("button", name="Send")).to_be_focused()
    keys.press("Tab")
    sees(visitor.chat.locator(".person")).to_be_focused()
    keys.press("Enter")
    sees(visitor.turns).to_have_count(3)
    keys.press("Escape")

    sees(visitor.window).to_be_hidden()
    sees(visitor.launcher).to_be_focused()


def test_the_menu_is_worked_by_arrows_and_left_by_escape(street: Street) -> None:
    visitor = street.shop()
    visitor.opens()
    visitor.asks("How long is the return period?")
    keys = visitor.page.keyboard
    menu = visitor.chat.get_by_role("button", name="More")
    menu.focus()
    keys.press("Enter")
    sees(visitor.chat.get_by_role("menuitem").first).to_be_focused()
    keys.press("ArrowUp")
    sees(visitor.chat.get_by_role("menuitemradio", name="English")).to_be_focused()
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    sees(visitor.chat.get_by_role("menuitem", name="Download transcript")).to_be_focused()
    keys.press("Escape")
    sees(menu).to_be_focused()
    sees(visitor.window).to_be_visible()
    keys.press("Enter")
    keys.press("End")
    keys.press("ArrowUp")
    keys.press("Enter")

    sees(visitor.chat.locator("html")).to_have_attribute("lang", "zh-TW")


def test_a_screen_reader_hears_each_reply_once_and_whole(street: Street) -> None:
    visitor = street.shop()
    visitor.opens()
    sees(visitor.chat.locator("[role=log]")).to_have_attribute("aria-live", "off")
    frame_of(visitor).evaluate("""() => {
      window.heard = [];
      new MutationObserver(() => heard.push(document.querySelector("main [aria-live=polite]").textContent))
        .observe(document.querySelector("main [aria-live=polite]"), { childList: true, subtree: true, characterData: true });
    }""")

    visitor.asks("How long is the return period?")
    visitor.asks("How long is the return period?")

    heard = frame_of(visitor).evaluate("heard")
    assert len(heard) == 2
    assert all(said.startswith("Lumi said: ") and "15 days" in said for said in heard)


def test_on_a_phone_the_window_covers_the_page_which_stays_still_and_the_focus_stays_inside(
    street: Street,
) -> None:
    visitor = street.shop(body="<p>text</p>" * 200, **PHONE)
    visitor.opens()

    assert place(visitor.window) == (0, 0, 390, 780)
    assert visitor.js("document.documentElement.style.overflow") == "hidden"
    sees(visitor.window).to_have_attribute("aria-modal", "true")
    sees(visitor.launcher).to_be_hidden()
    visitor.chat.locator(".box textarea").focus()
    for _ in range(12):
        visitor.page.keyboard.press("Tab")
    assert visitor.js("document.activeElement.tagName") == "KEFU-WIDGET"
    assert frame_of(visitor).evaluate("document.hasFocus() && document.activeElement !== document.body")
    visitor.chat.get_by_role("button", name="Close chat").click()
    sees(visitor.launcher).to_be_visible()
    assert visitor.js("document.documentElement.style.overflow") == ""


def test_the_keyboard_of_a_phone_does_not_cover_the_box(street: Street) -> None:
    visitor = street.shop(**PHONE)
    visitor.opens()

    visitor.js("""() => {
      Object.defineProperty(visualViewport, "height", { get: () => 420, configurable: true });
      visualViewport.dispatchEvent(new Event("resize"));
    }""")

    visitor.until(lambda: place(visitor.chat.locator(".dock"))[1] < 420)

    assert place(visitor.chat.locator(".dock"))[3] <= 421


def test_twice_as_large_everything_is_still_there(street: Street) -> None:
    visitor = street.shop(viewport={"width": 640, "height": 400}, device_scale_factor=2)
    visitor.opens()
    visitor.asks("How long is the return period?")

    for part in (".box textarea", ".person", "header .icon"):
        left, top, right, bottom = place(visitor.chat.locator(part).first)
        assert (left >= 0, top >= 0, right <= 640, bottom <= 400) == (True, True, True, True), part
    assert frame_of(visitor).evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_language_from_the_right_turns_the_window_round(street: Street) -> None:
    visitor = street.shop(attributes="""data-dir="rtl" data-texts='{"placeholder": "اكتب رسالة"}'""")
    visitor.opens()
    visitor.asks("كم مدة الإرجاع؟ How long is the return period?")

    sees(visitor.chat.locator("html")).to_have_attribute("dir", "rtl")
    user, reply = (place(visitor.chat.locator(f"[data-turn] .{side} .bubble")) for side in ("user", "bot"))
    window = place(visitor.window)
    assert user[0] - window[0] < 30
    assert reply[2] > user[2]
    sees(visitor.chat.get_by_placeholder("اكتب رسالة")).to_be_visible()


def test_nothing_moves_for_who_wants_no_motion(street: Street) -> None:
    visitor = street.shop(reduced_motion="reduce")
    visitor.opens()

    assert visitor.window.evaluate("e => getComputedStyle(e).transitionDuration") == "0s"
    assert (
        frame_of(visitor).evaluate("""() => [...document.querySelectorAll('*')]
      .filter((e) => getComputedStyle(e).animationName != 'none').length""")
        == 0
    )


def test_the_scheme_follows_the_system_while_open(street: Street) -> None:
    visitor = street.shop(color_scheme="light")
    visitor.opens()
    sees(visitor.chat.locator("html")).to_have_attribute("data-scheme", "light")

    visitor.page.emulate_media(color_scheme="dark")

    sees(visitor.chat.locator("html")).to_have_attribute("data-scheme", "dark")


def test_strange_characters_do_not_break_the_layout(street: Street) -> None:
    visitor = street.shop()
    visitor.opens()
    zalgo = "Z" + "\u0301" * 1500

    visitor.asks(f"{zalgo} \u202eesrever\u202c \u200b\u200b {'W' * 300}")

    assert frame_of(visitor).evaluate("document.documentElement.scrollWidth <= innerWidth")
    sees(visitor.chat.locator(".box")).to_be_visible()
