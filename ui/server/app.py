"""The server, put together: layers from the outside in, then the routes, then the mounted pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from chatbot.settings import Settings
from ui.server import problem
from ui.server.boundary import Boundary
from ui.server.closing import Closing, EndPageStreams
from ui.server.completions import completion_routes
from ui.server.context import Context
from ui.server.conversations import conversation_routes
from ui.server.docs_page import docs_page
from ui.server.health import health_routes
from ui.server.limits import Limits
from ui.server.metrics import Metrics, kefu_version
from ui.server.ports import Mounted, Service
from ui.server.rates import Rate
from ui.server.stream import StreamPlaces
from ui.server.turns import Turns
from ui.server.widget.host import Host, WidgetSetup
from ui.server.widget.origins import WidgetOrigins
from ui.server.widget.routes import add_widget
from ui.server.wire import ShownProblem
from ui.server.workers import Workers

_READERS = 4
_PROBLEM = {"description": "What went wrong.", "model": ShownProblem, "content": {problem.MEDIA_TYPE: {}}}


def create_app(
    service: Service,
    *,
    settings: Settings,
    mounts: Sequence[Mounted] = (),
    widget: WidgetSetup | None = None,
) -> FastAPI:
    """The ASGI application.

    Args:
        service: The assembled chatbot; the caller opens and closes it.
        settings: Limits, origins, proxies and timeouts.
        mounts: Pages in the same server, such as the chat page.
        widget: Sites, visitors and bots of the chat window; None where there is none.
    """
    context = _context(service, settings, widget)
    host = Host(widget, context) if widget else None
    app = FastAPI(
        title=f"{settings.project.name} API",
        version=kefu_version(),
        description="Talk to the support bot. Errors are application/problem+json with a request id.",
        middleware=_layers(context, mounts, host),
        responses={"4XX": _PROBLEM, "5XX": _PROBLEM, 422: _PROBLEM},
        openapi_url="/openapi.json" if settings.server.docs else None,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.context = context
    problem.install(app)
    for routes in (conversation_routes, completion_routes, health_routes):
        app.include_router(routes(context))
    if host is not None:
        add_widget(app, host)
    if settings.server.docs:
        app.add_api_route("/docs", lambda: _docs(app), include_in_schema=False)
    for page in mounts:
        page.attach(app)
    return app


def context_of(app: FastAPI) -> Context:
    """What `create_app` put behind the routes."""
    context: Context = app.state.context
    return context


def _context(service: Service, settings: Settings, widget: WidgetSetup | None) -> Context:
    metrics = Metrics()
    closing = Closing()
    workers = Workers(settings.server.workers, name="turn")
    return Context(
        service=service,
        settings=settings,
        turns=Turns(service.bot, settings, workers=workers, metrics=metrics, closing=closing),
        turn_workers=workers,
        readers=Workers(_READERS, name="read"),
        metrics=metrics,
        rate=Rate(settings.security.messages_per_minute),
        streams=StreamPlaces(settings.security.streams_per_address),
        closing=closing,
        guests={Path(name).name: bot.service for name, bot in widget.bots.items() if name} if widget else {},
    )


def _layers(context: Context, mounts: Sequence[Mounted], host: Host | None) -> list[Middleware]:
    security = context.settings.security
    layers = [
        Middleware(Boundary, metrics=context.metrics, mounts=mounts),
        *([Middleware(WidgetOrigins, directory=host.directory)] if host else []),
        # Outside the limits, so that a browser can read a 429; always there, also with no origin allowed:
        # Gradio adds a laxer one of its own where it finds none.
        Middleware(
            CORSMiddleware,
            allow_origins=[origin for origin in security.allowed_origins if origin != "*"],
            allow_methods=["GET", "POST"],
            allow_headers=[
                "Content-Type",
                "Idempotency-Key",
                "Last-Event-ID",
                "X-Request-ID",
                "Authorization",
            ],
            expose_headers=["X-Request-ID", "Retry-After"],
        ),
        Middleware(Limits, security=security, mounts=mounts, metrics=context.metrics),
    ]
    if security.trusted_proxies:
        layers.insert(0, Middleware(ProxyHeadersMiddleware, trusted_hosts=list(security.trusted_proxies)))
    if mounts:
        layers.append(Middleware(EndPageStreams, closing=context.closing, mounts=mounts))
    return layers


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    context_of(app).close()


def _docs(app: FastAPI) -> Response:
    return Response(docs_page(app.openapi()), media_type="text/html; charset=utf-8")
