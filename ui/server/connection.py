"""Connections that cannot be held open by doing nothing.

uvicorn times out idle keep-alive connections, but not half-sent headers, half-sent bodies or clients that
stop reading: 50 of 50 half-open connections were alive after 45 s. This protocol gives each of them a clock:

    connected or a first byte -> headers complete    header_timeout_s, at most MAX_HEADER_BYTES
    headers complete          -> body complete       body_timeout_s
    client's buffer full      -> it reads again      body_timeout_s
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from chatbot.settings import ServerSettings
from ui.server.boundary import API_CSP, SECURITY_HEADERS
from ui.server.problem import MEDIA_TYPE, Problem

MAX_HEADER_BYTES = 32 * 1024


def guarded(server: ServerSettings) -> type[HttpToolsProtocol]:
    """The protocol class for uvicorn, with these timeouts."""

    class Guarded(GuardedProtocol):
        header_timeout_s = server.header_timeout_s
        body_timeout_s = server.body_timeout_s

    return Guarded


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with a clock on everything that a client does."""

    header_timeout_s: float
    body_timeout_s: float

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._reading: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._begun = False
        """The first byte of a request is here, its headers are not complete."""
        self._in_body = False
        self._header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the first clock."""
        super().connection_made(transport)
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks."""
        self._stop_reading_clock()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless it is too much."""
        if not self._in_body:
            # Counted from the first byte, and before parsing: a blank line sent every second is no request,
            # yet it would keep the connection open.
            if self._reading is None:
                self._wait_for_headers()
            self._header_bytes += len(data)
        super().data_received(data)
        if self._begun and self._reading is None:
            self._wait_for_headers()  # the next request began behind a whole one, in the same piece
        if not self._in_body and self._header_bytes > MAX_HEADER_BYTES and not self._answering():
            self._refuse(
                Problem(431, "headers-too-large", "The request's headers are too large. Send fewer.")
            )

    def on_message_begin(self) -> None:
        """A request's first byte."""
        self._begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """From here on the body is awaited."""
        self._stop_reading_clock()
        self._begun = False
        self._in_body = True
        self._header_bytes = 0
        self._reading = self.loop.call_later(self.body_timeout_s, self._body_is_late)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is here; nothing is awaited from the client."""
        self._stop_reading_clock()
        self._in_body = False
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        super().pause_writing()
        if self._writing is None:
            self._writing = self.loop.call_later(self.body_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads again."""
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What cannot be parsed is answered in the same form as every other error."""
        self._refuse(Problem(400, "bad-request", f"{msg} Send HTTP/1.1."))

    def _wait_for_headers(self) -> None:
        self._reading = self.loop.call_later(self.header_timeout_s, self._headers_are_late)

    def _headers_are_late(self) -> None:
        if self._answering():
            # A half-sent next request behind an answer that is still being written: look again after it.
            self._wait_for_headers()
        else:
            self._refuse(Problem(408, "request-timeout", "The request did not come in time. Send it again."))

    def _body_is_late(self) -> None:
        self._reading = None
        if self._answering() and not self.cycle.response_started:
            # The application must not answer too: for it, the client is gone.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self._refuse(Problem(408, "request-timeout", "The body did not come in time. Send it again."))
        else:
            self.transport.close()

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _stop_reading_clock(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _refuse(self, problem: Problem) -> None:
        self._stop_reading_clock()
        if self.transport.is_closing():
            return
        body = json.dumps(problem.body({})).encode()
        headers = [
            *self.server_state.default_headers,
            *SECURITY_HEADERS,
            (b"content-security-policy", API_CSP.encode()),
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        lines = [STATUS_LINE[problem.status], *(name + b": " + value + b"\r\n" for name, value in headers)]
        self.transport.write(b"".join([*lines, b"\r\n", body]))
        self.transport.close()
