"""Where asynchronous meets synchronous, once: turns run on a few threads, their pieces come to the loop.

admitted -> (behind earlier messages of its conversation) -> (waiting for a worker) -> running

A turn is refused at once when too many are under way. One conversation uses one worker at a time, so a
customer who sends ten messages does not keep ten others waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from chatbot.settings import Settings
from chatbot.types import Delta, Message, Turn
from ui.server.closing import Closing
from ui.server.metrics import Metrics
from ui.server.ports import Bot
from ui.server.problem import Problem
from ui.server.wording import say
from ui.server.workers import Workers


class Signal(Enum):
    """What a stream hears besides the reply itself."""

    BYE = "the server stops; this turn may still finish"
    LEFT = "the client is gone"


Item: TypeAlias = Delta | Turn | Exception | Signal


class Answering:
    """One turn under way, as seen from the event loop."""

    def __init__(self, message: Message, *, pieces: bool) -> None:
        self.message = message
        self.pieces = pieces
        self.left = threading.Event()
        self.started = False
        self.context = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[Item] = asyncio.Queue()

    async def next(self, timeout_s: float) -> Item | None:
        """The next item; None when there was none in that time."""
        if not self._items.empty():  # the common case costs no timer
            return self._items.get_nowait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                return await self._items.get()
        return None

    def leave(self) -> None:
        """Nobody listens any more: the bot stops at its next piece."""
        self.left.set()

    def put(self, item: Item) -> None:
        """Say something; on the loop's thread."""
        self._items.put_nowait(item)

    def on_loop(self, function: Callable[..., object], *args: object) -> None:
        """Call something on the loop's thread, from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            self._loop.call_soon_threadsafe(function, *args)


@dataclass(slots=True)
class _Line:
    """The messages of one conversation that are under way."""

    keys: set[str] = field(default_factory=set)
    waiting: deque[Answering] = field(default_factory=deque)


class Turns:
    """Admits turns, runs them, and hands out what they say."""

    def __init__(
        self, bot: Bot, settings: Settings, *, workers: Workers, metrics: Metrics, closing: Closing
    ) -> None:
        self._bot = bot
        self._workers = workers
        self._metrics = metrics
        self._closing = closing
        self._capacity = settings.server.workers + settings.server.queue
        self._per_conversation = settings.security.turns_per_conversation
        self._timeout_s = settings.server.request_timeout_s
        self._lines: dict[str, _Line] = {}
        self._open: set[Answering] = set()
        closing.listen(on_ask=self._say_bye, on_cut=self._cut)

    async def answer(self, message: Message, *, language: str) -> Turn:
        """The stored turn.

        It runs to its end even if the client goes away meanwhile: its retry finds the whole answer.

        Raises:
            Problem: Too busy, too slow, or stopping.
            KefuError: What the bot raised.
        """
        answering = self.start(message, language=language, pieces=False)
        item = await answering.next(self._timeout_s)
        if isinstance(item, Turn):
            return item
        answering.leave()
        if isinstance(item, Exception):
            raise item
        raise self._refusal("late", language)

    def start(self, message: Message, *, language: str, pieces: bool = True) -> Answering:
        """Begin a turn; its pieces (if wanted), then the turn or an exception, come as items.

        Raises:
            Problem: Too many are under way, or the server stops.
        """
        line = self._admit(message, language)
        answering = Answering(message, pieces=pieces)
        first = not line.keys
        line.keys.add(message.key)
        self._open.add(answering)
        self._metrics.turns_under_way.inc()
        if first:
            self._submit(answering)
        else:
            line.waiting.append(answering)
        return answering

    def _admit(self, message: Message, language: str) -> _Line:
        if self._closing.asked.is_set():
            raise self._refusal("closing", language)
        line = self._lines.get(message.conversation_id)
        if line is not None:
            if message.key in line.keys:
                raise Problem.retry(409, "still-answering", say("answering", language))
            if len(line.keys) >= self._per_conversation:
                self._metrics.shed("conversation")
                raise Problem.retry(429, "conversation-busy", say("in_line", language))
        if len(self._open) >= self._capacity:
            self._metrics.shed("capacity")
            raise self._refusal("busy", language)
        return self._lines.setdefault(message.conversation_id, line or _Line())

    def _submit(self, answering: Answering) -> None:
        # In the context of its own request: `_finish` of an earlier one may be what calls this.
        self._workers.submit(lambda: answering.context.run(self._run, answering))

    def _run(self, answering: Answering) -> None:
        """On a worker: answer, and whatever happens make room for the next."""
        try:
            if not answering.left.is_set():
                answering.started = True
                self._reply(answering)
        except Exception as error:
            answering.on_loop(answering.put, error)
        finally:
            answering.on_loop(self._finish, answering)

    def _reply(self, answering: Answering) -> None:
        pieces = self._bot.reply(answering.message)
        try:
            for piece in pieces:
                if isinstance(piece, Turn):
                    self._metrics.turn(piece)
                    answering.on_loop(self._deliver, answering, piece)
                elif answering.pieces:
                    answering.on_loop(answering.put, piece)
                if answering.left.is_set():
                    return
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()  # here and not at collection: an interrupted turn is stored now

    def _deliver(self, answering: Answering, turn: Turn) -> None:
        # The place is free before the client has its answer: a retry right after it must not meet itself.
        self._finish(answering)
        answering.put(turn)

    def _finish(self, answering: Answering) -> None:
        if answering not in self._open:
            return
        self._open.discard(answering)
        self._metrics.turns_under_way.dec()
        conversation_id = answering.message.conversation_id
        line = self._lines[conversation_id]
        line.keys.discard(answering.message.key)
        if line.waiting:
            self._submit(line.waiting.popleft())
        elif not line.keys:
            del self._lines[conversation_id]

    def _say_bye(self) -> None:
        for answering in self._open:
            if answering.pieces:
                answering.put(Signal.BYE)
            if not answering.started:
                self._end(answering)

    def _cut(self) -> None:
        for answering in self._open:
            self._end(answering)

    def _end(self, answering: Answering) -> None:
        answering.leave()
        answering.put(self._refusal("closing", "en"))

    def _refusal(self, phrase: str, language: str) -> Problem:
        match phrase:
            case "closing":
                return Problem.retry(503, "restarting", say("closing", language))
            case "late":
                return Problem.retry(503, "too-slow", say("late", language))
            case _:
                return Problem.retry(503, "busy", say("busy", language))


def deadline(timeout_s: float) -> Callable[[], float]:
    """Seconds left until then, never below 0."""
    end = time.monotonic() + timeout_s
    return lambda: max(0.0, end - time.monotonic())
