"""A prepared statement does what SQLAlchemy would have done with it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from record_cases import new_database
from sqlalchemy import Engine, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from chatbot.record.prepared import Prepared
from chatbot.record.tables import conversations
from knowledge.database import open_engine

_ADD = Prepared(insert(conversations).returning(conversations.c.id), *conversations.c.keys())
_ROW = {"title": None, "locale": "zh", "channel": "api", "handed_off_at": None}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(new_database(tmp_path))
    yield engine
    engine.dispose()


def test_times_and_defaults_are_stored_as_sqlalchemy_stores_them(engine: Engine) -> None:
    now = datetime(2026, 3, 1, 12, 30, 0, 250_000, timezone(timedelta(hours=8)))
    row = {**_ROW, "created_at": now, "updated_at": now}
    table = conversations.c

    with engine.begin() as connection:
        added = _ADD.rows(connection, {**row, "id": "prepared", "more": "is left out"})
        connection.execute(insert(conversations), {**row, "id": "plain"})
        times = select(table.created_at, table.updated_at, table.locale).order_by(table.id)
        first, second = connection.execute(times).all()

    assert added == [("prepared",)]
    assert first == second


def test_what_was_changed_is_counted(engine: Engine) -> None:
    rename = Prepared(
        update(conversations).where(conversations.c.id == bindparam("name")).values(title=bindparam("said"))
    )
    now = datetime.now(UTC)

    with engine.begin() as connection:
        _ADD.rows(connection, {**_ROW, "id": "one", "created_at": now, "updated_at": now})
        counts = [rename.count(connection, {"name": name, "said": "Hi"}) for name in ("one", "two")]

    assert counts == [1, 0]


def test_errors_are_those_of_sqlalchemy(engine: Engine) -> None:
    now = datetime.now(UTC)
    row = {**_ROW, "id": "one", "created_at": now, "updated_at": now}

    with engine.begin() as connection:
        _ADD.rows(connection, row)
        with pytest.raises(IntegrityError, match="UNIQUE"):
            _ADD.rows(connection, row)
        connection.exec_driver_sql("DROP TABLE conversations")
        with pytest.raises(OperationalError, match="no such table"):
            _ADD.rows(connection, row)
