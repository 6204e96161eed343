"""Stops asking a dialogue model that keeps failing, so that customers do not wait for nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Breaker:
    """Opens after `failures` in a row and lets one try through every `rest_s` seconds.

    Args:
        failures: How many failures in a row open it.
        rest_s: Seconds of rest before the next try.
        clock: Monotonic seconds.
    """

    def __init__(
        self, *, failures: int = 5, rest_s: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self._rest_s, self._clock = failures, rest_s, clock
        self._lock = threading.Lock()
        self._failed = 0
        self._next_try = 0.0

    def allows(self) -> bool:
        """Whether the model may be asked now."""
        with self._lock:
            if self._failed < self._limit:
                return True
            now = self._clock()
            if now < self._next_try:
                return False
            self._next_try = now + self._rest_s
            return True

    def worked(self) -> None:
        """The model answered."""
        with self._lock:
            self._failed = 0

    def failed(self) -> None:
        """The model failed or missed its deadline."""
        with self._lock:
            self._failed += 1
            if self._failed >= self._limit:
                self._next_try = self._clock() + self._rest_s
