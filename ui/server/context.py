"""What the routes share; made once, in `create_app`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from chatbot.settings import Settings
from ui.server.closing import Closing
from ui.server.metrics import Metrics
from ui.server.ports import Bot, Service
from ui.server.problem import Problem
from ui.server.rates import Rate
from ui.server.stream import StreamPlaces
from ui.server.turns import Turns
from ui.server.wording import say
from ui.server.workers import Workers

T = TypeVar("T")
_READ_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Context:
    """The service and what stands before it."""

    service: Service
    settings: Settings
    turns: Turns
    turn_workers: Workers
    readers: Workers
    """Threads of their own, so that reading goes on while all turns are busy."""
    metrics: Metrics
    rate: Rate
    """Messages a minute, by conversation."""
    streams: StreamPlaces
    closing: Closing
    guests: Mapping[str, Service] = field(default_factory=dict)
    """Further bots in this server, by the name of their project folder."""

    def ready(self) -> dict[str, str]:
        """Each part of each bot with "ok", or with why it cannot serve yet."""
        checks = dict(self.service.ready())
        for name, guest in self.guests.items():
            checks |= {f"{name}: {part}": state for part, state in guest.ready().items()}
        return checks

    async def read(self, function: Callable[[], T], *, timeout_s: float = _READ_TIMEOUT_S) -> T:
        """The function's value, computed on a reader thread.

        Raises:
            Problem: It took too long.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self.readers.call(function)
        except TimeoutError as error:
            raise Problem.retry(503, "too-slow", say("late", "en")) from error

    def turns_of(self, bot: Bot) -> Turns:
        """Turns of another bot, on the same threads."""
        return Turns(
            bot, self.settings, workers=self.turn_workers, metrics=self.metrics, closing=self.closing
        )

    def close(self, *, wait_s: float = 0.0) -> int:
        """End the threads; how many were still busy."""
        return self.turn_workers.close(wait_s=wait_s) + self.readers.close(wait_s=wait_s)
