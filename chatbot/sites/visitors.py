"""The visitors of sites in SQL.

A stranger who only asks is not stored here: id and conversation are in the token, or follow from it. A row is
made when there is something that a token cannot say: the visitor signed in, began a new conversation, or is
locked out because this stranger became a user.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.dialects import postgresql, sqlite

from chatbot.sites.tables import server_secrets, visitors
from knowledge.database import reading, writing

_SECRET = "widget"  # noqa: S105 - the name of it
MARK = "site:"
"""Begins the id of every conversation that a visitor holds: no other door takes an id with a colon."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody in front of the widget."""

    id: str
    site_id: str
    conversation_id: str
    """The store's name of it; never leaves the server."""
    user_id: str | None = None
    """The site's own name of its user; None for a stranger."""
    user_name: str = ""
    revoked: bool = False


class VisitorStore:
    """Reads and writes visitors; safe for many threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._secret = self._kept_secret()

    def derived(self, purpose: str) -> bytes:
        """A key for one purpose, the same at every start of every process; 32 bytes."""
        return hmac.new(self._secret, purpose.encode(), hashlib.sha256).digest()

    def new(self, site_id: str) -> Visitor:
        """A stranger; nothing is stored."""
        return self.find(site_id, secrets.token_urlsafe(18))

    def find(self, site_id: str, visitor_id: str) -> Visitor:
        """The visitor of that id; a stranger where nothing is stored."""
        with reading(self._engine) as connection:
            found = _stored(connection, visitors.c.id == visitor_id)
        return found or Visitor(visitor_id, site_id, self._first_conversation(site_id, visitor_id))

    def user(self, site_id: str, user_id: str) -> Visitor | None:
        """The visitor who is this user of the site, when they were here before."""
        with reading(self._engine) as connection:
            return _stored(connection, (visitors.c.site_id == site_id) & (visitors.c.user_id == user_id))

    def sign_in(
        self, site_id: str, user_id: str, *, name: str, leaving: Visitor | None, keep: bool
    ) -> Visitor:
        """The visitor who is this user of the site from now on.

        Args:
            site_id: The site.
            user_id: The site's own name of its user.
            name: As people call them.
            leaving: The stranger who signed in: locked out from here on.
            keep: Whether the stranger's conversation becomes the user's.
        """
        fresh = secrets.token_urlsafe(18)
        conversation = (
            leaving.conversation_id if leaving and keep else self._first_conversation(site_id, fresh)
        )
        row = {"id": fresh, "site_id": site_id, "user_id": user_id, "user_name": name}
        with writing(self._engine) as connection:
            statement = _insert(connection).values(
                **row, conversation_id=conversation, created_at=datetime.now(UTC)
            )
            changes = {"user_name": name} | ({"conversation_id": conversation} if keep else {})
            connection.execute(
                statement.on_conflict_do_update(index_elements=["site_id", "user_id"], set_=changes)
            )
            if leaving is not None:
                _put(connection, leaving, {"revoked_at": datetime.now(UTC)})
        found = self.user(site_id, user_id)
        assert found is not None  # noqa: S101 - it was written just now
        return found

    def reset(self, visitor: Visitor) -> Visitor:
        """The same visitor at the beginning of a new conversation."""
        conversation = f"{MARK}{visitor.site_id}:{secrets.token_urlsafe(18)}"
        with writing(self._engine) as connection:
            _put(connection, visitor, {"conversation_id": conversation})
        return replace(visitor, conversation_id=conversation)

    def _first_conversation(self, site_id: str, visitor_id: str) -> str:
        digest = hmac.new(self.derived("conversation"), visitor_id.encode(), hashlib.sha256).digest()
        return f"{MARK}{site_id}:{base64.urlsafe_b64encode(digest[:18]).decode()}"

    def _kept_secret(self) -> bytes:
        wanted = select(server_secrets.c.value).where(server_secrets.c.name == _SECRET)
        with reading(self._engine) as connection:
            found = connection.execute(wanted).scalar_one_or_none()
        if found is None:
            with writing(self._engine) as connection:
                made = _insert(connection, server_secrets).values(name=_SECRET, value=secrets.token_hex(32))
                connection.execute(made.on_conflict_do_nothing())
                found = connection.execute(wanted).scalar_one()
        return bytes.fromhex(found)


def _stored(connection: Connection, condition: Any) -> Visitor | None:
    row = connection.execute(select(visitors).where(condition)).first()
    if row is None:
        return None
    return Visitor(
        row.id, row.site_id, row.conversation_id, row.user_id, row.user_name, row.revoked_at is not None
    )


def _put(connection: Connection, visitor: Visitor, changes: dict[str, object]) -> None:
    """Change the visitor's row; make it when there is none."""
    if connection.execute(update(visitors).where(visitors.c.id == visitor.id).values(**changes)).rowcount:
        return
    row = {
        "id": visitor.id,
        "site_id": visitor.site_id,
        "user_id": visitor.user_id,
        "user_name": visitor.user_name,
        "conversation_id": visitor.conversation_id,
        "created_at": datetime.now(UTC),
    }
    statement = _insert(connection).values(**row | changes)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changes))


def _insert(connection: Connection, table: Any = visitors) -> Any:
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
