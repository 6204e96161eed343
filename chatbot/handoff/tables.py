"""SQL table of the conversations that wait for a person, on the metadata that all of Kefu shares."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Index, Integer, String, Table, text

from knowledge.tables import metadata

handoffs = Table(
    "handoffs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("conversation_id", String(200), nullable=False),
    Column("turn_id", String(200), nullable=False),
    Column("reason", String(20), nullable=False),
    Column("intent", String(200)),
    Column("language", String(20), nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("closed_at", DateTime(timezone=True)),
    Index(
        "uq_handoffs_open_conversation",
        "conversation_id",
        unique=True,
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)
"""At most one open handoff a conversation; the customer's words stay in the turn, not here."""
