"""A value made from the knowledge, made anew in the background when something changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger(__name__)

T = TypeVar("T")


class Live(Generic[T]):
    """Serves one whole value at a time; whoever holds the old one goes on with it.

    Args:
        make: Makes the value from what is known now; called once here, later in a thread of its own.
        version: Cheap; another value means that something changed: the knowledge, or the model in force.
        interval_s: How often the version is looked at.
    """

    def __init__(self, make: Callable[[], T], *, version: Callable[[], object], interval_s: float) -> None:
        self._make, self._version, self._interval_s = make, version, interval_s
        self._seen = version()
        self._value = make()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.problem = ""
        """Why the last change could not be taken in; "" when it could."""

    def current(self) -> T:
        """The value in force."""
        return self._value

    def start(self) -> None:
        """Follow changes until `close`."""
        self._thread = threading.Thread(target=self._follow, name="kefu-live", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _follow(self) -> None:
        while not self._stopping.wait(self._interval_s):
            try:
                version = self._version()
                if version != self._seen:
                    self._value, self._seen, self.problem = self._make(), version, ""
                    log.info("stages.renewed", version=version)
            except Exception as error:
                self.problem = f"{type(error).__name__}: {error}"
                log.exception("stages.renewal_failed")
