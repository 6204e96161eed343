"""Migrations make exactly the tables that the code uses, once, whoever starts first."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from record_cases import postgres_url, start_upgrade
from setuptools import find_packages
from sqlalchemy import Engine, text

import chatbot.handoff.tables
import chatbot.record.migrations
import chatbot.record.tables
import chatbot.sites.tables
from chatbot.record.migrate import HEAD, upgrade
from knowledge.database import open_engine, writing
from knowledge.errors import StoreError
from knowledge.tables import metadata


def _differences(engine: Engine) -> object:
    with engine.connect() as connection:
        return compare_metadata(MigrationContext.configure(connection), metadata)


def test_the_migrations_make_the_tables_of_the_code(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'kefu.db'}"

    assert upgrade(url) == HEAD

    assert _differences(open_engine(url)) == []


def test_the_migrations_make_the_tables_of_the_code_on_postgresql() -> None:
    url = postgres_url()
    if url is None:
        pytest.skip("no PostgreSQL: install it, or set KEFU_TEST_POSTGRES to a SQLAlchemy URL")

    assert upgrade(url) == upgrade(url) == HEAD

    engine = open_engine(url)
    assert _differences(engine) == []
    engine.dispose()


def test_the_newest_revision_is_the_one_the_program_asks_for() -> None:
    folder = Path(chatbot.record.migrations.__path__[0])

    assert ScriptDirectory(str(folder)).get_heads() == [HEAD]


def test_the_migrations_are_part_of_the_package() -> None:
    root = Path(chatbot.record.migrations.__path__[0]).parents[2]

    assert "chatbot.record.migrations.versions" in find_packages(str(root), include=["chatbot*"])


def test_upgrading_again_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'kefu.db'}"
    upgrade(url)
    with writing(open_engine(url)) as connection:
        connection.execute(
            text("INSERT INTO documents VALUES ('d', 't', 'f', 's', 'en', NULL, '2026-01-01')")
        )

    assert upgrade(url) == HEAD

    with open_engine(url).connect() as connection:
        assert connection.execute(text("SELECT id FROM documents")).scalar_one() == "d"


def test_two_processes_may_start_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'kefu.db'}"

    starters = [start_upgrade(url) for _ in range(2)]
    outcomes = [(starter.communicate(timeout=60)[1], starter.returncode) for starter in starters]

    assert outcomes == [("", 0), ("", 0)]
    assert _differences(open_engine(url)) == []


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'kefu.db'}"
    upgrade(url)
    with writing(open_engine(url)) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(StoreError, match=r"newer version of Kefu \(revision 9999"):
        upgrade(url)


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "kefu.db"
    path.write_bytes(b"Dear diary, " * 500)

    with pytest.raises(StoreError, match="is not a database"):
        upgrade(f"sqlite:///{path}")

    assert path.read_bytes() == b"Dear diary, " * 500


def test_the_tables_of_another_program_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "kefu.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE conversations (subject TEXT)")
    connection.close()

    with pytest.raises(StoreError, match="did not make: conversations"):
        upgrade(f"sqlite:///{path}")


def test_a_migration_that_fails_half_way_leaves_nothing_behind(tmp_path: Path) -> None:
    # A view is no table, so it is noticed only when its name is needed, after other tables were made.
    path = tmp_path / "kefu.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE VIEW turns AS SELECT 1")
    connection.close()

    with pytest.raises(StoreError, match="already exists"):
        upgrade(f"sqlite:///{path}")

    with sqlite3.connect(path) as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert names == {"turns"}


def test_a_server_that_is_not_there_is_an_error_without_its_password() -> None:
    with pytest.raises(StoreError) as caught:
        upgrade("postgresql+psycopg://kefu:hunter2@127.0.0.1:1/kefu?connect_timeout=1")

    assert "hunter2" not in str(caught.value)
