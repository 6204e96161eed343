"""The chat page: streaming, several conversations, quick replies, sources, feedback, and why.

The database is the truth: what the page shows of a conversation is always read from the store. The
browser keeps only the ids of its own conversations; an id is a random 128-bit name that nobody can guess.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Protocol, TypeAlias
from weakref import WeakValueDictionary

import gradio as gr
import structlog

from chatbot.bot import Bot
from chatbot.settings import Settings
from chatbot.types import Delta, Message, Rating, Turn
from ui.page.layout import Parts, draw, relabel
from ui.page.messages import (
    ChatMessage,
    arriving_message,
    conversation,
    explanation,
    turn_messages,
    user_message,
)
from ui.page.texts import texts

log = structlog.get_logger(__name__)

Saved: TypeAlias = dict[str, Any]
"""What the browser keeps: {"language": "zh", "conversations": [{"id", "title"}, ...]}, newest first."""
Updates: TypeAlias = dict[Any, Any]
MOST_CONVERSATIONS = 30
SHOWN_TURNS = 200


class PageService(Protocol):
    """What the page needs of the service."""

    @property
    def bot(self) -> Bot:
        """Answers, and keeps what was said."""
        ...

    @property
    def settings(self) -> Settings:
        """Names, limits, default language."""
        ...

    def suggestions(self, locale: str) -> Sequence[str]:
        """Questions to start with."""
        ...


def build_page(service: PageService) -> gr.Blocks:
    """The page as gradio Blocks, to be mounted in the server."""
    parts = draw(service.settings)
    page = Page(service, parts)
    with parts.blocks:
        page.wire()
    # Gradio would answer one visitor at a time; the order within a conversation is kept by the store.
    parts.blocks.queue(default_concurrency_limit=None)
    return parts.blocks


def style() -> str:
    """The page's CSS."""
    return (files("ui") / "page" / "page.css").read_text("utf-8")


def favicon() -> str:
    """Path of the page's icon."""
    return str(files("ui") / "page" / "favicon.svg")


def theme() -> gr.themes.Base:
    """Fonts that every machine has: nothing is fetched from elsewhere."""
    fonts = ["system-ui", "-apple-system", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif"]
    return gr.themes.Base(font=fonts, font_mono=["ui-monospace", "monospace"])


class Page:
    """The page's events; holds nothing of a visitor but which answers are being written."""

    def __init__(self, service: PageService, parts: Parts) -> None:
        self.service = service
        self.parts = parts
        self._under_way: WeakValueDictionary[str, threading.Event] = WeakValueDictionary()
        """By conversation: set when the customer stops its answer; forgotten with the answer."""

    def wire(self) -> None:
        """Connect the events."""
        p = self.parts
        everything = p.everything()
        p.blocks.load(self.load, [p.saved], everything, show_progress="hidden")
        p.language.input(
            self.switch_language, [p.language, p.saved, p.current], everything, show_progress="hidden"
        )
        p.new.click(self.start_new, [p.saved], everything, show_progress="hidden")
        p.past.input(self.open_past, [p.past, p.language, p.saved], everything, show_progress="hidden")
        asked = [p.current, p.saved, p.language]
        streams = [
            p.box.submit(self.take, [p.box], [p.asked, p.box], show_progress="hidden"),
            p.chat.option_select(self.take_option, None, [p.asked, p.box], show_progress="hidden"),
            p.chat.example_select(self.take_example, None, [p.asked, p.box], show_progress="hidden"),
            p.chat.retry(self.take_again, [p.asked, p.current], [p.asked, p.box], show_progress="hidden"),
        ]
        for event in streams:
            event.then(self.answer, [p.asked, *asked], everything, show_progress="hidden")
        p.box.stop(self.stop, [p.current], [p.box], show_progress="hidden")
        p.chat.like(
            self.rate,
            [p.chat, p.current, p.language],
            [p.feedback, p.rated, p.reasons, p.comment],
            show_progress="hidden",
        )
        p.send.click(
            self.send_reasons,
            [p.rated, p.reasons, p.comment, p.language],
            [p.feedback],
            show_progress="hidden",
        )
        p.skip.click(lambda: gr.Column(visible=False), None, [p.feedback], show_progress="hidden")

    # What the customer does, each as a function from what the browser sent to what it shows.

    def load(self, saved: Saved | None, request: gr.Request) -> Updates:
        """Open the page: last language, last conversation; else what the browser speaks."""
        saved = kept_by_browser(saved)
        language = saved.get("language") or self._spoken(request)
        kept = saved.get("conversations", [])
        return self._show(kept[0]["id"] if kept else uuid.uuid4().hex, language, saved)

    def switch_language(self, language: str, saved: Saved | None, current: str) -> Updates:
        """Speak another language from here on."""
        return self._show(current, language, {**(saved or {}), "language": language})

    def start_new(self, saved: Saved | None, request: gr.Request) -> Updates:
        """An empty conversation; may be asked for before the page has loaded whole."""
        language = kept_by_browser(saved).get("language") or self._spoken(request)
        return self._show(uuid.uuid4().hex, language, saved or {})

    def open_past(self, chosen: str, language: str, saved: Saved | None) -> Updates:
        """A conversation of this browser."""
        return self._show(chosen, language, saved or {})

    def take(self, text: str) -> tuple[str, Any]:
        """A message from the box, which is emptied."""
        return text.strip(), gr.Textbox(value="")

    def take_option(self, event: gr.SelectData) -> tuple[str, Any]:
        """A quick reply."""
        return str(event.value), gr.Textbox()

    def take_example(self, event: gr.SelectData) -> tuple[str, Any]:
        """A starter question."""
        return str(event.value["text"]), gr.Textbox()

    def take_again(self, asked: str, current: str) -> tuple[str, Any]:
        """The last message once more: the one just asked, also where it was not stored; else the stored one."""
        turns = self.service.bot.store.history(current, limit=1)
        return asked or (turns[-1].message.text if turns else ""), gr.Textbox()

    def answer(self, text: str, current: str, saved: Saved | None, language: str) -> Iterator[Updates]:
        """Send a message and show the reply while it arrives."""
        p, saved = self.parts, kept_by_browser(saved)
        if not text:
            yield {p.chat: gr.skip()}
            return
        limit = self.service.settings.understanding.max_characters
        before = conversation(self._turns(current), language)
        for message in before:
            message.pop("options", None)
        shown: list[ChatMessage] = [*before, user_message(text)]
        if len(text) > limit:
            yield self._note(shown, texts(language)["too_long"].format(limit=limit))
            return
        saved = remember(saved, current, text)
        yield {p.chat: shown, p.box: gr.Textbox(submit_btn=False, stop_btn=True), p.saved: saved}
        try:
            yield from self._stream(
                Message(current, text, datetime.now(UTC), locale=language, key=uuid.uuid4().hex),
                shown,
                language,
            )
        except Exception:
            # Whatever broke, a customer reads a calm sentence and can write again.
            log.exception("page.answer_failed", conversation=current)
            yield self._note(shown, texts(language)["error"])
        yield {
            p.box: gr.Textbox(submit_btn=True, stop_btn=False),
            p.past: past_list(saved, current, language),
        }

    def _stream(self, message: Message, shown: list[ChatMessage], language: str) -> Iterator[Updates]:
        p, said = self.parts, ""
        stopped = self._under_way[message.conversation_id] = threading.Event()
        pieces = self.service.bot.reply(message)
        try:
            for piece in pieces:
                if stopped.is_set():
                    break
                if isinstance(piece, Delta):
                    said += piece.text
                    yield {p.chat: [*shown, arriving_message(said)]}
                else:
                    yield {
                        p.chat: [*shown, *turn_messages(piece, language, last=True)],
                        p.why: explanation(piece, language),
                    }
        finally:
            pieces.close()  # type: ignore[attr-defined]
        if stopped.is_set():
            turns = self._turns(message.conversation_id)
            yield {p.chat: conversation(turns, language), p.why: explanation(turns[-1], language)}

    def stop(self, current: str) -> Any:
        """The customer pressed stop: the answer ends at its next piece, and what was said is stored."""
        stopped = self._under_way.get(current)
        if stopped is not None:
            stopped.set()
        return gr.Textbox(submit_btn=True, stop_btn=False)

    def rate(
        self, shown: list[ChatMessage], current: str, language: str, event: gr.LikeData
    ) -> tuple[Any, str, Any, Any]:
        """Thumbs; a thumb down asks what was wrong."""
        words = texts(language)
        at = event.index if isinstance(event.index, int) else event.index[0]
        number = sum(message["role"] == "user" for message in shown[: at + 1])
        turns = self._turns(current)
        undone = event.liked == ""  # the thumb was pressed a second time
        if undone or not 1 <= number <= len(turns):
            return gr.Column(visible=False), "", gr.CheckboxGroup(), gr.Textbox()
        turn = turns[number - 1].id
        up = event.liked is True or event.liked == "Like"
        self.service.bot.store.rate(Rating(turn, "up" if up else "down", rated_at=datetime.now(UTC)))
        if up:
            gr.Info(words["thanks"], duration=3)
        reasons = gr.CheckboxGroup(choices=words["reasons"], value=[], label=words["rate_question"])
        comment = gr.Textbox(value="", label=words["comment"], placeholder=words["comment"])
        return gr.Column(visible=not up), turn, reasons, comment

    def send_reasons(self, rated: str, reasons: Sequence[str], comment: str, language: str) -> Any:
        """The reasons of a thumb down."""
        rating = Rating(rated, "down", tuple(reasons), comment.strip()[:1000], datetime.now(UTC))
        self.service.bot.store.rate(rating)
        gr.Info(texts(language)["thanks"], duration=3)
        return gr.Column(visible=False)

    # What is shown.

    def _spoken(self, request: gr.Request) -> str:
        accepts = (request.headers.get("accept-language") or "").lower()
        return accepts[:2] if accepts[:2] in ("zh", "en") else self.service.settings.languages.default

    def _turns(self, current: str) -> Sequence[Turn]:
        return self.service.bot.store.history(current, limit=SHOWN_TURNS)

    def _show(self, current: str, language: str, saved: Saved) -> Updates:
        p, turns = self.parts, self._turns(current)
        return {
            **relabel(p, self.service.settings, language),
            p.current: current,
            p.asked: "",
            p.saved: {**kept_by_browser(saved), "language": language},
            p.chat: gr.Chatbot(
                value=conversation(turns, language),
                examples=[{"text": text} for text in self.service.suggestions(language)[:4]],
                placeholder=f"## {texts(language)['welcome']}\n{texts(language)['welcome_hint']}",
            ),
            p.box: gr.Textbox(
                label=texts(language)["placeholder"],
                placeholder=texts(language)["placeholder"],
                submit_btn=True,
                stop_btn=False,
            ),
            p.past: past_list(saved, current, language),
            p.why: explanation(turns[-1] if turns else None, language),
            p.feedback: gr.Column(visible=False),
        }

    def _note(self, shown: Sequence[ChatMessage], text: str) -> Updates:
        p = self.parts
        return {
            p.chat: [*shown, {"role": "assistant", "content": text}],
            p.box: gr.Textbox(submit_btn=True, stop_btn=False),
        }


def kept_by_browser(saved: Saved | None) -> Saved:
    """What the page itself put there: gradio's own marks of a value that did not change come back with it."""
    return {name: value for name, value in (saved or {}).items() if name in ("language", "conversations")}


def remember(saved: Saved, current: str, text: str) -> Saved:
    """The browser's list with this conversation first; its title is the first message."""
    kept = saved.get("conversations", [])
    title = next((one["title"] for one in kept if one["id"] == current), text[:40])
    rest = [one for one in kept if one["id"] != current]
    return {**saved, "conversations": [{"id": current, "title": title}, *rest][:MOST_CONVERSATIONS]}


def past_list(saved: Saved, current: str, language: str) -> Any:
    """The list of this browser's conversations, the open one marked."""
    kept = saved.get("conversations", [])
    ids = [one["id"] for one in kept]
    label = texts(language)["past"] if kept else texts(language)["no_past"]
    choices = [(one["title"], one["id"]) for one in kept]
    return gr.Radio(choices=choices, value=current if current in ids else None, label=label)
