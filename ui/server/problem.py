"""Errors as application/problem+json (RFC 9457), for everything and with the request id.

{"type": "urn:kefu:rate-limited", "title": "Too Many Requests", "status": 429,
 "detail": "...", "instance": "/api/...", "request_id": "..."}
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from knowledge.errors import ConflictError, KefuError, StoreError
from ui.server.wording import language_of, say

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
_SLUGS = {
    400: "bad-request",
    404: "not-found",
    405: "method-not-allowed",
    408: "request-timeout",
    413: "too-large",
    415: "unsupported-media-type",
    422: "invalid",
    500: "failed",
}
_INVALID_SHOWN = 10


@dataclass(eq=False)
class Problem(Exception):  # noqa: N818 - it is an answer, raised
    """An answer that is not the one asked for.

    Args:
        status: HTTP status.
        slug: Names the kind of problem for programs; `type` is urn:kefu:<slug>.
        detail: For people.
        headers: Sent with it, e.g. Retry-After.
        extra: Further members of the JSON object.
    """

    status: int
    slug: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def retry(cls, status: int, slug: str, detail: str, *, after_s: int = 1) -> Problem:
        """One that goes away: the client is told when to come back."""
        return cls(status, slug, detail, {"Retry-After": str(after_s)})

    def body(self, scope: Scope) -> dict[str, Any]:
        """The JSON object."""
        path = str(scope.get("path", ""))
        kind = f"urn:kefu:{self.slug}"
        body = {
            "type": kind,
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "instance": path[:200],
            "request_id": request_id(scope),
            **self.extra,
        }
        if path.startswith("/v1/"):  # where OpenAI's clients look for the message
            body["error"] = {"message": self.detail, "type": self.slug, "code": self.slug, "param": None}
        return body

    def response(self, scope: Scope) -> Response:
        """The whole HTTP answer."""
        body = json.dumps(self.body(scope), ensure_ascii=False).encode()
        return Response(body, self.status, dict(self.headers), media_type=MEDIA_TYPE)


def request_id(scope: Scope) -> str:
    """The id that the boundary gave this request."""
    return str(scope.get("state", {}).get("request_id", ""))


def problem_of(error: Exception, scope: Scope) -> Problem:
    """What a client is told about an error; what it must not know goes to the log."""
    language = language_of(scope)
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            slug = _SLUGS.get(error.status_code, "http-error")
            return Problem(error.status_code, slug, _explain(error, scope), dict(error.headers or {}))
        case ConflictError():
            return Problem.retry(409, "still-answering", say("answering", language), after_s=2)
        case StoreError():
            log.error("store.failed", error=str(error))
            return Problem.retry(503, "store-unavailable", say("store", language), after_s=2)
        case KefuError():
            log.error("service.failed", error=str(error))
            return Problem.retry(503, "service-unavailable", say("failed", language), after_s=2)
        case _:
            log.error("http.failed", exception=traceback_of(error))
            return Problem(500, "failed", say("failed", language))


def traceback_of(error: BaseException) -> str:
    """Where it happened, as text.

    A log that renders exceptions itself may add local variables, and with them what the customer wrote.
    """
    return "".join(traceback.format_exception(error))


def install(app: FastAPI) -> None:
    """Let every error of the app leave as a problem."""

    async def handle(request: Request, error: Exception) -> Response:
        return problem_of(error, request.scope).response(request.scope)

    for kind in (Problem, HTTPException, RequestValidationError, KefuError):
        app.add_exception_handler(kind, handle)


def _invalid(error: RequestValidationError) -> Problem:
    # Names what is wrong, without repeating what was sent.
    found = [
        {"where": ".".join(str(part) for part in item["loc"]), "what": item["msg"]} for item in error.errors()
    ]
    first = found[0] if found else {"where": "body", "what": "is not valid"}
    detail = (
        f"{first['where']}: {first['what']}. Correct it and send the request again; /docs shows the form."
    )
    return Problem(422, "invalid", detail, extra={"errors": found[:_INVALID_SHOWN]})


def _explain(error: HTTPException, scope: Scope) -> str:
    if error.status_code == 400:
        return (
            "The body cannot be read as JSON. Check it for what is missing, or for nesting that is too deep."
        )
    if error.status_code == 404:
        return "There is nothing at this address. GET /openapi.json lists what there is."
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        return f"This address does not take {scope.get('method', 'that method')}. It takes {allowed}."
    return str(error.detail)
