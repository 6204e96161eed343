"""A service without models, and a client that sees an answer while it is being written."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import structlog
from fastapi import FastAPI

from chatbot.settings import Settings
from chatbot.types import (
    AnswerFrom,
    Channel,
    Citation,
    Delta,
    Message,
    Rating,
    Reply,
    Turn,
    Understanding,
)
from knowledge.errors import ConflictError
from knowledge.types import Hit, Passage
from ui.server.app import context_of, create_app
from ui.server.ports import Mounted
from ui.server.widget.host import WidgetSetup

PASSAGE = Passage("faq-1", "Within 30 days.", "How long can I return?", "faq", "en")


@dataclass
class FakeConversation:
    id: str
    channel: str
    locale: str | None


@dataclass
class FakeStore:
    """Keeps turns in lists."""

    turns: list[Turn] = field(default_factory=list)
    rated: list[Rating] = field(default_factory=list)
    conversations: dict[str, FakeConversation] = field(default_factory=dict)

    def create_conversation(
        self, *, channel: Channel = "web", locale: str | None = None, conversation_id: str | None = None
    ) -> FakeConversation:
        made = FakeConversation(conversation_id or "made-by-store", channel, locale)
        self.conversations[made.id] = made
        return made

    def conversation(self, conversation_id: str) -> FakeConversation | None:
        return self.conversations.get(conversation_id)

    def turn(self, turn_id: str) -> Turn | None:
        return next((turn for turn in self.turns if turn.id == turn_id), None)

    def history(self, conversation_id: str, *, limit: int = 12) -> Sequence[Turn]:
        return [turn for turn in self.turns if turn.message.conversation_id == conversation_id][-limit:]

    def rate(self, rating: Rating) -> None:
        self.rated.append(rating)

    def ratings(self, turn_ids: Sequence[str]) -> Mapping[str, Rating]:
        return {rating.turn_id: rating for rating in self.rated if rating.turn_id in turn_ids}


@dataclass
class FakeBot:
    """Says `pieces`; may wait before each, and may raise."""

    store: FakeStore
    pieces: Sequence[str] = ("You can return it ", "within 30 days.")
    gate: Callable[[], object] = lambda: None
    """Called before each piece."""
    error: Exception | None = None
    began: list[Message] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def reply(self, message: Message) -> Iterator[Delta | Turn]:
        self.began.append(message)
        if self.error is not None:
            raise self.error
        stored = next(
            (t for t in self.store.history(message.conversation_id) if t.message.key == message.key), None
        )
        if stored is not None:
            if stored.message.text != message.text:
                raise ConflictError("The key was used. Use another.")
            yield Delta(stored.reply.text)
            yield stored
            return
        said = ""
        try:
            for piece in self.pieces:
                self.gate()
                said += piece
                yield Delta(piece)
        except GeneratorExit:
            self.store.turns.append(made_turn(message, said, finish="interrupted"))
            self.closed.append(said)
            raise
        turn = made_turn(message, said, sequence=len(self.store.history(message.conversation_id)) + 1)
        self.store.turns.append(turn)
        yield turn


@dataclass
class FakeService:
    store: FakeStore = field(default_factory=FakeStore)
    checks: Mapping[str, str] = field(default_factory=lambda: {"database": "ok", "index": "ok"})
    bot: FakeBot = field(init=False)

    def __post_init__(self) -> None:
        self.bot = FakeBot(self.store)

    def ready(self) -> Mapping[str, str]:
        return self.checks

    def suggestions(self, locale: str) -> Sequence[str]:
        return ["怎么退货？"] if locale.startswith("zh") else ["How do I return it?"]


class ObedientBot:
    """Does what each message says, e.g. {"pieces": 4, "piece_s": 0.1}; says on stdout how each turn ended."""

    def __init__(self, service: FakeService) -> None:
        self.service = service

    def reply(self, message: Message) -> Iterator[Delta | Turn]:
        wanted = json.loads(message.text)
        bot = FakeBot(self.service.store, ["x" * wanted.get("size", 4) + " "] * wanted.get("pieces", 2))
        bot.gate = lambda: time.sleep(wanted.get("piece_s", 0.0))
        try:
            yield from bot.reply(message)
        finally:
            turns = self.service.store.history(message.conversation_id)
            sys.stdout.write(f"{turns[-1].reply.finish if turns else 'nothing'}\n")
            sys.stdout.flush()


def made_turn(message: Message, text: str, *, finish: Any = "complete", sequence: int = 1) -> Turn:
    number = f"turn-{abs(hash((message.conversation_id, message.key, text))):x}"
    return Turn(
        id=number,
        message=message,
        understanding=Understanding(query=message.text, language="en"),
        hits=[Hit(PASSAGE, 0.93, 1, "How long can I return?", {"cosine": 0.88})],
        decision=AnswerFrom(["faq-1"], verbatim=True),
        reply=Reply(
            text,
            [
                Citation(
                    "faq-1",
                    "How long can I return?",
                    "Within 30 days.",
                    "faq",
                    "https://shop.example/returns",
                )
            ],
            ["How do I return it?"],
            finish,
            ["secret thing the guard refused"],
        ),
        seconds={"understand": 0.001, "search": 0.004, "total": 0.006},
        versions={"index": "1-abc"},
        reason="The best hit is certain enough.",
        sequence=sequence,
    )


def made_settings(**tables: Mapping[str, Any]) -> Settings:
    return Settings.model_validate(tables)


@asynccontextmanager
async def running(
    service: FakeService | None = None,
    *,
    mounts: Sequence[Mounted] = (),
    hosting: WidgetSetup | None = None,
    **tables: Mapping[str, Any],
) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """The app and a client of it; the threads end with it."""
    settings = made_settings(**tables)
    app = create_app(service or FakeService(), settings=settings, mounts=mounts, widget=hosting)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=("10.0.0.9", 4711))
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        app.state.logs = logs
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
            try:
                yield app, client
            finally:
                context_of(app).close()


class Stream:
    """One POST to the app, whose events can be read as they come, and that can be left."""

    def __init__(self, app: FastAPI, path: str, body: object, **headers: str) -> None:
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._sent = False
        self._body = json.dumps(body).encode()
        self._buffer = b""
        self.status = 0
        self.headers: dict[str, str] = {}
        given = {"content-type": "application/json", "accept": "text/event-stream", **headers}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "client": ("10.0.0.9", 4711),
            "server": ("shop.example", 80),
            "state": {},
        }
        self.task = asyncio.ensure_future(self._run(app, scope))

    async def _run(self, app: FastAPI, scope: dict[str, Any]) -> None:
        try:
            await app(scope, self._receive, self._send)
        finally:
            self._chunks.put_nowait(None)

    async def _receive(self) -> dict[str, Any]:
        if not self._sent:
            self._sent = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        elif message["body"]:
            self._chunks.put_nowait(message["body"])

    def leave(self) -> None:
        self._gone.set()

    async def block(self) -> str | None:
        """The next event or comment; None at the end."""
        while b"\n\n" not in self._buffer:
            chunk = await asyncio.wait_for(self._chunks.get(), 10)
            if chunk is None:
                rest, self._buffer = self._buffer, b""
                return rest.decode() or None
            self._buffer += chunk
        block, self._buffer = self._buffer.split(b"\n\n", 1)
        return block.decode()

    async def event(self) -> tuple[str, dict[str, Any], str] | None:
        """Name, data and id of the next event."""
        block = await self.block()
        while block is not None and block.startswith(":"):
            block = await self.block()
        if block is None:
            return None
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        return fields.get("event", ""), json.loads(fields["data"]), fields.get("id", "")

    async def events(self) -> list[tuple[str, dict[str, Any], str]]:
        found = []
        while (event := await self.event()) is not None:
            found.append(event)
        return found


@asynccontextmanager
async def opened(app: FastAPI, path: str, body: object, **headers: str) -> AsyncIterator[Stream]:
    stream = Stream(app, path, body, **headers)
    try:
        yield stream
    finally:
        stream.leave()
        with suppress(Exception):
            await asyncio.wait_for(stream.task, 10)


async def until(condition: Callable[[], object], *, timeout_s: float = 10.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.005)


def held() -> tuple[Callable[[], object], threading.Event]:
    """A gate that stays shut until the event is set."""
    event = threading.Event()
    return lambda: event.wait(20), event
