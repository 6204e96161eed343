"""Open the database that holds everything: SQLite in a file by default, PostgreSQL by URL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from knowledge.errors import SettingsError, StoreError


def open_engine(url: str, *, busy_timeout_s: float = 5.0) -> Engine:
    """Open a database; makes the file (mode 0600) and its folder when SQLite's are missing.

    SQLite runs in WAL with synchronous=FULL: a committed row survives a power cut, readers never wait for
    the writer. Reads begin deferred, writes through `writing` begin immediate: a deferred transaction that
    starts to write late would fail with SQLITE_BUSY at once, whatever the timeout.

    Args:
        url: SQLAlchemy URL, e.g. "sqlite:///data/kefu.db" or "postgresql+psycopg://kefu@db/kefu".
        busy_timeout_s: How long a writer waits for another one.

    Raises:
        SettingsError: The URL is not one.
        StoreError: The database cannot be opened.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            engine = create_engine(parsed, connect_args={"timeout": busy_timeout_s})
            _prepare_sqlite(engine, busy_timeout_s)
            _make_private_file(parsed.database)
        else:
            engine = create_engine(parsed, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise SettingsError(
            f"The database address '{_without_password(url)}' cannot be used: {error}. "
            "Write e.g. sqlite:///data/kefu.db or postgresql+psycopg://user@host/name (pip install 'kefu[postgres]')."
        ) from error
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One write transaction; commits at the end, rolls back on any error.

    Raises:
        StoreError: The database refused (locked, full, gone, a constraint).
    """
    try:
        with engine.connect().execution_options(kefu_writes=True) as connection, connection.begin():
            yield connection
    except DBAPIError as error:
        raise refusal(engine, error) from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One read transaction: everything read inside is of one moment.

    Raises:
        StoreError: The database refused (missing tables, gone, damaged).
    """
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        raise refusal(engine, error) from error


def refusal(engine: Engine, error: DBAPIError) -> StoreError:
    """The database's words, and what to do."""
    where = engine.url.render_as_string(hide_password=True)
    words = str(error.orig)
    if "no such table" in words or "does not exist" in words:
        return StoreError(
            f"The database '{where}' has no tables of Kefu: {words}. Run 'kefu init' in its folder."
        )
    if isinstance(error, OperationalError) and "locked" in words:
        return StoreError(
            f"The database '{where}' is locked by another process. "
            "Wait for the other import or server to finish its write, then try again."
        )
    return StoreError(
        f"The database '{where}' refused: {words}. Check the free disk space and the rights on the file, "
        "or whether the server runs, then try again."
    )


def _prepare_sqlite(engine: Engine, busy_timeout_s: float) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # we emit BEGIN ourselves, below
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(busy_timeout_s * 1000)}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("kefu_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _make_private_file(database: str | None) -> None:
    if not database or database == ":memory:" or database.startswith("file:"):
        return
    path = Path(database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Only when it is missing: closing a file drops all of this process's locks on it, also SQLite's own. Another
        # process that closed the database last would then take the log for nobody's and remove it, with what is
        # written to it later.
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreError(
            f"The database file '{path}' cannot be opened: {error.strerror}. "
            "Choose another place in storage.url, or fix the rights of the folder."
        ) from error


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url.split("@")[-1]
