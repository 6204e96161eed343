"""Who is next in a conversation, within this process: first come, first served."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from dataclasses import dataclass, field

_LOOK_S = 0.5
"""How often a waiting turn looks whether the one before it has outlived its lease."""


@dataclass(eq=False, slots=True)
class Place:
    """One turn's place in the line of its conversation."""

    conversation_id: str
    granted: threading.Event = field(default_factory=threading.Event)
    expires: float = math.inf
    """On the monotonic clock; from then on the place may be taken by the next."""


class Lines:
    """A line a conversation; lines without people take no memory."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[Place]] = {}
        self._mutex = threading.Lock()

    def busy(self, conversation_id: str) -> bool:
        """True when a newcomer would have to wait."""
        return conversation_id in self._lines

    def enter(self, conversation_id: str, *, timeout_s: float) -> Place | None:
        """Wait for one's turn; None when it did not come in time. Give the place back with `leave`."""
        place = Place(conversation_id)
        with self._mutex:
            line = self._lines.setdefault(conversation_id, deque())
            line.append(place)
            if line[0] is place:
                place.granted.set()
        deadline = time.monotonic() + timeout_s
        while not place.granted.is_set():
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0:
                self.leave(place)
                return None
            place.granted.wait(min(remaining_s, _LOOK_S))
            self._evict_expired(conversation_id)
        return place

    def leave(self, place: Place) -> None:
        """Let the next one go; harmless when the place was already lost."""
        with self._mutex:
            line = self._lines.get(place.conversation_id)
            if line is None or place not in line:
                return
            line.remove(place)
            if line:
                line[0].granted.set()
            else:
                del self._lines[place.conversation_id]

    def _evict_expired(self, conversation_id: str) -> None:
        with self._mutex:
            line = self._lines.get(conversation_id)
            first = line[0] if line else None
        if first is not None and first.expires <= time.monotonic():
            self.leave(first)
