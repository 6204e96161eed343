"""Bring a database to the tables that this version of Kefu needs; `kefu serve` does it at every start."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from knowledge.database import open_engine, refusal
from knowledge.errors import StoreError

HEAD = "0002"
"""The newest revision in migrations/versions."""
_TABLES = {
    "conversations",
    "turns",
    "turn_claims",
    "ratings",
    "faqs",
    "documents",
    "intents",
    "knowledge_changes",
}
_LOCK = 5_173_380_001
"""Names our advisory lock on PostgreSQL; any number does that no other program there uses."""


def upgrade(url: str, *, wait_s: float = 60.0) -> str:
    """Make or change the tables, all of them or none; the revision afterwards.

    Several processes may start at once: one works, the others wait for it and find the work done. A
    process killed half-way leaves the database as it was.

    Args:
        url: SQLAlchemy URL; a missing SQLite file is made, with its folder.
        wait_s: How long to wait for another process.

    Raises:
        SettingsError: The URL is not one.
        StoreError: The file is no database, belongs to a newer version of Kefu or to another program, is
            read-only, or the server is not there.
    """
    engine = open_engine(url, busy_timeout_s=wait_s)
    try:
        with engine.connect() as connection:
            revision = current_revision(connection)
        if revision == HEAD:
            return HEAD
        with engine.connect().execution_options(kefu_writes=True) as connection, connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(text(f"SET LOCAL lock_timeout = {int(wait_s * 1000)}"))
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            _migrate(connection, engine)
    except DBAPIError as error:
        raise _refused(engine, error, error.orig) from error
    except sqlite3.Error as error:
        raise _refused(engine, None, error) from error
    finally:
        engine.dispose()
    return HEAD


def current_revision(connection: Connection) -> str | None:
    """The revision that the database is at; None when it has no tables of Kefu."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _migrate(connection: Connection, engine: Engine) -> None:
    # Imported late: most starts find nothing to do, and Alembic takes a third of a second to load.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    revision = current_revision(connection)
    where = engine.url.render_as_string(hide_password=True)
    if revision is not None and revision not in known:
        msg = (
            f"The database '{where}' was made by a newer version of Kefu (revision {revision}; "
            f"this one knows up to {HEAD}). Update Kefu, or name another database in storage.url."
        )
        raise StoreError(msg)
    if revision is None and (strange := _tables_in_the_way(connection)):
        msg = (
            f"The database '{where}' has tables that Kefu did not make: {', '.join(strange)}. "
            "Name another database in storage.url, or move these tables away."
        )
        raise StoreError(msg)
    command.upgrade(config, "head")


def _tables_in_the_way(connection: Connection) -> list[str]:
    return sorted(set(inspect(connection).get_table_names()) & _TABLES)


def _refused(engine: Engine, error: DBAPIError | None, cause: object) -> StoreError:
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
        return StoreError(
            f"The file '{make_url(engine.url).database}' is not a database, or is damaged. "
            "Restore the last backup, or name another file in storage.url; Kefu leaves this one as it is."
        )
    if error is not None:
        return refusal(engine, error)
    return StoreError(
        f"The database '{engine.url.render_as_string()}' refused: {cause}. "
        "Check the rights on the file and its folder, and the free disk space."
    )
