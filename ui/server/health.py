"""/healthz, /readyz, /metrics: for load balancers and Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from ui.server.context import Context
from ui.server.problem import Problem
from ui.server.wire import json_response

_READY_TIMEOUT_S = 3.0


def health_routes(context: Context) -> APIRouter:
    """The routes at the root."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz")
    async def alive() -> Response:
        """The process answers."""
        return json_response({"status": "ok"})

    @router.get("/readyz")
    async def ready() -> Response:
        """Database, index and models can serve; else 503 with the reasons."""
        if context.closing.asked.is_set():
            raise _unready({"server": "is stopping"})
        try:
            checks = await context.read(context.ready, timeout_s=_READY_TIMEOUT_S)
        except Problem as problem:
            raise _unready({"ready": f"did not answer within {_READY_TIMEOUT_S:.0f} s"}) from problem
        wrong = {name: reason for name, reason in checks.items() if reason != "ok"}
        if wrong:
            raise _unready(wrong)
        return json_response({"status": "ok", "checks": checks})

    @router.get("/metrics")
    async def metrics() -> Response:
        """Numbers for Prometheus."""
        return Response(context.metrics.page(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router


def _unready(reasons: dict[str, str]) -> Problem:
    told = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    detail = f"Not ready to answer: {told}. Wait a moment; 'kefu doctor' says what to do."
    return Problem(503, "not-ready", detail, {"Retry-After": "2"}, {"checks": reasons})
