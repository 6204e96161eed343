"""How the server says goodbye: first it asks, then it cuts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.server.ports import Mounted


class Closing:
    """Two moments of a stop; lives on the event loop's thread.

    asked: no new turns; streams say bye, those that never end by themselves are ended.
    cut: what still runs is ended.
    """

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.cut = asyncio.Event()
        self._on_ask: list[Callable[[], None]] = []
        self._on_cut: list[Callable[[], None]] = []

    def listen(self, *, on_ask: Callable[[], None], on_cut: Callable[[], None]) -> None:
        """Be called at the two moments."""
        self._on_ask.append(on_ask)
        self._on_cut.append(on_cut)

    def ask(self, *, cut_after_s: float) -> None:
        """Begin the stop."""
        if self.asked.is_set():
            return
        self.asked.set()
        for call in self._on_ask:
            call()
        asyncio.get_running_loop().call_later(cut_after_s, self._cut)

    def _cut(self) -> None:
        self.cut.set()
        for call in self._on_cut:
            call()


class EndPageStreams:
    """Ends the open streams of mounted pages on a stop, by telling them that their client left."""

    def __init__(self, app: ASGIApp, *, closing: Closing, mounts: Sequence[Mounted]) -> None:
        self._app = app
        self._closing = closing
        self._mounts = mounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; pages get a `receive` that knows of the stop."""
        page = scope["type"] == "http" and next((m for m in self._mounts if m.holds(scope["path"])), None)
        if not page:
            await self._app(scope, receive, send)
            return
        endless = any(part in scope["path"] for part in page.endless)
        over = self._closing.asked if endless else self._closing.cut

        async def receive_or_stop() -> Message:
            if over.is_set():
                return {"type": "http.disconnect"}
            message = asyncio.ensure_future(receive())
            stop = asyncio.ensure_future(over.wait())
            try:
                await asyncio.wait((message, stop), return_when=asyncio.FIRST_COMPLETED)
                return message.result() if message.done() else {"type": "http.disconnect"}
            finally:
                message.cancel()
                stop.cancel()

        await self._app(scope, receive_or_stop, send)
