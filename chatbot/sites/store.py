"""Sites and their keys in SQL."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from sqlalchemy import Engine, delete, insert, select, update

from chatbot.sites.site import Site, SiteError, SiteKey, checked_site
from chatbot.sites.tables import site_keys, sites
from knowledge.database import reading, writing

_KID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SECRET_BYTES = 32


class SiteStore:
    """Reads and writes sites; safe for many threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def sites(self) -> Sequence[Site]:
        """All of them, by id."""
        with reading(self._engine) as connection:
            found = connection.execute(select(sites).order_by(sites.c.id)).all()
        return tuple(
            Site(row.id, row.name, tuple(row.origins), row.bot, _aware(row.created_at)) for row in found
        )

    def site(self, site_id: str) -> Site:
        """One site.

        Raises:
            SiteError: There is none of this id.
        """
        known = {site.id: site for site in self.sites()}
        if site_id not in known:
            raise _unknown(site_id, known)
        return known[site_id]

    def add(self, site: Site) -> Site:
        """Keep a new site.

        Raises:
            SiteError: It is not valid, or its id is taken.
        """
        site = checked_site(site)
        if any(known.id == site.id for known in self.sites()):
            msg = f"There is a site '{site.id}' already. Choose another --id, or change that one with 'kefu site edit'."
            raise SiteError(msg)
        with writing(self._engine) as connection:
            connection.execute(insert(sites).values(**_row(site), created_at=datetime.now(UTC)))
        return site

    def replace(self, site: Site) -> Site:
        """Change a site that is there.

        Raises:
            SiteError: It is not valid, or there is none of this id.
        """
        site = checked_site(site)
        with writing(self._engine) as connection:
            changed = connection.execute(update(sites).where(sites.c.id == site.id).values(**_row(site)))
        if not changed.rowcount:
            raise _unknown(site.id, [known.id for known in self.sites()])
        return site

    def remove(self, site_id: str) -> None:
        """Forget a site with its keys and visitors; what was said stays in the bot's records.

        Raises:
            SiteError: There is none of this id.
        """
        with writing(self._engine) as connection:
            removed = connection.execute(delete(sites).where(sites.c.id == site_id))
        if not removed.rowcount:
            raise _unknown(site_id, [known.id for known in self.sites()])

    def keys(self, site_id: str) -> Sequence[SiteKey]:
        """The keys of a site, oldest first, those with an ended overlap too."""
        with reading(self._engine) as connection:
            found = connection.execute(
                select(site_keys).where(site_keys.c.site_id == site_id).order_by(site_keys.c.created_at)
            ).all()
        return tuple(
            SiteKey(row.site_id, row.kid, row.secret, _aware(row.created_at), _aware_or_none(row.expires_at))
            for row in found
        )

    def add_key(self, site_id: str, kid: str = "") -> SiteKey:
        """Make a key; its secret is 256 random bits.

        Raises:
            SiteError: No such site, a bad name, or one that is taken.
        """
        site = self.site(site_id)
        kid = kid or f"k{secrets.token_hex(4)}"
        if not _KID.fullmatch(kid):
            msg = f"'{kid}' cannot name a key. Use up to 64 letters, digits, dots, - and _."
            raise SiteError(msg)
        if any(key.kid == kid for key in self.keys(site.id)):
            raise SiteError(
                f"The site has a key '{kid}' already. Choose another name, or remove that one first."
            )
        key = SiteKey(site.id, kid, secrets.token_urlsafe(_SECRET_BYTES), datetime.now(UTC))
        with writing(self._engine) as connection:
            connection.execute(insert(site_keys).values(**asdict(key)))
        return key

    def remove_key(self, site_id: str, kid: str, *, expires_at: datetime | None = None) -> None:
        """Let a key end, at once or at a moment to come.

        Raises:
            SiteError: There is no such key.
        """
        name = (site_keys.c.site_id == site_id) & (site_keys.c.kid == kid)
        with writing(self._engine) as connection:
            statement = (
                delete(site_keys).where(name)
                if expires_at is None
                else update(site_keys).where(name).values(expires_at=expires_at)
            )
            done = connection.execute(statement)
        if not done.rowcount:
            known = ", ".join(key.kid for key in self.keys(site_id)) or "none"
            raise SiteError(f"The site '{site_id}' has no key '{kid}'. Its keys: {known}.")


def _row(site: Site) -> dict[str, object]:
    return {"id": site.id, "name": site.name, "origins": list(site.origins), "bot": site.bot}


def _unknown(site_id: str, known: object) -> SiteError:
    names = ", ".join(str(name) for name in known) if known else "none yet"  # type: ignore[attr-defined]
    return SiteError(f"There is no site '{site_id[:64]}'. Sites: {names}; 'kefu site add' makes one.")


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _aware_or_none(moment: datetime | None) -> datetime | None:
    return None if moment is None else _aware(moment)
