"""The widget's own files: the loader for other sites, the frame that it opens, and what the frame needs.

Read once, at the start; an address is looked up in that list, so no path can leave the folder.
"""

from __future__ import annotations

import gzip
import hashlib
import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from chatbot.sites.site import Site
from ui.server.problem import Problem
from ui.server.widget.lean import lean

_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
_PAGES = {".html": "text/html; charset=utf-8"}
_PRIVATE = re.compile(r"(^|/)(\.|node_modules/|package[^/]*\.json$|tsconfig[^/]*\.json$)|\.test\.|/tests?/")
_HTML_TAG = re.compile(r"<html\b[^>]*>", re.IGNORECASE)
_GZIP_FROM = 400
FRAME_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors "
)
SITE_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def widget_folder() -> Path:
    """Where the widget's files lie."""
    return Path(str(files("ui"))) / "widget"


def sample_site_folder() -> Path:
    """Where the sample support site lies."""
    return Path(str(files("ui"))) / "site"


@dataclass(frozen=True, slots=True)
class File:
    """A file, ready to be sent."""

    body: bytes
    zipped: bytes | None
    kind: str
    etag: str

    def response(self, scope: Scope, headers: Mapping[str, str]) -> Response:
        """The file, compressed where the client takes that; 304 when it has it already."""
        asked = Headers(scope=scope)
        sent = {"ETag": self.etag, "Vary": "Accept-Encoding", **headers}
        if self.etag in asked.get("if-none-match", ""):
            return Response(status_code=304, headers=sent)
        if self.zipped is not None and "gzip" in asked.get("accept-encoding", ""):
            return Response(self.zipped, headers={**sent, "Content-Encoding": "gzip"}, media_type=self.kind)
        return Response(self.body, headers=sent, media_type=self.kind)


def read_files(folder: Path, *, pages: bool = False) -> dict[str, File]:
    """The files of a folder that anybody may have, by path below it; pages too when wanted."""
    kinds = {**_TYPES, **(_PAGES if pages else {})}
    found = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        name = path.relative_to(folder).as_posix()
        if path.suffix in kinds and not _PRIVATE.search(name) and path.is_file():
            found[name] = as_file(lean(path.read_bytes(), path.suffix), kinds[path.suffix])
    return found


def as_file(body: bytes, kind: str) -> File:
    """A file of these bytes."""
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:20]}"'
    worth = len(body) >= _GZIP_FROM and not kind.startswith(("image/png", "font/"))
    return File(body, gzip.compress(body, 9, mtime=0) if worth else None, kind, etag)


def found(known: Mapping[str, File], name: str) -> File:
    """The file of that name.

    Raises:
        Problem: There is none.
    """
    if name not in known:
        raise Problem(404, "not-found", "There is no such file. Check the address.")
    return known[name]


def frame_page(template: str, site: Site, *, mode: str, locale: str) -> bytes:
    """The frame's document, told whose it is; everything is escaped."""
    values = {
        "lang": locale,
        "data-site": site.id,
        "data-origins": " ".join(site.origins),
        "data-mode": mode,
    }
    told = " ".join(f'{name}="{html.escape(value, quote=True)}"' for name, value in values.items())
    return _HTML_TAG.sub(lambda _: f"<html {told}>", template, count=1).encode()


def frame_headers(ancestors: Iterable[str]) -> dict[str, str]:
    """For a page that only these origins may show in a frame."""
    return {
        "Content-Security-Policy": FRAME_CSP + " ".join(ancestors),
        "Cache-Control": "no-cache",
        "Vary": "Accept-Encoding, Accept-Language",
        # So that a page which isolates itself (COEP) can show the frame all the same.
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
    }
