"""The writer goes on whatever one piece of work does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from record_cases import new_database
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import IntegrityError

from chatbot.record.writer import GroupWriter
from knowledge.database import open_engine
from knowledge.errors import ConflictError, StoreError


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(new_database(tmp_path))
    with engine.connect().execution_options(kefu_writes=True) as connection, connection.begin():
        connection.execute(text("CREATE TABLE numbers (number INTEGER PRIMARY KEY)"))
    yield engine
    engine.dispose()


@pytest.fixture
def writer(engine: Engine) -> Iterator[GroupWriter]:
    writer = GroupWriter(engine, busy_timeout_s=1)
    yield writer
    writer.close()


def _insert(number: int) -> object:
    return lambda connection: connection.execute(text(f"INSERT INTO numbers VALUES ({number})")).rowcount


def _numbers(engine: Engine) -> set[int]:
    with engine.connect() as connection:
        return set(connection.execute(text("SELECT number FROM numbers")).scalars())


def _hold(writer: GroupWriter) -> tuple[threading.Event, threading.Thread]:
    """Keep the writer busy, so that what comes next waits and goes into one batch."""
    entered, release = threading.Event(), threading.Event()

    def wait(_: Connection) -> None:
        entered.set()
        release.wait(5)

    thread = threading.Thread(target=lambda: writer.do(wait, conversation_id="", durable=False))
    thread.start()
    entered.wait(5)
    return release, thread


def test_in_one_batch_the_good_are_stored_and_the_bad_are_told(engine: Engine, writer: GroupWriter) -> None:
    def refuse(_: Connection) -> None:
        msg = "used before"
        raise ConflictError(msg)

    writer.do(_insert(7), conversation_id="", durable=True)
    release, holder = _hold(writer)

    with ThreadPoolExecutor(4) as pool:
        works = [_insert(1), _insert(7), refuse, _insert(2)]
        futures = [pool.submit(writer.do, work, conversation_id="c", durable=True) for work in works]
        while len(writer._waiting) < 4:
            pass
        release.set()
        problems = [type(future.exception()) for future in futures]
    holder.join()

    assert problems == [type(None), IntegrityError, ConflictError, type(None)]
    assert _numbers(engine) == {1, 2, 7}


def test_a_fault_in_the_work_reaches_its_caller_and_nothing_is_written(
    engine: Engine, writer: GroupWriter
) -> None:
    def fail(connection: Connection) -> None:
        connection.execute(text("INSERT INTO numbers VALUES (1)"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        writer.do(fail, conversation_id="", durable=True)
    writer.do(_insert(2), conversation_id="", durable=True)

    assert _numbers(engine) == {2}


def test_who_waits_too_long_is_told_and_not_written_behind_their_back(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatbot.record.writer._WORK_S", 0.1)
    writer = GroupWriter(engine, busy_timeout_s=0.05)
    entered, release = threading.Event(), threading.Event()

    def wait(_: Connection) -> None:
        entered.set()
        release.wait(5)

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(writer.do, wait, conversation_id="", durable=False)
        entered.wait(5)
        with pytest.raises(StoreError, match="busy"):
            writer.do(_insert(1), conversation_id="", durable=True)
        release.set()
        assert isinstance(held.exception(), StoreError | None)
    writer.close()

    assert _numbers(engine) == set()


def test_a_file_that_is_no_database_is_told_and_may_be_repaired(tmp_path: Path) -> None:
    path = tmp_path / "odd.db"
    path.write_bytes(b"no database" * 100)
    engine = open_engine(f"sqlite:///{path}")
    writer = GroupWriter(engine, busy_timeout_s=1)

    with pytest.raises(StoreError, match="not a database"):
        writer.do(lambda _: None, conversation_id="", durable=True)
    path.write_bytes(b"")

    assert writer.do(lambda _: 5, conversation_id="", durable=True) == 5
    writer.close()
    engine.dispose()


def test_who_finds_nothing_under_way_needs_no_other_thread(engine: Engine, writer: GroupWriter) -> None:
    threads: list[threading.Thread] = []

    writer.do(lambda _: threads.append(threading.current_thread()), conversation_id="", durable=False)

    assert threads == [threading.current_thread()]
