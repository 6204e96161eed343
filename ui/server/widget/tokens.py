"""Visitor tokens: who is writing, as a signed JWT in the widget's own storage, never in a cookie or a link."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt
import structlog

from chatbot.sites.visitors import Visitor
from ui.server.problem import Problem

log = structlog.get_logger(__name__)

_ALGORITHM = "HS256"
_ISSUER = "kefu-widget"
_LEEWAY_S = 60
MAX_TOKEN = 4096


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says."""

    site_id: str
    visitor_id: str
    issued_at: datetime
    expires_at: datetime
    user: bool = False
    """True when it was given to somebody whose identity was proven."""


class VisitorTokens:
    """Gives out tokens and reads them.

    Args:
        key: 32 bytes that only this server knows.
        days: How long a stranger's token lives; every session call gives a new one.
        user_hours: How long a user's token lives after the last proof of identity.
    """

    def __init__(self, key: bytes, *, days: int, user_hours: int = 24) -> None:
        self._key = key
        self._life = timedelta(days=days)
        self._user_life = timedelta(hours=user_hours)

    def issue(self, visitor: Visitor) -> tuple[str, datetime]:
        """A token for this visitor, and when it ends."""
        now = datetime.now(UTC).replace(microsecond=0)
        user = visitor.user_id is not None
        ends = now + (self._user_life if user else self._life)
        claims = {
            "iss": _ISSUER,
            "aud": visitor.site_id,
            "sub": visitor.id,
            "iat": now,
            "exp": ends,
            "user": user,
        }
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM), ends

    def read(self, token: str) -> Claims:
        """What a token says, when it is one of ours and not too old.

        Raises:
            Problem: 401, without a word about which check failed; the log has it.
        """
        try:
            if not 0 < len(token) <= MAX_TOKEN:
                raise jwt.InvalidTokenError("no token" if not token else "too long")
            said = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iat", "sub", "aud", "iss"], "verify_aud": False},
            )
            site, visitor, user = said["aud"], said["sub"], said.get("user")
            if not (isinstance(site, str) and isinstance(visitor, str) and isinstance(user, bool)):
                raise jwt.InvalidTokenError("claims of another shape")
        except jwt.PyJWTError as error:
            raise refused("bad-token", why=f"{type(error).__name__}: {error}") from None
        issued, ends = (datetime.fromtimestamp(said[name], UTC) for name in ("iat", "exp"))
        return Claims(site, visitor, issued, ends, user)


def refused(slug: str, *, why: str) -> Problem:
    """401; the reason goes to the log and not to the client."""
    log.warning("widget.refused", kind=slug, why=why[:200])
    detail = {
        "bad-token": "The visitor token is missing, expired, or not ours. POST /api/widget/session gives a new one.",
        "bad-identity": "The identity token is not valid for this site. Sign a new one on the site's server; "
        "'kefu site show' names its keys.",
    }[slug]
    return Problem(401, slug, detail, {"WWW-Authenticate": "Bearer"})


def alias(key: bytes, conversation_id: str) -> str:
    """What a client may know of a conversation's id: enough to compare two, useless for opening one."""
    digest = hmac.new(key, conversation_id.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:15]).decode()
