"""A conversation in the widget, as a person has it: the real server, the real models, Chromium."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from street import sees

if TYPE_CHECKING:
    from playwright.sync_api import Route
    from street import PostOffice, Street, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.models]
EVENTS = """
window.seen = [];
(window.kefu = window.kefu || []).push(...["ready", "open", "close", "message:sent", "message:received", "unread",
  "handoff", "error"].map((name) => ["on", name, (detail) => window.seen.push([name, detail])]));
"""


def names(visitor: Visitor) -> list[str]:
    return [name for name, _ in visitor.js("window.seen")]


def test_a_question_is_answered_with_its_source_and_said_to_be_automated_before(street: Street) -> None:
    visitor = street.shop()
    visitor.opens()
    sees(visitor.chat.locator(".disclosure")).to_contain_text("automated assistant")
    sees(visitor.chat.locator(".choice").first).to_be_visible()

    visitor.asks("How long is the return period?")
    visitor.chat.locator("summary").last.click()

    sees(visitor.replies.last).to_contain_text("15 days")
    sees(visitor.chat.locator("blockquote").last).to_contain_text("15 days")
    assert visitor.complaints == []
    assert [said for said in visitor.said_on_console if "kefu" in said] == []


def test_a_chinese_page_is_answered_in_chinese(street: Street) -> None:
    visitor = street.shop(attributes='data-locale="zh-CN"', locale="zh-CN")
    visitor.opens()
    sees(visitor.chat.locator(".disclosure")).to_contain_text("自动")

    visitor.asks("多少天内可以退货？")

    sees(visitor.replies.last).to_contain_text("15 天")
    sees(visitor.chat.locator(".person")).to_have_text("转人工")


def test_slots_are_asked_for_and_filled_and_quick_replies_are_pressed(street: Street) -> None:
    visitor = street.shop()
    visitor.opens()
    visitor.asks("Where is my order?")
    sees(visitor.replies.last).to_contain_text("order number")

    visitor.asks("LM2026110012")
    sees(visitor.replies.last).to_contain_text("LM2026110012")
    visitor.asks("how do I become an astronaut on mars")
    visitor.chat.locator(".choice").last.click()
    sees(visitor.turns).to_have_count(4)

    sees(visitor.chat.locator("[data-turn] .user .bubble").last).to_contain_text("Talk to a person")


def test_a_person_is_one_press_away_at_any_moment(street: Street) -> None:
    visitor = street.shop(settings=EVENTS)
    visitor.opens()

    visitor.chat.locator(".person").click()
    sees(visitor.turns).to_have_count(1)

    sees(visitor.chat.locator(".user .bubble").last).to_contain_text("Talk to a person")
    assert "handoff" in names(visitor)


def test_an_answer_shows_while_it_is_written_and_goes_on_where_the_network_cut_it(street: Street) -> None:
    visitor = street.shop()
    visitor.opens()
    headers: list[dict[str, str]] = []

    def cut(route: Route) -> None:
        headers.append(route.request.headers)
        if len(headers) > 1:
            return route.continue_()
        said = 'event: delta\nid: 8\ndata: {"text": "You have"}\n\n'
        return route.fulfill(status=200, headers={"Content-Type": "text/event-stream"}, body=said)

    visitor.page.route("**/api/widget/messages", cut)
    visitor.writes("How long is the return period?")
    sees(visitor.chat.locator(".pending .bot .bubble")).to_contain_text("You have")
    sees(visitor.turns).to_have_count(1)

    sees(visitor.replies.last).to_contain_text("15 days")
    assert headers[1]["last-event-id"] == "8"
    assert "last-event-id" not in headers[0]


def test_what_is_written_without_a_network_waits_and_is_sent_once_it_is_back(street: Street) -> None:
    visitor = street.shop()
    visitor.opens()
    visitor.page.context.set_offline(True)

    visitor.writes("How long is the return period?")
    visitor.writes("How long does delivery take?")
    sees(visitor.chat.locator(".pending .state")).to_have_count(2)
    sees(visitor.chat.locator(".offline")).to_be_visible()
    visitor.page.context.set_offline(False)
    sees(visitor.turns).to_have_count(2)

    sees(visitor.chat.locator(".pending")).to_have_count(0)
    sees(visitor.chat.locator(".offline")).to_be_hidden()
    sees(visitor.replies.first.locator("..").locator("..")).to_be_visible()


def test_a_message_survives_a_reload_and_is_answered_once(street: Street) -> None:
    visitor = street.shop()
    visitor.opens()
    keys: list[str] = []

    def refuse(route: Route) -> None:
        keys.append(json.loads(route.request.post_data or "{}")["key"])
        route.abort("connectionreset")

    visitor.page.route("**/api/widget/messages", refuse)
    with visitor.page.expect_event("requestfailed", lambda request: "messages" in request.url):
        visitor.writes("How long is the return period?")
    sees(visitor.chat.locator(".pending .state")).to_be_visible()
    visitor.page.unroute("**/api/widget/messages")
    with visitor.page.expect_request("**/api/widget/messages") as sent:
        visitor.page.reload()

    sees(visitor.turns).to_have_count(1)
    sees(visitor.chat.locator(".pending")).to_have_count(0)
    assert json.loads(sent.value.post_data or "{}")["key"] == keys[0]


def test_a_reply_that_was_lost_on_the_way_is_not_given_twice(street: Street) -> None:
    visitor = street.shop()
    visitor.opens()
    lost: list[int] = []

    def lose(route: Route) -> None:
        if lost:
            return route.continue_()
        lost.append(route.fetch().status)  # the server has answered and stored; nobody hears it
        return route.abort("connectionreset")

    visitor.page.route("**/api/widget/messages", lose)
    visitor.writes("How long is the return period?")
    sees(visitor.chat.locator(".pending")).to_have_count(0)
    visitor.page.unroute("**/api/widget/messages")
    visitor.page.reload()
    sees(visitor.turns).to_have_count(1)

    assert lost == [200]


def test_the_conversation_is_there_again_and_the_window_stays_open_in_its_tab(street: Street) -> None:
    visitor = street.shop()
    visitor.opens()
    visitor.asks("How long is the return period?")

    visitor.page.reload()

    sees(visitor.window).to_be_visible()
    sees(visitor.replies).to_have_count(1)
    sees(visitor.replies.last).to_contain_text("15 days")


def test_what_was_not_sent_yet_is_still_in_the_box_after_a_reload(street: Street) -> None:
    visitor = street.shop()
    visitor.opens()
    visitor.chat.locator(".box textarea").fill("half a thou")

    visitor.page.reload()

    sees(visitor.chat.locator(".box textarea")).to_have_value("half a thou")


def test_two_tabs_show_the_same_conversation(street: Street) -> None:
    context = street.context()
    address = street.shop_page()
    one, other = street.visit(address, context=context), street.visit(address, context=context)
    one.opens()
    other.opens()

    one.asks("How long is the return period?")
    sees(other.replies).to_have_count(1)
    other.asks("How long does delivery take?")
    sees(one.replies).to_have_count(2)
    one.js("kefu.reset()")

    sees(one.replies).to_have_count(0)
    sees(other.replies).to_have_count(0)


def test_replies_that_nobody_saw_are_counted_on_the_launcher(street: Street) -> None:
    visitor = street.shop(settings=EVENTS)
    visitor.opens()
    visitor.launcher.click()

    visitor.js('kefu.sendMessage("How long is the return period?")')
    sees(visitor.page.locator("kefu-widget i")).to_have_text("1")
    sees(visitor.launcher).to_have_attribute("aria-label", "Chat with us (1)")
    visitor.page.reload()
    sees(visitor.page.locator("kefu-widget i")).to_have_text("1")
    visitor.launcher.click()

    sees(visitor.page.locator("kefu-widget i")).to_be_hidden()
    # The page is told when the frame has told the launcher, a moment later.
    visitor.page.wait_for_function(
        "window.seen.filter(([name]) => name == 'unread').map(([, detail]) => detail.count).join() == '1,0'"
    )


def test_thumbs_are_stored_with_the_reason(street: Street) -> None:
    visitor = street.shop()
    visitor.opens()
    visitor.asks("How long is the return period?")
    sent: list[Any] = []
    visitor.page.on(
        "request", lambda request: sent.append(request.post_data_json) if "feedback" in request.url else None
    )

    visitor.chat.get_by_role("button", name="Not helpful").click()
    visitor.chat.get_by_text("Out of date").click()
    visitor.chat.get_by_label("Anything to add? (optional)").fill("It was 30 before")
    visitor.chat.get_by_role("button", name="Submit").click()
    sees(visitor.chat.locator(".list > .note")).to_have_text("Thank you for your feedback!")
    visitor.page.reload()

    sees(visitor.chat.get_by_role("button", name="Not helpful")).to_have_attribute("aria-pressed", "true")
    assert sent[-1] == {"value": "down", "reasons": ["Out of date"], "comment": "It was 30 before"}


def test_the_end_asks_how_it_was_and_a_new_chat_begins(street: Street) -> None:
    visitor = street.shop()
    visitor.opens()
    visitor.asks("How long is the return period?")
    visitor.chat.get_by_role("button", name="More").click()
    visitor.chat.get_by_role("menuitem", name="End this chat").click()

    with visitor.page.expect_response("**/api/widget/csat") as rated:
        visitor.chat.get_by_role("radio", name="Very good").check(force=True)
        visitor.chat.get_by_role("button", name="Submit").click()
    sees(visitor.chat.locator(".box")).to_be_hidden()
    visitor.chat.get_by_role("button", name="New chat").click()

    sees(visitor.chat.locator(".box")).to_be_visible()
    sees(visitor.replies).to_have_count(0)
    assert rated.value.status == 204


def test_the_transcript_is_saved_as_a_file(street: Street) -> None:
    visitor = street.shop()
    visitor.opens()
    visitor.asks("How long is the return period?")
    visitor.chat.get_by_role("button", name="More").click()

    with visitor.page.expect_download() as saved:
        visitor.chat.get_by_role("menuitem", name="Download transcript").click()

    assert "15 days" in saved.value.path().read_text("utf-8")


def test_a_server_without_mail_offers_the_file_instead(street: Street) -> None:
    visitor = street.shop()
    visitor.opens()
    visitor.asks("How long is the return period?")
    visitor.chat.get_by_role("button", name="More").click()
    visitor.chat.get_by_role("menuitem", name="E-mail transcript").click()

    visitor.chat.get_by_label("Send the transcript to this e-mail address").fill("me@example.com")
    visitor.chat.locator("form.card [type=submit]").click()

    sees(visitor.chat.locator(".list > .note")).to_contain_text("download the transcript instead")


def test_a_file_is_refused_politely_with_another_way(street: Street) -> None:
    visitor = street.shop()
    visitor.opens()

    visitor.chat.locator("body").evaluate("""body => {
      const carried = new DataTransfer();
      carried.items.add(new File(["x"], "photo.png", { type: "image/png" }));
      body.dispatchEvent(new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true }));
    }""")

    sees(visitor.chat.locator(".note[role=alert]")).to_contain_text("support@lumideer.example")


def test_a_message_that_is_too_long_can_be_changed_and_sent_again(street: Street) -> None:
    visitor = street.shop()
    visitor.opens()
    visitor.writes("long " * 600)
    sees(visitor.chat.locator(".state.bad")).to_contain_text("2000")
    sees(visitor.chat.locator(".dots")).to_have_count(0)

    visitor.chat.get_by_role("button", name="Edit and send again").click()
    sees(visitor.chat.locator(".box textarea")).to_have_value(re.compile("^long long"))
    visitor.asks("How long is the return period?")

    sees(visitor.chat.locator(".state.bad")).to_have_count(0)


def test_while_a_word_is_being_composed_enter_does_not_send(street: Street) -> None:
    visitor = street.shop()
    visitor.opens()
    box = visitor.chat.locator(".box textarea")
    box.fill("ni hao")

    box.evaluate("""box => box.dispatchEvent(
        new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true, cancelable: true }))""")
    box.press("Shift+Enter")

    sees(box).to_have_value("ni hao\n")
    sees(visitor.chat.locator(".user")).to_have_count(0)


def test_what_the_site_asks_first_comes_before_the_first_message(street: Street) -> None:
    visitor = street.visit(street.shop_page(bot="evil"))
    visitor.launcher.click()
    sees(visitor.chat.get_by_label("Your e-mail address")).to_be_visible()
    sees(visitor.chat.locator(".box")).to_be_hidden()

    visitor.chat.get_by_label("Your name (optional)").fill("Ada")
    visitor.chat.get_by_label("Your e-mail address").fill("ada@example.com")
    with visitor.page.expect_response("**/api/widget/prechat") as told:
        visitor.chat.get_by_role("button", name="Start chatting").click()
    sees(visitor.chat.locator(".box textarea")).to_be_focused()
    visitor.page.reload()

    sees(visitor.chat.locator(".box")).to_be_visible()
    assert told.value.status == 204


def test_who_wants_a_person_need_not_fill_in_a_form(street: Street) -> None:
    visitor = street.visit(street.shop_page(bot="evil"))
    visitor.launcher.click()
    sees(visitor.chat.get_by_label("Your e-mail address")).to_be_visible()

    visitor.chat.locator(".person").click()
    sees(visitor.turns).to_have_count(1)

    sees(visitor.chat.locator(".box")).to_be_visible()
    sees(visitor.chat.get_by_label("Your e-mail address")).to_have_count(0)


def test_a_transcript_is_mailed_to_the_address_that_was_given(
    street: Street, post_office: PostOffice
) -> None:
    visitor = street.visit(street.shop_page(bot="evil", attributes='data-prechat="false"'))
    visitor.opens()
    visitor.asks("payload0x, and what about <b>this</b>?")
    before = len(post_office.mails)

    visitor.chat.get_by_role("button", name="More").click()
    visitor.chat.get_by_role("menuitem", name="E-mail transcript").click()
    visitor.chat.locator("form.card input").fill("me@mail.example")
    visitor.chat.locator("form.card input").press("Enter")
    sees(visitor.chat.locator(".list > .note")).to_have_text("The transcript is on its way.")
    visitor.until(lambda: len(post_office.mails) > before)

    (mail,) = post_office.mails[before:]
    assert mail["X-Envelope"] == "bot@evil.example > me@mail.example"
    assert (mail["From"], mail["To"]) == ("bot@evil.example", "me@mail.example")
    assert mail.get_content_type() == "text/plain"
    said = str(mail.get_payload(decode=True), "utf-8")  # type: ignore[arg-type]
    assert "You: payload0x, and what about <b>this</b>?" in said
    assert len(re.findall(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d\] ", said, re.MULTILINE)) == 2


def test_on_a_touch_screen_no_keyboard_covers_what_there_is_to_read(street: Street) -> None:
    visitor = street.shop(viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    visitor.opens()

    sees(visitor.chat.locator("[role=log]")).to_be_focused()
    visitor.chat.locator(".choice").first.tap()
    sees(visitor.turns).to_have_count(1)

    sees(visitor.chat.locator(".box textarea")).not_to_be_focused()


def test_a_server_that_is_away_at_first_is_found_again(street: Street) -> None:
    visitor = street.shop()
    visitor.page.route("**/api/widget/session", lambda route: route.abort("connectionrefused"))
    visitor.opens()
    sees(visitor.chat.locator(".offline")).to_be_visible()
    visitor.writes("How long is the return period?")
    visitor.page.unroute("**/api/widget/session")

    sees(visitor.turns).to_have_count(1)
    sees(visitor.chat.locator(".offline")).to_be_hidden()
    sees(visitor.chat.locator(".disclosure")).to_contain_text("Lumi")
