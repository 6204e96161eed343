"""All routes of the widget, and its files."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, FastAPI, Query
from pydantic import StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from ui.server.widget.files import (
    SITE_CSP,
    File,
    as_file,
    found,
    frame_headers,
    frame_page,
    read_files,
    read_loaders,
    read_window,
)
from ui.server.widget.host import Host
from ui.server.widget.session import language_and_script, session_routes
from ui.server.widget.transcript import transcript_routes
from ui.server.widget.visits import visit_routes
from ui.server.wording import language_of

_ENGLISH = "en.html"
"""The sample site's other language."""
_LOADERS = {"/widget.js": "widget.js", "/widget.mjs": "widget.mjs"}
_ANYWHERE = {
    "Cache-Control": "public, max-age=300",
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
_FOR_GOOD = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_LOCALES = {"Hans": "zh-CN", "Hant": "zh-TW", "Latn": "en"}
_HTML = "text/html; charset=utf-8"
SiteId = Annotated[str, Query(max_length=64)]
PageLocale = Annotated[str, StringConstraints(max_length=20), Query()]


def add_widget(app: FastAPI, host: Host) -> None:
    """Add everything that the widget needs."""
    for routes in (session_routes, visit_routes, transcript_routes):
        app.include_router(routes(host))
    app.include_router(_file_routes(host))
    if host.context.settings.project.demo:
        app.include_router(_sample_site(read_files(host.setup.sample_site)))


def _file_routes(host: Host) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    loaders, window = read_loaders(host.setup.folder), read_window(host.setup.folder)

    def add_loader(address: str, name: str) -> None:
        @router.get(address)
        async def loader(request: Request) -> Response:
            return found(loaders, name).response(request.scope, _ANYWHERE)

    for address, name in _LOADERS.items():
        add_loader(address, name)

    @router.get("/widget/assets/{name:path}")
    async def asset(request: Request, name: str) -> Response:
        return found(window.files, name).response(request.scope, _FOR_GOOD)

    @router.get("/widget/frame")
    async def frame_of_site(request: Request, site: SiteId, locale: PageLocale = "") -> Response:
        wanted = await host.site(site)
        page = frame_page(window.page, wanted, mode="frame", locale=_locale(locale, request))
        headers = frame_headers(["'self'", *wanted.origins])
        return as_file(page, _HTML).response(request.scope, headers)

    @router.get("/widget/page")
    async def page_of_site(request: Request, site: SiteId, locale: PageLocale = "") -> Response:
        wanted = await host.site(site)
        page = frame_page(window.page, wanted, mode="page", locale=_locale(locale, request))
        return as_file(page, _HTML).response(request.scope, frame_headers(["'none'"]))

    return router


def _sample_site(known: dict[str, File]) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": SITE_CSP, "Vary": "Accept-Language"}

    @router.get("/site/{name:path}")
    async def sample(request: Request, name: str) -> Response:
        page = f"{name}index.html" if name == "" or name.endswith("/") else name
        if name == "" and _ENGLISH in known and language_of(request.scope) == "en":
            page = _ENGLISH
        return found(known, page).response(request.scope, headers)

    return router


def _locale(wanted: str, request: Request) -> str:
    _, script = language_and_script(wanted or language_of(request.scope))
    return _LOCALES[script]
