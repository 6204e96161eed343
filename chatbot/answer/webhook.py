"""Ask a company's own service for what a template needs: one GET, a JSON object back, nothing else.

The service is read, never told to do anything: a customer's words cannot cancel an order.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from urllib.parse import quote

import httpx

from knowledge.sources.intents import PLACEHOLDER, Webhook

_MOST_BYTES = 64 * 1024
"""An order's state is a few hundred bytes; more is a mistake of the service."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came back."""

    outcome: Literal["found", "not_found", "failed"]
    values: Mapping[str, str]
    problem: str = ""
    """For the log: what went wrong."""


class Caller(Protocol):
    """Asks a service; never raises."""

    def __call__(self, webhook: Webhook, slots: Mapping[str, str]) -> Fetched:
        """The service's values for `webhook.fills`."""
        ...


class HttpCaller:
    """Asks over HTTP with one total deadline; redirects are not followed."""

    def __init__(
        self, base: str = "", *, timeout_s: float = 3.0, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._base = base.rstrip("/")
        self._timeout_s = timeout_s
        self._client = httpx.Client(
            timeout=timeout_s,
            follow_redirects=False,
            transport=transport,
            headers={"accept": "application/json"},
        )

    def __call__(self, webhook: Webhook, slots: Mapping[str, str]) -> Fetched:
        """Ask; every failure becomes an outcome."""
        try:
            url = self._address(webhook.url, slots)
            status, body = self._get(url)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:
            return Fetched("failed", {}, f"{type(error).__name__}: {error}")
        if status == httpx.codes.NOT_FOUND:
            return Fetched("not_found", {})
        if status != httpx.codes.OK:
            return Fetched("failed", {}, f"status {status}")
        return _read(body, webhook)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _address(self, template: str, slots: Mapping[str, str]) -> str:
        """The address with its slots quoted, so that a value stays one piece of a path or query."""
        if missing := [name for name in PLACEHOLDER.findall(template) if not slots.get(name)]:
            msg = f"no value for {', '.join(missing)}"
            raise ValueError(msg)
        filled = PLACEHOLDER.sub(lambda match: _quoted(slots[match.group(1)]), template)
        if filled.startswith("/"):
            if not self._base:
                msg = f"'{template}' needs templates.webhook_base"
                raise ValueError(msg)
            return self._base + filled
        if not filled.startswith(("http://", "https://")):
            msg = f"'{template}' is no http(s) address"
            raise ValueError(msg)
        return filled

    def _get(self, url: str) -> tuple[int, bytes]:
        """Status and body; the deadline and the size hold for a service that drips or floods, too."""
        ends = time.monotonic() + self._timeout_s
        body = bytearray()
        with self._client.stream("GET", url) as response:
            for piece in response.iter_bytes():
                body += piece
                if len(body) > _MOST_BYTES:
                    msg = f"more than {_MOST_BYTES} bytes"
                    raise ValueError(msg)
                if time.monotonic() > ends:
                    msg = f"not done after {self._timeout_s} s"
                    raise TimeoutError(msg)
            return response.status_code, bytes(body)


def _quoted(value: str) -> str:
    """Percent-encoded; "." and ".." would walk up the path and are refused."""
    if value.strip(".") == "":
        msg = "a slot of dots is no value"
        raise ValueError(msg)
    return quote(value, safe="")


def _read(body: bytes, webhook: Webhook) -> Fetched:
    try:
        loaded: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        return Fetched("failed", {}, f"no JSON: {type(error).__name__}")
    if not isinstance(loaded, dict):
        return Fetched("failed", {}, "no JSON object")
    values = {
        name: _text(loaded[name])
        for name in webhook.fills
        if isinstance(loaded.get(name), (str, int, float)) and loaded[name] != ""
    }
    return Fetched("found", values)


def _text(value: str | float) -> str:
    """As people read it: true and false in words, 3.0 as 3."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
