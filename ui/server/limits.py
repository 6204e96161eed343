"""What a request may be: how often, how large, and of which type."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatbot.settings import SecuritySettings
from ui.server.metrics import Metrics
from ui.server.ports import Mounted, is_file
from ui.server.problem import Problem
from ui.server.rates import Rate, client_key
from ui.server.wording import language_of, say

_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_UNLIMITED = frozenset({"/healthz", "/readyz", "/metrics"})


class Limits:
    """ASGI middleware: refuses what is too often, too large or of the wrong type, before anything is parsed."""

    def __init__(
        self, app: ASGIApp, *, security: SecuritySettings, mounts: Sequence[Mounted], metrics: Metrics
    ) -> None:
        self._app = app
        self._mounts = mounts
        self._max_body_bytes = security.max_body_bytes
        self._rate = Rate(security.requests_per_minute)
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a problem, or pass the request on with its whole body read."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        page = next((mount for mount in self._mounts if mount.holds(scope["path"])), None)
        try:
            self._check_rate(scope, page)
            receive = await self._whole_body(scope, receive, page)
        except Problem as problem:
            # The rest of the body is not wanted: close, instead of reading it to its end.
            problem.headers = {**problem.headers, "Connection": "close"}
            await problem.response(scope)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check_rate(self, scope: Scope, page: Mounted | None) -> None:
        # A page's files are many and cheap; only what it sends counts.
        files = page is not None or is_file(scope["path"])
        counted = scope["method"] in _WITH_BODY if files else scope["path"] not in _UNLIMITED
        wait_s = self._rate.wait_s(client_key(client_host(scope))) if counted else 0
        if wait_s:
            self._metrics.shed("address")
            detail = say("too_many", language_of(scope), seconds=wait_s)
            raise Problem.retry(429, "rate-limited", detail, after_s=wait_s)

    async def _whole_body(self, scope: Scope, receive: Receive, page: Mounted | None) -> Receive:
        limit = page.max_body_bytes if page else self._max_body_bytes
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or int(declared[:20]) > limit:
            raise _too_large(limit)
        if scope["method"] not in _WITH_BODY:
            return receive
        body = await _read(receive, limit)
        if body is None:
            return _gone
        kind = headers.get("content-type", "").split(";", 1)[0].strip().lower()
        if body and not page and kind != "application/json":
            detail = f"The body has the type '{kind[:60]}'. Send JSON, with Content-Type: application/json."
            raise Problem(415, "unsupported-media-type", detail)
        return _replay(body, receive)


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The body; None when the client left. Counts what comes, whatever the headers promised."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _gone() -> Message:
    return {"type": "http.disconnect"}


def _too_large(limit: int) -> Problem:
    return Problem(413, "too-large", f"The request is larger than {limit} bytes. Send a shorter one.")


def client_host(scope: Scope) -> str:
    """The client's address; behind a trusted proxy, the one that the proxy saw."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"
