"""The demo company's order service: small, read-only, and asked by the demo's intent webhooks.

GET /{collection}/{id}  ->  the object, or 404

Its data is one JSON file: collection -> id -> object. Ids are matched without regard to case and to
full-width forms, as customers type them. Its dates are as of one day and can be moved on, so that a parcel
that is on its way stays so whenever the demo is tried.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import knowledge
from knowledge.errors import KnowledgeError

Collections: TypeAlias = Mapping[str, Mapping[str, Mapping[str, Any]]]

DEMO_DATA = Path(knowledge.__file__).parent / "data" / "demo" / "services.json"
AS_OF = date(2026, 11, 22)
"""The day of that data."""
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_START_S = 10.0


@contextmanager
def running_order_service(data: Path = DEMO_DATA, *, today: date = AS_OF) -> Iterator[str]:
    """Run the service on a free port of this machine; the value is its base URL.

    Args:
        data: Its data, as of `AS_OF`.
        today: The day that its dates are moved on to; without it they are as written.

    Raises:
        KnowledgeError: The data file is missing or has another shape.
    """
    app = order_app(moved_on(load_collections(data), today - AS_OF))
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, ws="none", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="order-service", daemon=True
    )
    thread.start()
    try:
        # The socket takes connections from here on; uvicorn answers them as soon as it runs.
        listener.listen()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(_START_S)


def order_app(collections: Collections) -> Starlette:
    """The service over these collections."""
    found = {
        folded(name): {folded(key): value for key, value in objects.items()}
        for name, objects in collections.items()
    }

    async def read(request: Request) -> JSONResponse:
        objects = found.get(folded(request.path_params["collection"]), {})
        value = objects.get(folded(request.path_params["id"]))
        if value is None:
            return JSONResponse({"detail": "There is no such object. Check its id."}, status_code=404)
        return JSONResponse(value)

    return Starlette(routes=[Route("/{collection}/{id}", read, methods=["GET"])])


def load_collections(path: Path) -> Collections:
    """Read collection -> id -> object.

    Raises:
        KnowledgeError: The file is missing or has another shape.
    """
    try:
        loaded = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        msg = (
            f"The order service's data {path} cannot be read: {error}. Restore the file, or name another one."
        )
        raise KnowledgeError(msg) from error
    if not isinstance(loaded, dict) or not all(_is_collection(value) for value in loaded.values()):
        msg = f"The order service's data {path} is not 'collection -> id -> object'. Write it in that shape."
        raise KnowledgeError(msg)
    return loaded


def moved_on(collections: Collections, later: timedelta) -> Collections:
    """The same with all dates (2026-11-24) so much later."""

    def move(found: re.Match[str]) -> str:
        return (date.fromisoformat(found[0]) + later).isoformat()

    moved: Collections = json.loads(_DATE.sub(move, json.dumps(collections, ensure_ascii=False)))
    return moved


def _is_collection(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(item, dict) for item in value.values())


def folded(text: str) -> str:
    """The text without regard to case, width and outer blanks."""
    return unicodedata.normalize("NFKC", text).casefold().strip()
