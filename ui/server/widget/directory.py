"""The sites as the server knows them now: read from the database, at most a few seconds old."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

import structlog

from chatbot.sites.site import Site
from knowledge.errors import StoreError

log = structlog.get_logger(__name__)

Read: TypeAlias = Callable[[Callable[[], Sequence[Site]]], Awaitable[Sequence[Site]]]
_FRESH_S = 2.0


class Directory:
    """Sites by id.

    Args:
        load: Reads them all; blocks.
        read: Runs `load` off the event loop.
    """

    def __init__(
        self, load: Callable[[], Sequence[Site]], *, read: Read, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._load = load
        self._read = read
        self._clock = clock
        self._sites: Mapping[str, Site] | None = None
        self._read_at = 0.0

    async def sites(self) -> Mapping[str, Site]:
        """All sites; a database that does not answer keeps the last ones.

        Raises:
            StoreError: They could never be read.
        """
        if self._sites is None or self._clock() - self._read_at > _FRESH_S:
            try:
                self._sites = {site.id: site for site in await self._read(self._load)}
            except StoreError as error:
                if self._sites is None:
                    raise
                log.warning("widget.sites_kept", error=str(error))
            self._read_at = self._clock()
        return self._sites

    async def origins(self) -> frozenset[str]:
        """The origins of all sites."""
        return frozenset(origin for site in (await self.sites()).values() for origin in site.origins)
