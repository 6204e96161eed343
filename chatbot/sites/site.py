"""A site: a public id, the origins whose pages may show the widget, and the bot that answers there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from knowledge.errors import KefuError

SITE_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_DEFAULT_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


class SiteError(KefuError):
    """A site, an origin or a key that is not there, there already, or not valid."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Site:
    """Where the widget is shown."""

    id: str
    """Public: it stands in the page's source."""
    name: str
    origins: tuple[str, ...]
    """As browsers write them: https://shop.example, https://shop.example:8443."""
    bot: str = ""
    """Project folder of the bot that answers; "" for the server's own."""
    created_at: datetime | None = field(default=None, compare=False)
    """Given by the store; a token that is older belongs to an earlier site of this id."""


@dataclass(frozen=True, slots=True)
class SiteKey:
    """A secret that the site's server signs its users' identities with."""

    site_id: str
    kid: str
    """Names the key in the header of a JWT, so that two are good while one replaces the other."""
    secret: str
    created_at: datetime
    expires_at: datetime | None = None

    def valid(self, at: datetime) -> bool:
        """False once it was removed and its overlap is over."""
        return self.expires_at is None or at < self.expires_at


def checked_site(site: Site) -> Site:
    """The site, with its origins as browsers write them.

    Raises:
        SiteError: An id that cannot stand in a link, no name, or an origin that is none.
    """
    if not SITE_ID.fullmatch(site.id):
        msg = f"'{site.id}' cannot be a site's id. Use up to 64 of a-z, 0-9, - and _, e.g. 'help-centre'."
        raise SiteError(msg)
    if not site.name.strip():
        raise SiteError("The site has no name. Give it one that you recognise, e.g. 'Help centre'.")
    return Site(site.id, site.name.strip(), tuple(dict.fromkeys(map(checked_origin, site.origins))), site.bot)


def checked_origin(text: str) -> str:
    """An origin as browsers write it: lower case, no path, no default port, names in ASCII.

    Raises:
        SiteError: It is not one, is a pattern, or is not encrypted although it is another machine's.
    """
    try:
        parts = urlsplit(text.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
        host = host if ":" in host else host.encode("idna").decode()
    except (ValueError, UnicodeError) as error:
        raise _no_origin(text) from error
    extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password
    if parts.scheme not in _DEFAULT_PORTS or extra or not (host in _LOOPBACK or _HOST.fullmatch(host)):
        raise _no_origin(text)
    if parts.scheme == "http" and host not in _LOOPBACK:
        msg = (
            f"The origin '{text}' is not encrypted. Use https://{host}; http is taken for this machine only."
        )
        raise SiteError(msg)
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (
        f":{port}" if port not in (None, _DEFAULT_PORTS[parts.scheme]) else ""
    )


def id_from(name: str, taken: Iterable[str]) -> str:
    """A free id made from a name: "Help centre" becomes "help-centre"."""
    known = set(taken)
    base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:50] or "site"
    return next(
        one for n in range(1, len(known) + 3) if (one := base if n == 1 else f"{base}-{n}") not in known
    )


def _no_origin(text: str) -> SiteError:
    return SiteError(
        f"'{text[:200]}' is not an origin. Write scheme and host as the browser shows them, "
        "e.g. https://help.shop.example; no path, no *."
    )
