"""Server-sent events: a turn as it is written.

    event: delta   data: {"text": "..."}      id: characters of the reply sent so far
    event: turn    data: {...}                id: the turn's id; the last event
    event: error   data: a problem            the last event
    event: bye     data: {"retry_after_s": 1} the server stops; what runs may still finish
    : keep-alive                              when nothing else was sent for a while

A client that lost its stream posts the same message with the same key and `Last-Event-ID`: the reply
comes from the store, without the characters it already has.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from chatbot.types import Delta, Turn
from ui.server.problem import Problem, problem_of
from ui.server.turns import Answering, Item, Signal, deadline
from ui.server.wire import shown_turn
from ui.server.wording import language_of, say

_FIRST_S = 1.0
"""How long an answer may take to decide the status; after that the stream is opened."""
_KEEP_ALIVE = b": keep-alive\n\n"


class Encode(Protocol):
    """Writes items in the words of one protocol."""

    def item(self, item: Delta | Turn | Signal) -> bytes:
        """What to send for an item; may be nothing."""
        ...

    def problem(self, problem: Problem, scope: Scope) -> bytes:
        """What ends a stream that failed."""
        ...


class StreamPlaces:
    """How many streams each client address has open."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: Counter[str] = Counter()

    def take(self, client: str, *, language: str) -> Callable[[], None]:
        """Take a place; call the value to give it back.

        Raises:
            Problem: All places of this address are taken.
        """
        if self._open[client] >= self._limit:
            raise Problem.retry(429, "too-many-streams", say("too_many", language, seconds=5), after_s=5)
        self._open[client] += 1

        def give_back() -> None:
            self._open[client] -= 1
            if self._open[client] <= 0:
                del self._open[client]

        return give_back


class EventStream(Response):
    """The HTTP answer that tells a turn as it comes; knows when its client leaves."""

    media_type = "text/event-stream"

    def __init__(
        self,
        answering: Answering,
        encode: Encode,
        *,
        first: Item | None,
        heartbeat_s: float,
        timeout_s: float,
    ) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._answering = answering
        self._encode = encode
        self._first = first
        self._heartbeat_s = heartbeat_s
        self._left_s = deadline(timeout_s)
        self.on_end: Callable[[], None] = lambda: None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until the turn, an error, or the client's leaving."""
        watch = asyncio.ensure_future(self._watch(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._tell(scope, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._answering.leave()
            watch.cancel()
            self.on_end()

    async def _tell(self, scope: Scope, send: Send) -> None:
        item = self._first
        while item is not Signal.LEFT:
            data = _KEEP_ALIVE if item is None else self._say(item, scope)
            if data:
                await send({"type": "http.response.body", "body": data, "more_body": True})
            if isinstance(item, Turn | Exception):
                return
            item = await self._next(scope)

    async def _next(self, scope: Scope) -> Item | None:
        left_s = self._left_s()
        item = await self._answering.next(min(self._heartbeat_s, left_s))
        if item is None and self._left_s() <= 0:
            return Problem.retry(503, "too-slow", say("late", language_of(scope)))
        return item

    def _say(self, item: Item, scope: Scope) -> bytes:
        if isinstance(item, Exception):
            return self._encode.problem(problem_of(item, scope), scope)
        return self._encode.item(item)

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._answering.leave()
        self._answering.put(Signal.LEFT)


async def open_stream(
    answering: Answering, encode: Encode, *, heartbeat_s: float, timeout_s: float
) -> EventStream:
    """The stream, once it is known that it will not begin with an error.

    Raises:
        Exception: What the bot raised before it said anything; so a conflict is a 409 and not an event.
    """
    try:
        first = await answering.next(min(_FIRST_S, timeout_s))
    except asyncio.CancelledError:
        answering.leave()
        raise
    if isinstance(first, Exception):
        raise first
    return EventStream(answering, encode, first=first, heartbeat_s=heartbeat_s, timeout_s=timeout_s)


class KefuEvents:
    """The events of /api, without the first `skip` characters of the reply."""

    def __init__(self, *, skip: int = 0) -> None:
        self._skip = skip
        self._sent = 0

    def item(self, item: Delta | Turn | Signal) -> bytes:
        """One event; nothing for what the client already has."""
        match item:
            case Turn():
                return event("turn", shown_turn(item), id=item.id)
            case Delta():
                start, self._sent = self._sent, self._sent + len(item.text)
                text = item.text[max(0, self._skip - start) :]
                return event("delta", {"text": text}, id=str(self._sent)) if text else b""
            case _:
                return event("bye", {"retry_after_s": 1})

    def problem(self, problem: Problem, scope: Scope) -> bytes:
        """The event that ends a stream which failed."""
        return event("error", problem.body(scope))


def event(name: str, data: object, *, id: str | None = None) -> bytes:  # noqa: A002 - the field's name
    """One event; JSON has no raw line breaks, so `data` is always one line."""
    number = f"id: {id}\n" if id is not None else ""
    return f"event: {name}\n{number}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def resume_from(last_event_id: str | None) -> int:
    """How many characters a returning client already has; 0 for what is no such number."""
    with contextlib.suppress(ValueError):
        return max(0, int((last_event_id or "0")[:9]))
    return 0
