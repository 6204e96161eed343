"""What a person sees on the chat page: Chromium against the real app, with a bot that has no model."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
import uvicorn
from payloads import payloads

from chatbot.bot import Bot, Stages
from chatbot.settings import Settings
from chatbot.types import Citation, Decision, Delta, Reply, Turn, Understanding
from fakes import FakeAnswerer, FakeDesk, FakePolicy, FakeRetriever, FakeStore, FakeUnderstander
from knowledge.types import Hit, Passage
from ui.commands.serve import make_app

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Locator, LocatorAssertions, Page, Response

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH: apt install chromium"),
    # Of gradio, once per process: it asks pandas 3 for an option that pandas 2 needed.
    pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting' is deprecated"),
]
PATIENCE_MS = 30_000
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)> ![pixel](http://tracker.example/pixel.png)"
PASSAGES = (
    Passage("faq:returns", "You can return it within **15 days**.", "how do i return an item", "faq", "en"),
    Passage("faq:opened", "Opened items within 7 days.", "how do i return an opened item", "faq", "en"),
    Passage("faq:evil", EVIL, "evil", "faq", "en"),
)
SUGGESTIONS = {
    "zh": ["怎么退货？", "保修多久？"],
    "en": ["How do I return an item", "How long is the warranty?"],
}


@dataclass
class ScriptedAnswerer(FakeAnswerer):
    """Says the passage in pieces; waits in the middle while the message has "slowly" in it."""

    release: threading.Event = field(default_factory=threading.Event)

    def answer(
        self, decision: Decision, understanding: Understanding, hits: Sequence[Hit], history: Sequence[Turn]
    ) -> Iterator[Delta | Reply]:
        text = hits[0].passage.text if hits else "I do not know that."
        yield Delta(text[:8])
        for _ in range(600 if "slowly" in understanding.query else 0):
            if self.release.wait(0.05):
                break
            yield Delta(".")
        yield Delta(text[8:])
        sources = [
            Citation(hit.passage.id, hit.passage.title, hit.passage.text, "faq", "https://shop.example/help")
            for hit in hits
        ]
        yield Reply(text, sources, ["Talk to a person", "How long is the warranty?"])


@dataclass
class PageService:
    """The service as the page and the server see it."""

    settings: Settings = field(
        default_factory=lambda: Settings.model_validate(
            {
                "project": {"name": "Lumi", "bot_name": "Lumi Helper"},
                "security": {"requests_per_minute": 0},
                "understanding": {"max_characters": 300},
            }
        )
    )
    store: FakeStore = field(default_factory=FakeStore)
    answerer: ScriptedAnswerer = field(default_factory=ScriptedAnswerer)

    @property
    def bot(self) -> Bot:
        versions = {"encoder": "fake-256"}
        stages = Stages(
            FakeUnderstander("warranty"), FakeRetriever(*PASSAGES), FakePolicy(), self.answerer, versions
        )
        return Bot(lambda: stages, self.store, FakeDesk())

    def ready(self) -> dict[str, str]:
        return {}

    def suggestions(self, locale: str) -> Sequence[str]:
        return SUGGESTIONS[locale]


@dataclass(frozen=True)
class Server:
    """A running server: its service and its address."""

    service: PageService
    url: str


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The app on a free port; made inside the loop that runs it, as gradio wants its locks there."""
    service, ready, ends = PageService(), threading.Event(), threading.Event()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))

        async def run() -> None:
            app = make_app(service, service.settings)  # type: ignore[arg-type]
            running = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
            serving = asyncio.create_task(running.serve(sockets=[listening]))
            ready.set()
            while not ends.is_set():
                await asyncio.sleep(0.1)
            running.should_exit = True
            await serving

        thread = threading.Thread(target=lambda: asyncio.run(run()))
        thread.start()
        try:
            assert ready.wait(60), "the server did not start"
            yield Server(service, "http://{}:{}/".format(*listening.getsockname()))
        finally:
            service.answerer.release.set()
            ends.set()
            thread.join(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield launched
        launched.close()


@dataclass
class Visitor:
    """A person with a browser; remembers what the browser asked for and complained about."""

    page: Page
    server: Server
    asked_for: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("request", lambda request: self.asked_for.append(request.url))
        self.page.on("dialog", self._complain_of_dialog)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("response", self._complain_of_failure)

    def _complain_of_dialog(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _complain_of_failure(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} {response.url}")

    def opens(self) -> None:
        self.page.goto(self.server.url)
        # Starter questions, or the last conversation, come with the load event: before it nothing can be asked.
        self.page.locator(".chat .example, [data-testid=user]").first.wait_for()

    def writes(self, text: str) -> None:
        self.page.locator(".box textarea").fill(text)
        self.page.locator(".box textarea").press("Enter")

    def asks(self, text: str) -> None:
        """Write, and wait until the answer is there as a whole."""
        number = self.user_texts.count() + 1
        self.writes(text)
        self.sees_answer(number)

    def sees_answer(self, number: int) -> None:
        """Wait until the page shows the question of this number with its whole answer, which is stored then."""
        sees(self.user_texts).to_have_count(number)
        sees(self.page.locator(".box .submit-button")).to_be_visible()
        sees(self.page.locator(".chat .options")).to_be_visible()

    def begins_anew(self) -> None:
        self.page.locator(".new-button").dispatch_event("click")
        sees(self.page.locator(".chat .example")).to_have_count(2)

    def presses(self, name: str) -> None:
        """A button under the last answer."""
        self.page.locator(f".message-buttons-left [aria-label={name}]").last.click()

    @property
    def user_texts(self) -> Locator:
        return self.page.locator("[data-testid=user]")

    @property
    def bot_texts(self) -> Locator:
        return self.page.locator(".bot-row .message:not(.thought) > [data-testid=bot]")


def sees(locator: Locator) -> LocatorAssertions:
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE_MS)
    return expect(locator)


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_MS / 1000
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def visit(browser: Browser, server: Server, *, locale: str, width: int = 1100) -> Visitor:
    context = browser.new_context(locale=locale, viewport={"width": width, "height": 760})
    visitor = Visitor(context.new_page(), server)
    visitor.watch()
    visitor.opens()
    return visitor


@pytest.fixture(scope="module")
def regular(browser: Browser, server: Server) -> Visitor:
    """One English page for all tests that need no page of their own."""
    return visit(browser, server, locale="en-US")


@pytest.fixture
def visitor(regular: Visitor) -> Visitor:
    """The English page at an empty conversation."""
    regular.begins_anew()
    return regular


def test_the_page_greets_in_the_browsers_language_and_offers_questions(
    browser: Browser, server: Server, visitor: Visitor
) -> None:
    chinese = visit(browser, server, locale="zh-CN", width=390).page

    sees(visitor.page.locator(".placeholder h2")).to_have_text("Hello, how can I help?")
    sees(visitor.page.locator(".chat .example")).to_have_text(SUGGESTIONS["en"])
    sees(chinese.locator(".placeholder h2")).to_have_text("您好，有什么可以帮您？")
    sees(chinese.locator(".chat .example")).to_have_text(SUGGESTIONS["zh"])
    assert chinese.evaluate("document.documentElement.scrollWidth") <= 390
    chinese.context.close()


def test_one_visitors_slow_answer_does_not_hold_up_another_whose_phone_never_scrolls_sideways(
    browser: Browser, server: Server, visitor: Visitor
) -> None:
    phone = visit(browser, server, locale="en-US", width=390)
    server.service.answerer.release.clear()
    visitor.writes("slowly")
    sees(visitor.bot_texts.last).to_contain_text("..")

    phone.asks("how do i return " + "unbreakable" * 12)
    server.service.answerer.release.set()
    visitor.sees_answer(1)
    phone.presses("Dislike")
    sees(phone.page.locator(".feedback")).to_be_visible()
    while_rating = phone.page.evaluate("document.documentElement.scrollWidth")
    phone.page.locator(".why-bar .toggle-button").click()
    sees(phone.page.locator(".why-bar")).to_have_class(re.compile("open"))
    with_panel = phone.page.evaluate("document.documentElement.scrollWidth")
    phone.page.context.close()

    assert (while_rating, with_panel) == (390, 390)


def test_an_answer_appears_while_it_is_written_and_is_then_stored(visitor: Visitor) -> None:
    visitor.server.service.answerer.release.clear()
    stored = len(visitor.server.service.store.turns)

    visitor.writes("how do i return an item slowly, ![a](http://tracker.example/a.png)")
    sees(visitor.bot_texts.last).to_contain_text("You can ..")
    before = len(visitor.server.service.store.turns)
    visitor.server.service.answerer.release.set()
    visitor.sees_answer(1)

    assert before == stored
    sees(visitor.bot_texts.last).to_have_text("You can return it within 15 days.")
    sees(visitor.page.locator(".box textarea")).to_have_value("")


def test_starter_questions_and_quick_replies_are_asked_by_a_click(visitor: Visitor) -> None:
    visitor.page.locator(".chat .example").first.click()
    visitor.sees_answer(1)
    visitor.page.locator(".chat .option", has_text="Talk to a person").click()
    visitor.sees_answer(2)

    sees(visitor.user_texts).to_have_text([SUGGESTIONS["en"][0], "Talk to a person"])
    assert visitor.server.service.store.turns[-1].decision.kind == "handoff"


def test_the_sources_of_an_answer_open(visitor: Visitor) -> None:
    visitor.asks("how do i return an item")
    folded = visitor.page.locator(".chat blockquote").count()

    visitor.page.locator(".thought-group .title").click()

    sees(visitor.page.locator(".chat blockquote").first).to_contain_text("within 15 days")
    sees(visitor.page.locator(".thought-group a").first).to_have_attribute(
        "href", "https://shop.example/help"
    )
    assert folded == 0


def test_a_thumb_up_is_stored_and_asks_nothing(visitor: Visitor) -> None:
    ratings = visitor.server.service.store.ratings
    visitor.asks("how do i return an item")

    visitor.presses("Like")

    until(lambda: bool(ratings) and ratings[-1].turn_id == visitor.server.service.store.turns[-1].id)
    assert ratings[-1].value == "up"
    sees(visitor.page.locator(".feedback")).to_be_hidden()


def test_a_thumb_down_asks_why_and_the_reasons_are_stored(visitor: Visitor) -> None:
    ratings = visitor.server.service.store.ratings
    visitor.asks("how do i return an item")
    visitor.asks("evil")

    visitor.presses("Dislike")
    visitor.page.locator(".feedback label", has_text="Out of date").click()
    visitor.page.locator(".feedback textarea").fill("It was 30 days.")
    visitor.page.locator(".feedback button", has_text="Send").click()

    until(lambda: bool(ratings) and ratings[-1].comment == "It was 30 days.")
    sees(visitor.page.locator(".feedback")).to_be_hidden()
    assert ratings[-1].turn_id == visitor.server.service.store.turns[-1].id
    assert (ratings[-1].value, ratings[-1].reasons) == ("down", ("Out of date",))


def test_the_panel_tells_why_with_probabilities_and_times(visitor: Visitor) -> None:
    visitor.asks("how do i return an item")

    visitor.page.locator(".why-bar .toggle-button").click()

    panel = visitor.page.locator(".why-body.prose")
    for told in ("One stored answer is sure enough", "found", "100%", "faq:returns", "ms", "fake-256"):
        sees(panel).to_contain_text(told)
    visitor.page.locator(".why-bar .toggle-button").click()


def test_the_language_switch_changes_all_words_and_is_remembered(visitor: Visitor) -> None:
    visitor.page.locator(".language label", has_text="中文").click()
    sees(visitor.page.locator(".placeholder h2")).to_have_text("您好，有什么可以帮您？")
    visitor.opens()

    page = visitor.page
    sees(page.locator(".badge")).to_have_text("自动客服助手")
    sees(page.locator(".new-button")).to_have_text("＋ 新对话")
    sees(page.locator(".why-title.prose")).to_have_text("为什么这样回答")
    sees(page.locator(".note.prose")).to_contain_text("随时可以转人工")
    sees(page.locator(".box textarea")).to_have_attribute("placeholder", "输入您的问题，回车发送")
    page.locator(".language label", has_text="English").click()
    sees(page.locator(".new-button")).to_have_text("＋ New conversation")


def test_conversations_are_kept_listed_and_opened_again(visitor: Visitor) -> None:
    visitor.asks("how do i return an opened item")
    visitor.opens()
    sees(visitor.user_texts).to_have_text(["how do i return an opened item"])

    visitor.page.locator(".past-bar .toggle-button").click()
    visitor.page.locator(".new-button").click()
    sees(visitor.user_texts).to_have_count(0)
    visitor.asks("evil")
    sees(visitor.page.locator(".past-list label").first).to_have_text("evil")
    visitor.page.locator(".past-list label", has_text="opened").first.click()

    sees(visitor.user_texts).to_have_text(["how do i return an opened item"])
    visitor.page.locator(".past-bar .toggle-button").click()


def test_stop_ends_a_slow_answer_which_is_stored_as_interrupted(visitor: Visitor) -> None:
    visitor.server.service.answerer.release.clear()
    turns = visitor.server.service.store.turns
    stored = len(turns)

    visitor.writes("how do i return an item slowly")
    sees(visitor.bot_texts.last).to_contain_text("You can ..")
    visitor.page.locator(".box .stop-button").click()

    until(lambda: len(turns) > stored)
    assert turns[-1].reply.finish == "interrupted"
    sees(visitor.page.locator(".box .submit-button")).to_be_visible()
    sees(visitor.bot_texts.last).to_contain_text("(stopped)")


def test_retry_asks_the_same_again(visitor: Visitor) -> None:
    visitor.asks("how do i return *this* <item>? [1]")
    turns = visitor.server.service.store.turns

    visitor.presses("Retry")
    visitor.sees_answer(2)

    assert turns[-1].message.text == turns[-2].message.text == "how do i return *this* <item>? [1]"
    assert turns[-1].message.key != turns[-2].message.key


def test_markup_from_customers_and_answers_is_shown_as_text(visitor: Visitor) -> None:
    visitor.asks("evil")
    visitor.page.locator(".thought-group .title").click()
    visitor.asks(EVIL)

    sees(visitor.bot_texts.first).to_contain_text("<script>alert(1)</script><img src=x onerror=alert(2)>")
    sees(visitor.user_texts.last).to_have_text(EVIL)
    assert visitor.page.locator(".chat .message img, .chat .message script").count() == 0
    assert not [url for url in visitor.asked_for if "tracker.example" in url or url.endswith("/x")]


ON_THE_PAGE = """() => ({
  loading: [...document.querySelectorAll(".chat .message :is(img, iframe, object, embed, video, audio, source, base, meta, style, link, script, form, input)")].map((e) => e.outerHTML),
  handlers: [...document.querySelectorAll("*")].flatMap((e) => [...e.attributes]).filter((a) => /^on/i.test(a.name)).map((a) => a.name),
  links: [...document.querySelectorAll(".chat a[href]")].map((e) => e.href).filter((href) => !/^(https?|mailto|tel):/.test(href)),
})"""


AT_REST = "() => new Promise((done) => requestIdleCallback(() => setTimeout(done, 500)))"
"""What would call home has done so by then."""


def test_payloads_in_every_field_of_a_conversation_do_nothing(visitor: Visitor) -> None:
    """In what the customer wrote, what was answered, its sources and its buttons: all as the store has it."""
    attacks = payloads("http://tracker.example/b")
    store = visitor.server.service.store
    visitor.asks("how do i return an item")
    first = store.turns[-1]
    for number, attack in enumerate(attacks):
        source = Citation(f"faq:{number}", attack, attack, "faq", attack)
        reply = Reply(attack, [source], [attack, "Talk to a person"])
        message = replace(first.message, text=attack, key=f"attack-{number}")
        store.append(replace(first, id=f"attack-{number}", message=message, reply=reply))
    said, asked = len(attacks) + 1, len(visitor.asked_for)

    visitor.opens()
    sees(visitor.user_texts).to_have_count(said)
    sees(visitor.bot_texts).to_have_count(said)
    for title in visitor.page.locator(".thought-group .title").all():
        title.dispatch_event("click")
    sees(visitor.page.locator(".chat blockquote").last).to_be_attached()

    sees(visitor.page.locator(".chat .options")).to_contain_text(attacks[-1])
    visitor.page.evaluate(AT_REST)
    assert visitor.page.evaluate(ON_THE_PAGE) == {"loading": [], "handlers": [], "links": []}
    assert [url for url in visitor.asked_for[asked:] if not url.startswith(visitor.server.url)] == []
    assert visitor.complaints == []


def test_payloads_that_are_asked_and_streamed_do_nothing(visitor: Visitor) -> None:
    attacks, asked = payloads("http://tracker.example/b"), len(visitor.asked_for)
    longest = visitor.server.service.settings.understanding.max_characters
    batches = [""]
    for attack in attacks:
        if len(batches[-1]) + len(attack) + 2 > longest:
            batches.append("")
        batches[-1] += f"{attack} \n"

    for batch in batches:
        visitor.asks(f"evil {batch}"[:longest])

    visitor.page.locator(".past-bar .toggle-button").click()
    sees(visitor.page.locator(".past-list label").first).to_contain_text("<script>")
    visitor.page.locator(".past-bar .toggle-button").click()
    visitor.page.evaluate(AT_REST)
    assert visitor.page.evaluate(ON_THE_PAGE) == {"loading": [], "handlers": [], "links": []}
    assert [url for url in visitor.asked_for[asked:] if not url.startswith(visitor.server.url)] == []
    assert visitor.complaints == []


def test_a_message_that_is_too_long_is_refused_politely(visitor: Visitor) -> None:
    turns = len(visitor.server.service.store.turns)

    visitor.writes("x" * 301)

    sees(visitor.bot_texts.last).to_contain_text("too long (at most 300 characters)")
    sees(visitor.page.locator(".box .submit-button")).to_be_visible()
    assert len(visitor.server.service.store.turns) == turns


def test_nothing_failed_and_nothing_was_asked_of_another_host(regular: Visitor) -> None:
    icon = regular.page.request.get(regular.server.url + "favicon.ico")
    own = (regular.server.url, "data:", "blob:")

    assert [url for url in regular.asked_for if not url.startswith(own)] == []
    assert regular.complaints == []
    assert "svg" in icon.headers["content-type"]
