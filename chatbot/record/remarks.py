"""What a customer says about a conversation and not in it: stars at its end, the form before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects import postgresql, sqlite

from chatbot.record.rows import add_conversation, storable
from chatbot.record.tables import prechats, satisfaction
from knowledge.database import reading, writing


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

    def introduce(self, conversation_id: str, fields: Mapping[str, str]) -> None:
        """Keep what the customer filled in before the conversation; the last form counts."""
        values = {
            "fields": {name: storable(value) for name, value in fields.items()},
            "stored_at": datetime.now(UTC),
        }
        self._put(prechats, conversation_id, values)

    def introduction(self, conversation_id: str) -> Mapping[str, str]:
        """What was filled in before a conversation; empty when nothing was."""
        wanted = select(prechats.c.fields).where(prechats.c.conversation_id == conversation_id)
        with reading(self._engine) as connection:
            return connection.execute(wanted).scalar_one_or_none() or {}

    def _put(self, table: Any, conversation_id: str, values: Mapping[str, object]) -> None:
        with writing(self._engine) as connection:
            add_conversation(connection, conversation_id, "widget", None)
            statement = _insert(connection, table).values(conversation_id=conversation_id, **values)
            connection.execute(
                statement.on_conflict_do_update(index_elements=["conversation_id"], set_=dict(values))
            )


def _insert(connection: Connection, table: Any) -> Any:
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
