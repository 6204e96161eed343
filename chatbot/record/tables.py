"""SQL tables of what was said; SQLAlchemy Core, on the metadata that all of Kefu shares.

A turn is one message with its reply, so it is one row: written once, whole or not at all. What is
searched or sorted has a column of its own; everything needed to explain the turn is JSON in `body`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

from knowledge.tables import metadata


class Written(TypeDecorator[Any]):
    """JSON; what is a text is taken for JSON that was written before."""

    impl = JSON
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """What is sent to the database."""
        write = super().bind_processor(dialect) or str
        return lambda value: value if isinstance(value, str) else write(value)


conversations = Table(
    "conversations",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("title", Text),
    Column("locale", String(20)),
    Column("channel", String(20), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("handed_off_at", DateTime(timezone=True)),
    Index("ix_conversations_updated_at", "updated_at"),
)
"""title is the first message, cut; handed_off_at is when the bot first brought in a person."""

turns = Table(
    "turns",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("key", String(200)),
    Column("text", Text, nullable=False),
    Column("reply", Text, nullable=False),
    Column("language", String(20), nullable=False),
    Column("intent", String(200)),
    Column("decision", String(20), nullable=False),
    Column("finish", String(20), nullable=False),
    Column("stored_at", DateTime(timezone=True), nullable=False),
    Column("body", Written, nullable=False),
    UniqueConstraint("conversation_id", "sequence", name="uq_turns_conversation_id_sequence"),
    UniqueConstraint("conversation_id", "key", name="uq_turns_conversation_id_key"),
    Index("ix_turns_stored_at", "stored_at"),
)
"""key is NULL where the client sent none; NULLs do not collide, in SQLite as in PostgreSQL."""

turn_claims = Table(
    "turn_claims",
    metadata,
    Column("ticket", Integer, primary_key=True, autoincrement=True),
    Column("conversation_id", String(200), nullable=False, index=True),
    Column("expires_at", Float(53), nullable=False),
    sqlite_autoincrement=True,
)
"""Who may answer in a conversation: the lowest ticket, until it is used, given back, or expires (Unix seconds)."""

ratings = Table(
    "ratings",
    metadata,
    Column("turn_id", ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True),
    Column("value", String(10), nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("comment", Text, nullable=False),
    Column("rated_at", DateTime(timezone=True), nullable=False),
)

satisfaction = Table(
    "satisfaction",
    metadata,
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True),
    Column("score", Integer, nullable=False),
    Column("comment", Text, nullable=False),
    Column("rated_at", DateTime(timezone=True), nullable=False),
)
"""How content the customer was with a whole conversation, 1..5."""

particulars = Table(
    "particulars",
    metadata,
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("fields", JSON, nullable=False),
    Column("stored_at", DateTime(timezone=True), nullable=False),
)
"""For the person who takes over, masked like messages: what the customer filled in before the conversation
("prechat"), and what the page told of itself ("context")."""
