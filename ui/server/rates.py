"""Rate limits in memory, on the monotonic clock.

The strategy is that of the `limits` library; its own memory storage reads the wall clock (a clock that
jumps would lock people out, or let everybody in) and scans all keys from a thread up to 100 times a second.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import deque
from collections.abc import Callable

from limits import RateLimitItemPerMinute
from limits.storage.base import MovingWindowSupport, Storage
from limits.strategies import MovingWindowRateLimiter

_MAX_KEYS = 100_000
_SWEEP_S = 30.0


class MonotonicMemory(Storage, MovingWindowSupport):
    """Times of recent hits by key; idle keys are dropped, and the oldest when there are too many."""

    STORAGE_SCHEME = None

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, max_keys: int = _MAX_KEYS) -> None:
        super().__init__()
        self._clock = clock
        self._max_keys = max_keys
        self._hits: dict[str, deque[float]] = {}
        self._swept = clock()

    @property
    def base_exceptions(self) -> type[Exception]:
        """What `limits` wraps for its callers; memory raises nothing of its own."""
        return ValueError

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` hits unless more than `limit` would lie in the last `expiry` seconds."""
        now = self._clock()
        self._sweep(now, expiry)
        hits = self._hits.setdefault(key, deque())
        _forget(hits, before=now - expiry)
        if len(hits) + amount > limit:
            return False
        hits.extend([now] * amount)
        return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002 - limits' shape
        """When the oldest counted hit was, and how many there are."""
        now = self._clock()
        hits = self._hits.get(key, deque())
        _forget(hits, before=now - expiry)
        return (hits[0] if hits else now), len(hits)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count hits without a limit."""
        self.acquire_entry(key, 2**31, expiry, amount)
        return self.get(key)

    def get(self, key: str) -> int:
        """How many hits are counted."""
        return len(self._hits.get(key, ()))

    def get_expiry(self, key: str) -> float:
        """When the last hit was, on this storage's clock."""
        hits = self._hits.get(key)
        return hits[-1] if hits else self._clock()

    def check(self) -> bool:
        """Memory is always there."""
        return True

    def reset(self) -> int:
        """Forget everything; how many keys there were."""
        count = len(self._hits)
        self._hits.clear()
        return count

    def clear(self, key: str) -> None:
        """Forget one key."""
        self._hits.pop(key, None)

    def _sweep(self, now: float, expiry: int) -> None:
        if now - self._swept >= _SWEEP_S:
            self._swept = now
            for key in [key for key, hits in self._hits.items() if not hits or hits[-1] < now - expiry]:
                del self._hits[key]
        while len(self._hits) >= self._max_keys:
            del self._hits[next(iter(self._hits))]


class Rate:
    """So many a minute, or in so many minutes, for each key; 0 is no limit."""

    def __init__(self, count: int, *, minutes: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._item = RateLimitItemPerMinute(count, minutes) if count else None
        self._limiter = MovingWindowRateLimiter(MonotonicMemory(clock))

    def wait_s(self, key: str) -> int:
        """Count one; 0 when it is allowed, else the whole seconds until one is allowed again."""
        if self._item is None or self._limiter.hit(self._item, key):
            return 0
        reset = self._limiter.get_window_stats(self._item, key).reset_time
        return max(1, math.ceil(reset - self._clock()))


def _forget(hits: deque[float], *, before: float) -> None:
    while hits and hits[0] < before:
        hits.popleft()


def client_key(host: str) -> str:
    """The address that is counted: an IPv6 client holds a whole /64, so that is one client."""
    try:
        address = ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        return host[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)
