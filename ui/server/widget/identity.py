"""Who a site says its user is: a JWT that the site's own server signed with one of its keys.

    header   {"alg": "HS256", "kid": "k1a2b3c4"}
    claims   {"aud": "<site id>", "sub": "<user id>", "exp": ..., "name": "..." (optional)}

A browser cannot make one, so nobody becomes a user by saying so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import jwt

from chatbot.sites.site import SiteKey
from ui.server.problem import Problem
from ui.server.widget.tokens import MAX_TOKEN, refused
from ui.server.wire import clean_text

_ALGORITHM = "HS256"
_LEEWAY_S = 60
_LONGEST_S = 24 * 60 * 60
_MAX_ID = 200
_MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class User:
    """A user of a site, by the site's own words."""

    id: str
    name: str


def identify(token: str, *, site_id: str, keys: Sequence[SiteKey]) -> User:
    """The user that the token names.

    PyJWT compares signatures in constant time, and takes no algorithm but the one named here.

    Raises:
        Problem: 401; the reason is logged.
    """
    try:
        return _verified(token, site_id=site_id, keys=keys)
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
        raise _refused(f"{type(error).__name__}: {error}") from None


def _verified(token: str, *, site_id: str, keys: Sequence[SiteKey]) -> User:
    if not 0 < len(token) <= MAX_TOKEN:
        raise jwt.InvalidTokenError("too long or empty")
    kid = jwt.get_unverified_header(token).get("kid")
    now = datetime.now(UTC)
    key = next((key for key in keys if key.kid == kid and key.valid(now)), None)
    if key is None:
        raise jwt.InvalidTokenError("unknown kid")
    said = jwt.decode(
        token,
        key.secret,
        algorithms=[_ALGORITHM],
        audience=site_id,
        leeway=_LEEWAY_S,
        options={"require": ["exp", "sub", "aud"], "strict_aud": True},
    )
    begins = min(float(said.get("iat", now.timestamp())), now.timestamp())
    if float(said["exp"]) - begins > _LONGEST_S + _LEEWAY_S:
        raise jwt.InvalidTokenError("lives longer than 24 hours")
    return _user(said)


def _user(said: dict[str, object]) -> User:
    name = said.get("name", "")
    user = User(str(said["sub"]), clean_text(name) if isinstance(name, str) else "")
    if not 0 < len(user.id) <= _MAX_ID or clean_text(user.id) != user.id:
        raise jwt.InvalidTokenError("sub is empty, too long or not plain text")
    return User(user.id, user.name[:_MAX_NAME])


def _refused(why: str) -> Problem:
    return refused("bad-identity", why=why)
