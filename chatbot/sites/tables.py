"""SQL tables of the widget's sites and visitors, on the metadata that all of Kefu shares."""

from __future__ import annotations

from sqlalchemy import JSON, Column, DateTime, ForeignKey, String, Table, Text, UniqueConstraint

from knowledge.tables import metadata

sites = Table(
    "sites",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("origins", JSON, nullable=False),
    Column("bot", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)
"""bot is the project folder of the bot that answers there; "" for the server's own."""

site_keys = Table(
    "site_keys",
    metadata,
    Column("site_id", ForeignKey("sites.id", ondelete="CASCADE"), primary_key=True),
    Column("kid", String(64), primary_key=True),
    Column("secret", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
)
"""A shared secret cannot be kept as a hash: the server needs it to check a signature."""

visitors = Table(
    "visitors",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("site_id", ForeignKey("sites.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", String(200)),
    Column("user_name", Text, nullable=False),
    Column("conversation_id", String(200), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    UniqueConstraint("site_id", "user_id", name="uq_visitors_site_id_user_id"),
)
"""Only visitors about whom there is something to know: signed in, begun anew, or locked out. user_id is
NULL for a stranger; NULLs do not collide."""

server_secrets = Table(
    "server_secrets",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)
"""Made by the server itself at its first start; whoever reads the database can act as any visitor."""
