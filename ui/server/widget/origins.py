"""Which pages may call /api/widget from a browser: those of the sites, and the server's own.

The frame is this server's own page, so what it may be shown in is said by `frame-ancestors` (files.py);
here are the pages that use the ES module, and those that should not be calling at all.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatbot.sites.site import Site
from ui.server.problem import Problem, problem_of
from ui.server.widget.directory import Directory

PATH = "/api/widget"
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID, X-Request-ID",
    "Access-Control-Max-Age": "600",
}


class WidgetOrigins:
    """ASGI middleware: 403 for a page of no site; for the others, what a browser wants to hear (CORS).

    Stands outside the server's general CORS rules, which know nothing of sites, and hides the header from them.
    """

    def __init__(self, app: ASGIApp, *, directory: Directory) -> None:
        self._app = app
        self._directory = directory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check where a request comes from."""
        origin = Headers(scope=scope).get("origin") if _is_ours(scope) else None
        if origin is None:
            await self._app(scope, receive, send)
            return
        own = _same(scope, origin)
        try:
            known = own or origin in await self._directory.origins()
        except Exception as error:
            await problem_of(error, scope).response(scope)(scope, receive, send)
            return
        if not known:
            await foreign(origin).response(scope)(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await Response(status_code=204, headers={**_allowed(origin), **_PREFLIGHT})(scope, receive, send)
        else:
            scope.setdefault("state", {})["origin"] = None if own else origin
            rest = [(name, value) for name, value in scope["headers"] if name != b"origin"]
            await self._app({**scope, "headers": rest}, receive, _with_headers(send, _allowed(origin)))


def check_origin(request: Request, site: Site) -> None:
    """The page that calls must be the site's.

    Raises:
        Problem: 403, it is another's.
    """
    origin = request.scope.get("state", {}).get("origin")
    if origin is not None and origin not in site.origins:
        raise foreign(str(origin))


def foreign(origin: str) -> Problem:
    """403 for a page that is not on the list."""
    detail = f"Pages of '{origin[:200]}' may not use this widget. Allow them with 'kefu site edit SITE --origin ...'."
    return Problem(403, "foreign-origin", detail)


def _is_ours(scope: Scope) -> bool:
    path = str(scope.get("path", ""))
    return scope["type"] == "http" and (path == PATH or path.startswith(f"{PATH}/"))


def _same(scope: Scope, origin: str) -> bool:
    """Whether the page that calls is this server's own."""
    headers = Headers(scope=scope)
    if headers.get("sec-fetch-site") == "same-origin":
        return (
            True  # browsers say so themselves, and no script can; true behind a proxy that changes Host, too
        )
    # By host and port only: a proxy in front may take TLS off, and the scheme that arrives here is then http.
    try:
        host = urlsplit(origin).netloc.lower()
    except ValueError:
        return False
    return host != "" and host == headers.get("host", "").lower()


def _allowed(origin: str) -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": "X-Request-ID, Retry-After",
        "Vary": "Origin",
    }


def _with_headers(send: Send, headers: dict[str, str]) -> Send:
    extra = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *extra]
        await send(message)

    return send_with
