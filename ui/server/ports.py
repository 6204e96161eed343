"""What the server needs from the rest of Kefu, and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fastapi import FastAPI

from chatbot.types import Channel, Delta, Message, Rating, Turn

PAGE_CSP = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
"""For Gradio, which writes its settings into inline scripts and compiles event code; nothing from elsewhere."""


class Bot(Protocol):
    """Answers one message; called from a worker thread."""

    def reply(self, message: Message) -> Iterator[Delta | Turn]:
        """The reply's pieces, then the stored turn; closing it early stores what was said so far."""
        ...


class Conversation(Protocol):
    """A conversation as the store lists it."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def channel(self) -> str:
        """Where it was begun."""
        ...

    @property
    def locale(self) -> str | None:
        """The language chosen on the page."""
        ...


class Store(Protocol):
    """What was said before; called from a worker thread."""

    def create_conversation(
        self, *, channel: Channel = "web", locale: str | None = None, conversation_id: str | None = None
    ) -> Conversation:
        """Start a conversation."""
        ...

    def conversation(self, conversation_id: str) -> Conversation | None:
        """The conversation of that id, if there is one."""
        ...

    def turn(self, turn_id: str) -> Turn | None:
        """The turn of that id, if there is one."""
        ...

    def history(self, conversation_id: str, *, limit: int = 12) -> Sequence[Turn]:
        """The last turns of a conversation, oldest first."""
        ...

    def rate(self, rating: Rating) -> None:
        """Store a rating; the last one of a turn counts."""
        ...

    def ratings(self, turn_ids: Sequence[str]) -> Mapping[str, Rating]:
        """The ratings of these turns, by turn id."""
        ...


class Service(Protocol):
    """The assembled chatbot."""

    @property
    def bot(self) -> Bot:
        """What answers."""
        ...

    @property
    def store(self) -> Store:
        """What remembers."""
        ...

    def ready(self) -> Mapping[str, str]:
        """Each part with "ok", or with why it cannot serve yet."""
        ...

    def suggestions(self, locale: str) -> Sequence[str]:
        """Questions to start with, in that language."""
        ...


@dataclass(frozen=True, slots=True)
class Mounted:
    """A page that lives in the same server, under a path of its own.

    Args:
        path: "/chat", or "/" for everything that is not API.
        attach: Adds it, e.g. `lambda app: gr.mount_gradio_app(app, blocks, path="/chat", ...)`.
        csp: Its Content-Security-Policy.
        max_body_bytes: Larger requests to it are refused.
        endless: Parts of paths whose streams never end by themselves; they are cut at once on a stop.
    """

    path: str
    attach: Callable[[FastAPI], object]
    csp: str = PAGE_CSP
    max_body_bytes: int = 1024 * 1024
    endless: tuple[str, ...] = ("/heartbeat/",)

    def holds(self, path: str) -> bool:
        """True when the path belongs to this page, given that the API does not claim it."""
        base = self.path.rstrip("/")
        return not is_api(path) and (path == base or path.startswith(f"{base}/"))


API_PATHS = (
    "/api",
    "/v1",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/widget",
    "/widget.js",
    "/widget.mjs",
    "/site",
)
FILES = ("/widget", "/widget.js", "/widget.mjs", "/site")
"""Small files, sent from memory."""
FRAMED = "/widget/frame"
"""The one page that other sites may show; its own headers say which."""


def is_api(path: str) -> bool:
    """True for the paths of the API itself, also when a page is mounted at "/"."""
    return _below(path, API_PATHS)


def is_file(path: str) -> bool:
    """True for the widget's own files."""
    return _below(path, FILES)


def _below(path: str, starts: Sequence[str]) -> bool:
    return any(path == start or path.startswith(f"{start}/") for start in starts)
