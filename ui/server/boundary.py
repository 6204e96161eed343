"""The outermost layer: a request id, security headers, one log line and one count for every request.

No exception passes it: what nobody caught becomes a problem with status 500.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Sequence

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.server.metrics import Metrics
from ui.server.ports import FRAMED, Mounted, is_api, is_file
from ui.server.problem import problem_of

log = structlog.get_logger(__name__)

_GIVEN_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_QUIET = ("/healthz", "/readyz", "/metrics")

API_CSP = "default-src 'none'; frame-ancestors 'none'"
DOCS_CSP = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_NO_FRAME = (b"x-frame-options", b"DENY")
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    _NO_FRAME,
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=()"),
)
_HSTS = (b"strict-transport-security", b"max-age=31536000")


class Boundary:
    """ASGI middleware around everything that Kefu serves."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, mounts: Sequence[Mounted]) -> None:
        self._app = app
        self._metrics = metrics
        self._mounts = mounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, with all of the above around it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        number = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = number
        extra = self._headers(scope, number)
        status = 0
        start = time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name.lower() for name, _ in message.get("headers", ())}
                message["headers"] = [
                    *message.get("headers", ()),
                    *(header for header in extra if header[0] not in present),
                ]
            await send(message)

        self._metrics.in_flight.inc()
        with structlog.contextvars.bound_contextvars(request_id=number):
            try:
                await self._app(scope, receive, send_with_headers)
            except Exception as error:
                response = problem_of(error, scope).response(scope)  # logs it
                if status:
                    raise  # half an answer is out: the connection must break, so that it is not taken for whole
                await response(scope, receive, send_with_headers)
            finally:
                self._metrics.in_flight.dec()
                self._account(scope, status, time.perf_counter() - start)

    def _headers(self, scope: Scope, number: str) -> list[tuple[bytes, bytes]]:
        path: str = scope["path"]
        page = next((mount for mount in self._mounts if mount.holds(path)), None)
        csp = page.csp if page else DOCS_CSP if path == "/docs" else API_CSP
        headers = [
            (b"x-request-id", number.encode()),
            (b"content-security-policy", csp.encode()),
            *(header for header in SECURITY_HEADERS if header != _NO_FRAME or path != FRAMED),
        ]
        if not page:
            headers.append((b"cache-control", b"no-store"))
        if scope.get("scheme") == "https":
            headers.append(_HSTS)
        return headers

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        route = self._route(scope)
        self._metrics.request(scope["method"], route, status=status, seconds=seconds)
        if route not in _QUIET and is_api(scope["path"]) and not is_file(scope["path"]):
            log.info(
                "http.request",
                method=scope["method"],
                route=route,
                status=status,
                seconds=round(seconds, 4),
            )

    def _route(self, scope: Scope) -> str:
        # The pattern and not the path: ids would make a label for each conversation.
        page = next((mount for mount in self._mounts if mount.holds(scope["path"])), None)
        if page:
            return page.path
        path = getattr(scope.get("route"), "path", None)
        return path if isinstance(path, str) else "unmatched"


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _GIVEN_ID.fullmatch(given) else uuid.uuid4().hex
