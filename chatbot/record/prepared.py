"""Statements that run with every turn, handed to SQLite as they are.

SQLAlchemy takes 0.1-0.2 ms to run a statement that it has compiled before; SQLite itself takes a tenth of that.
Other databases are asked through SQLAlchemy: the way to them costs more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, Delete, Insert, Select, Update
from sqlalchemy.exc import DBAPIError

Statement: TypeAlias = Select[*tuple[Any, ...]] | Insert | Update | Delete
Values: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Text:
    """A statement in SQLite's words."""

    sql: str
    names: Sequence[str]
    """Of its parameters, in their order."""
    constants: Values
    convert: Mapping[str, Callable[[Any], Any]]


class Prepared:
    """A statement whose parameters are all bound by name; its results are plain numbers and texts."""

    def __init__(self, statement: Statement, *columns: str) -> None:
        """Keep a statement.

        Args:
            statement: Of SQLAlchemy.
            columns: For an insert: the columns that it is given, beside those that it computes.
        """
        self._statement = statement
        self._columns = columns
        self._text: _Text | None = None

    def rows(self, connection: Connection, values: Values) -> list[tuple[Any, ...]]:
        """Run it; what it returns.

        Raises:
            DBAPIError: As SQLAlchemy raises it.
        """
        if connection.dialect.name != "sqlite":
            return [tuple(row) for row in connection.execute(self._statement, dict(values))]
        found: list[tuple[Any, ...]] = self._run(connection, values).fetchall()
        return found

    def count(self, connection: Connection, values: Values) -> int:
        """Run it; how many rows it changed.

        Raises:
            DBAPIError: As SQLAlchemy raises it.
        """
        if connection.dialect.name != "sqlite":
            return int(connection.execute(self._statement, dict(values)).rowcount)
        return int(self._run(connection, values).rowcount)

    def _run(self, connection: Connection, values: Values) -> sqlite3.Cursor:
        text = self._text or self._prepare(connection)
        known = {**text.constants, **values}
        for name, convert in text.convert.items():
            known[name] = convert(known[name])
        cursor: Any = connection.connection.cursor()
        try:
            found: sqlite3.Cursor = cursor.execute(text.sql, [known[name] for name in text.names])
        except sqlite3.Error as error:
            raise DBAPIError.instance(
                text.sql, None, error, sqlite3.Error, dialect=connection.dialect
            ) from error
        return found

    def _prepare(self, connection: Connection) -> _Text:
        dialect = connection.dialect
        compiled: Any = self._statement.compile(dialect=dialect, column_keys=list(self._columns) or None)
        types = {name: bind.type for bind, name in compiled.bind_names.items()}
        converters = {
            name: kind.dialect_impl(dialect).bind_processor(dialect) for name, kind in types.items()
        }
        convert = {name: converter for name, converter in converters.items() if converter is not None}
        constants = {
            name: bind.effective_value for bind, name in compiled.bind_names.items() if not bind.required
        }
        self._text = _Text(str(compiled), tuple(compiled.positiontup), constants, convert)
        return self._text
