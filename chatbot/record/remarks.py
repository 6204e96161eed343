"""What is said about a conversation and not in it: stars at its end, the form before it, the page around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, Engine, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from chatbot.record.rows import add_conversation, storable
from chatbot.record.tables import particulars, satisfaction
from knowledge.database import reading, writing

Kind: TypeAlias = Literal["prechat", "context"]
"""What the customer filled in before the conversation; what the page around it told of itself."""


@dataclass(frozen=True, slots=True)
class Stars:
    """How content the customer was."""

    score: int
    """1..5."""
    comment: str = ""


class Remarks:
    """Reads and writes them, beside the conversations; safe for many threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def rate(self, conversation_id: str, stars: Stars) -> None:
        """Keep the stars of a conversation; the last ones count."""
        values = {"score": stars.score, "comment": storable(stars.comment), "rated_at": datetime.now(UTC)}
        self._put(satisfaction, conversation_id, values)

    def stars(self, conversation_id: str) -> Stars | None:
        """The stars of a conversation."""
        wanted = select(satisfaction).where(satisfaction.c.conversation_id == conversation_id)
        with reading(self._engine) as connection:
            row = connection.execute(wanted).first()
        return None if row is None else Stars(row.score, row.comment)

    def tell(self, conversation_id: str, kind: Kind, fields: Mapping[str, str]) -> None:
        """Keep particulars of a conversation; the last ones of a kind count."""
        values = {
            "fields": {name: storable(value) for name, value in fields.items()},
            "stored_at": datetime.now(UTC),
        }
        self._put(particulars, conversation_id, values, kind=kind)

    def told(self, conversation_id: str, kind: Kind) -> Mapping[str, str]:
        """The particulars of a kind; empty when there are none."""
        wanted = select(particulars.c.fields).where(
            particulars.c.conversation_id == conversation_id, particulars.c.kind == kind
        )
        with reading(self._engine) as connection:
            return connection.execute(wanted).scalar_one_or_none() or {}

    def about(self, conversation_id: str) -> Mapping[str, Mapping[str, str]]:
        """All particulars, by kind: what whoever takes over wants to know before reading."""
        wanted = select(particulars.c.kind, particulars.c.fields).where(
            particulars.c.conversation_id == conversation_id
        )
        with reading(self._engine) as connection:
            return {kind: fields for kind, fields in connection.execute(wanted)}  # noqa: C416 - rows are no pairs

    def _put(self, table: Table, conversation_id: str, values: Mapping[str, object], **key: str) -> None:
        with writing(self._engine) as connection:
            add_conversation(connection, conversation_id, "widget", None)
            statement = _insert(connection, table).values(conversation_id=conversation_id, **key, **values)
            connection.execute(
                statement.on_conflict_do_update(index_elements=["conversation_id", *key], set_=dict(values))
            )


def _insert(connection: Connection, table: Table) -> Any:
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
