"""The sample help centre: its pages, its search and its buttons, with the widget beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from street import sees

if TYPE_CHECKING:
    from street import Street

pytestmark = [pytest.mark.browser, pytest.mark.models]


def test_a_question_in_the_search_box_is_answered_in_the_window(street: Street) -> None:
    visitor = street.visit(f"{street.kefu.url}/site/en.html")
    visitor.until(lambda: visitor.js("!!window.kefu"))

    visitor.page.locator("#question").fill("How long is the return period?")
    visitor.page.locator("#question").press("Enter")

    sees(visitor.window).to_be_visible()
    sees(visitor.turns).to_have_count(1)
    sees(visitor.replies.last).to_contain_text("15 days")
    sees(visitor.page.locator("#question")).to_have_value("")
    assert visitor.complaints == []
    assert [said for said in visitor.said_on_console if said.startswith(("error", "warning"))] == []


def test_the_chinese_page_and_its_buttons_speak_chinese(street: Street) -> None:
    visitor = street.visit(f"{street.kefu.url}/site/", locale="zh-CN")
    visitor.until(lambda: visitor.js("!!window.kefu"))

    visitor.page.get_by_role("button", name="多久能收到货？").click()
    sees(visitor.turns).to_have_count(1)
    visitor.page.locator(".people button").click()
    sees(visitor.turns).to_have_count(2)

    sees(visitor.chat.locator("h1")).to_have_text("鹿米客服 Lumi")
    sees(visitor.replies.last).to_contain_text("人工")


def test_the_conversation_goes_along_from_one_page_to_the_next(street: Street) -> None:
    visitor = street.visit(f"{street.kefu.url}/site/en.html")
    visitor.opens()
    visitor.asks("How long is the return period?")

    visitor.page.get_by_role("link", name="中文").click()

    sees(visitor.window).to_be_visible()
    sees(visitor.turns).to_have_count(1)
    sees(visitor.chat.locator(".person")).to_have_text("转人工")


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_page_scrolls_sideways(street: Street, width: int) -> None:
    for page in ("index.html", "en.html"):
        visitor = street.visit(f"{street.kefu.url}/site/{page}", viewport={"width": width, "height": 700})

        assert visitor.js("document.documentElement.scrollWidth") <= width
