"""The retriever in force: an encoder, perhaps with an adapter, and the index that was built with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from chatbot.settings import Settings

if TYPE_CHECKING:
    from knowledge.build import IndexService
    from knowledge.encode import BatchingEncoder

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Searching:
    """Encoder and index that belong together."""

    settings: Settings
    """With the adapter named, whatever is promoted meanwhile."""
    encoder: BatchingEncoder
    index: IndexService
    own_encoder: bool
    """False: another service's, which closes it."""

    @property
    def adapter(self) -> Path | None:
        """Over the encoder."""
        return self.settings.knowledge.encoder.adapter

    def close(self) -> None:
        """Stop following the knowledge."""
        self.index.close()
        if self.own_encoder:
            self.encoder.close()


class Retrievers:
    """The retriever in force, and the one before it: kept open, so that a rollback is there at once.

    Args:
        make: Opens the retriever with an adapter; takes as long as building an index does.
        wanted: The adapter that should be in force now.
    """

    def __init__(self, make: Callable[[Path | None], Searching], wanted: Callable[[], Path | None]) -> None:
        self._make, self._wanted = make, wanted
        self._first = self._before = self._now = make(wanted())

    def current(self) -> Searching:
        """The one in force."""
        return self._now

    def follow(self) -> Searching:
        """The one that should be in force, opened where it is not.

        Turns that began with the one before may still be using it, and other bots of the server may encode
        with the first one: both stay open.
        """
        adapter = self._wanted()
        if self._now.adapter == adapter:
            return self._now
        known = [searching for searching in self._open() if searching.adapter == adapter]
        found = known[0] if known else self._make(adapter)
        for searching in self._open():
            if searching not in (found, self._first, self._now):
                searching.close()
        self._before, self._now = self._now, found
        log.info("retriever.changed", adapter=adapter.name if adapter else "")
        return found

    def close(self) -> None:
        """Close all of them."""
        for searching in self._open():
            searching.close()

    def _open(self) -> list[Searching]:
        return list(dict.fromkeys((self._first, self._before, self._now)))
