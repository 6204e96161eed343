"""SQL tables of what the company knows; SQLAlchemy Core, shared metadata for all of Kefu.

`knowledge_changes` is the log that serving processes follow: every write to faqs, document_passages or
intents adds one row in the same transaction, so that an index knows what to encode again.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

faqs = Table(
    "faqs",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("question", Text, nullable=False),
    Column("similar_questions", JSON, nullable=False),
    Column("negative_questions", JSON, nullable=False),
    Column("answer", Text, nullable=False),
    Column("category", String(200)),
    Column("tags", JSON, nullable=False),
    Column("locale", String(20), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("buttons", JSON, nullable=False),
    Column("source_url", Text),
    Column("valid_from", Date),
    Column("valid_to", Date),
    Column("source", String(20), nullable=False, server_default="faq"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

documents = Table(
    "documents",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("title", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("locale", String(20), nullable=False),
    Column("url", Text),
    Column("imported_at", DateTime(timezone=True), nullable=False),
)

document_passages = Table(
    "document_passages",
    metadata,
    Column("id", String(220), primary_key=True),
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("ordinal", Integer, nullable=False),
    Column("heading", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("locale", String(20), nullable=False),
)

intents = Table(
    "intents",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("definition", JSON, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

knowledge_changes = Table(
    "knowledge_changes",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(20), nullable=False),
    Column("item_id", String(220), nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Index("ix_knowledge_changes_item", "kind", "item_id"),
    sqlite_autoincrement=True,
)
"""kind is "faq", "passage" or "intent"; item_id names the row that was added, changed or deleted."""
