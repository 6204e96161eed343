"""Recognises a conversation by its transcript, for OpenAI clients that name none.

Such a client sends the whole dialogue each time, and it may have changed any of it. So nothing in it is
believed; it is only compared: if the earlier messages are, word for word, a dialogue that this server
held, the new message goes on in that conversation, whose history is the store's own. Otherwise the
message starts a new one. Two customers with equal transcripts hold conversations of equal content, so
each may get either; each is given out once.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence


class Continuations:
    """The conversations that may be gone on with, by the digest of all that was said in them."""

    def __init__(self, *, max_entries: int = 10_000) -> None:
        self._max_entries = max_entries
        self._open: OrderedDict[str, list[str]] = OrderedDict()
        self._entries = 0

    def remember(self, transcript: Sequence[tuple[str, str]], conversation_id: str) -> None:
        """This conversation now consists of these (role, text) pairs, the last one ours."""
        key = _digest(transcript)
        self._open.setdefault(key, []).append(conversation_id)
        self._open.move_to_end(key)
        self._entries += 1
        while self._entries > self._max_entries:
            _, dropped = self._open.popitem(last=False)
            self._entries -= len(dropped)

    def take(self, transcript: Sequence[tuple[str, str]]) -> str | None:
        """A conversation that consists of exactly these pairs; it is given out once."""
        key = _digest(transcript)
        found = self._open.get(key)
        if not found:
            return None
        self._entries -= 1
        conversation_id = found.pop()
        if not found:
            del self._open[key]
        return conversation_id


def _digest(transcript: Sequence[tuple[str, str]]) -> str:
    return hashlib.sha256(json.dumps(list(transcript)).encode()).hexdigest()
