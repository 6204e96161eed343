"""The widget's own files: the loader for other sites, and the window that it opens: a page, a script, a style.

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
from ui.server.widget.bundle import bundle
from ui.server.widget.lean import lean

_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".html": "text/html; charset=utf-8",
}
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


def read_files(folder: Path) -> dict[str, File]:
    """The files of a folder of pages that anybody may have, by path below it."""
    found = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        name = path.relative_to(folder).as_posix()
        if path.suffix in _TYPES and not _PRIVATE.search(name) and path.is_file():
            found[name] = as_file(lean(path.read_bytes(), path.suffix), _TYPES[path.suffix])
    return found


@dataclass(frozen=True, slots=True)
class Window:
    """What the window is made of.

    Args:
        page: Its document, which names the two files.
        files: The script of all its modules, and the style. A hash of what they hold stands in their names,
            so a browser may keep them for good.
    """

    page: str
    files: Mapping[str, File]


def read_window(folder: Path) -> Window:
    """The window of the widget in that folder.

    Raises:
        BundleError: Its modules cannot be joined.
    """
    page, files = (folder / "frame.html").read_text("utf-8"), {}
    style = lean((folder / "frame.css").read_bytes(), ".css")
    for name, body in (("frame.mjs", bundle(folder, "frame.mjs")), ("frame.css", style)):
        stem, suffix = name.split(".")
        hashed = f"{stem}.{hashlib.sha256(body).hexdigest()[:12]}.{suffix}"
        page = page.replace(f"assets/{name}", f"assets/{hashed}")
        files[hashed] = as_file(body, _TYPES[f".{suffix}"])
    return Window(page, files)


def read_loaders(folder: Path) -> dict[str, File]:
    """What stands on the pages of others."""
    names = ("widget.js", "widget.mjs")
    return {name: as_file(lean((folder / name).read_bytes(), ".mjs"), _TYPES[".mjs"]) for name in names}


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
