"""One writer a process: waiting work is committed together, each caller returns after its commit.

A commit that survives a power cut costs one sync of the disk (1-5 ms), whatever it holds. While one
is under way the next callers queue up, and a thread commits them all in the next transaction. Who finds nothing
under way commits at once, in the own thread: handing work to another thread and back costs half of what a
transaction without a sync does.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from knowledge.database import refusal
from knowledge.errors import KefuError, StoreError

T = TypeVar("T")
_BATCH = 256
_WORK_S = 5.0


@dataclass(frozen=True, slots=True)
class _Work(Generic[T]):
    run: Callable[[Connection], T]
    conversation_id: str
    durable: bool
    done: Future[T] = field(default_factory=Future)


class GroupWriter:
    """Runs pieces of work in as few transactions as the load asks for, on a connection of its own."""

    def __init__(self, engine: Engine, *, busy_timeout_s: float) -> None:
        self._engine = engine
        self._sqlite = engine.dialect.name == "sqlite"
        self._busy_timeout_s = busy_timeout_s
        self._waiting: deque[_Work[Any]] = deque()
        self._called = threading.Event()
        """There is something to do for the thread."""
        self._using = threading.Lock()
        """Held by who uses the connection."""
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._connection: Connection | None = None
        self._synchronous = ""

    def do(self, run: Callable[[Connection], T], *, conversation_id: str, durable: bool) -> T:
        """Run `run` inside a transaction and return its value once that is committed.

        Args:
            run: Reads and writes; it may be run again on a new connection, so it must not keep state.
                It may raise a KefuError before its first write; that leaves the rest of the batch alone.
            conversation_id: Work is sorted by it within a batch, so that two processes on PostgreSQL
                lock conversations in the same order.
            durable: Return only when the disk has confirmed it. Otherwise a power cut may undo it.

        Raises:
            StoreError: The database is full, locked for too long, or gone. Nothing was written, or at
                worst it is unknown whether it was: doing it again must be safe.
            IntegrityError: A row like this exists.
        """
        work = _Work(run, conversation_id, durable)
        if not self._commit_at_once(work):
            self._submit(work)
        try:
            # One busy wait for the batch under way, one for ours, and room for the work itself.
            return work.done.result(timeout=2 * self._busy_timeout_s + _WORK_S)
        except FutureTimeoutError:
            work.done.cancel()
            msg = f"The database {self._engine.url.database} is busy: writing took too long. Try again in a moment."
            raise StoreError(msg) from None

    def close(self) -> None:
        """Finish what is queued and close the connection."""
        with self._starting:
            if self._closed:
                return
            self._closed = True
            self._called.set()
        if self._thread is not None:
            self._thread.join()
        with self._using:
            self._disconnect()

    def _commit_at_once(self, work: _Work[Any]) -> bool:
        """False where others are before it."""
        if self._waiting or not self._using.acquire(blocking=False):
            return False
        try:
            if not self._closed:
                self._commit([work])
            return work.done.done()
        finally:
            self._using.release()

    def _submit(self, work: _Work[Any]) -> None:
        with self._starting:
            if self._closed:
                msg = "The store was closed. Open a new one; this happens when a server is shutting down."
                raise StoreError(msg)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="kefu-writer", daemon=True)
                self._thread.start()
            self._waiting.append(work)
            self._called.set()

    def _serve(self) -> None:
        while self._waiting or not self._closed:
            self._called.wait()
            self._called.clear()
            while self._waiting:
                with self._using:
                    self._commit(self._next_batch())

    def _next_batch(self) -> list[_Work[Any]]:
        batch: list[_Work[Any]] = []
        while self._waiting and len(batch) < _BATCH:
            work = self._waiting.popleft()
            if work.done.set_running_or_notify_cancel():
                batch.append(work)
        batch.sort(key=lambda work: work.conversation_id)
        return batch

    def _commit(self, batch: Sequence[_Work[Any]]) -> None:
        if not batch:
            return
        try:
            outcomes = self._transact_or_reconnect(batch)
        except IntegrityError as error:
            if len(batch) == 1:
                batch[0].done.set_exception(error)
                return
            for work in batch:
                self._commit([work])
            return
        except Exception as error:
            for work in batch:
                work.done.set_exception(_refused(self._engine, error))
            return
        for work, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, KefuError):
                work.done.set_exception(outcome)
            else:
                work.done.set_result(outcome)

    def _transact_or_reconnect(self, batch: Sequence[_Work[Any]]) -> list[Any]:
        fresh = self._connection is None
        try:
            return self._transact(batch)
        except DBAPIError as error:
            # A server that was restarted drops the old connection; only the first use tells.
            if fresh or not error.connection_invalidated:
                raise
        return self._transact(batch)

    def _transact(self, batch: Sequence[_Work[Any]]) -> list[Any]:
        connection = self._connect()
        try:
            self._begin(connection, durable=any(work.durable for work in batch))
            outcomes = [_attempt(work, connection) for work in batch]
            connection.commit()
        except BaseException as error:
            self._undo(connection, error)
            raise
        return outcomes

    def _undo(self, connection: Connection, error: BaseException) -> None:
        # SQLite ends the transaction by itself when the disk is full, and ROLLBACK then raises.
        with suppress(SQLAlchemyError):
            connection.rollback()
        if not (isinstance(error, IntegrityError) or _is_busy(error)):
            # After a failed sync the pages in memory are not to be trusted: reopen the file.
            self._disconnect()

    def _begin(self, connection: Connection, *, durable: bool) -> None:
        level = "FULL" if durable else "NORMAL"
        if self._sqlite and level != self._synchronous:
            # Not through SQLAlchemy: it would begin a transaction first, and inside one this does nothing.
            connection.connection.cursor().execute(f"PRAGMA synchronous = {level}")
            self._synchronous = level
        connection.begin()
        if not self._sqlite and not durable:
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")

    def _connect(self) -> Connection:
        if self._connection is not None:
            return self._connection
        connection = self._engine.connect().execution_options(kefu_writes=True)
        # It never goes back to the pool: its pragmas and timeouts are for the writer alone.
        connection.detach()
        try:
            if self._sqlite:
                busy_ms = int(self._busy_timeout_s * 1000)
                connection.connection.cursor().execute(f"PRAGMA busy_timeout = {busy_ms}")
            else:
                connection.exec_driver_sql(f"SET lock_timeout = {int(self._busy_timeout_s * 1000)}")
                connection.commit()
        except BaseException:
            with suppress(SQLAlchemyError):
                connection.close()
            raise
        self._connection, self._synchronous = connection, ""
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()


def _attempt(work: _Work[T], connection: Connection) -> T | KefuError:
    try:
        return work.run(connection)
    except KefuError as error:
        return error


def _is_busy(error: BaseException) -> bool:
    """True when waiting longer would have helped, so that the connection itself is sound."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _refused(engine: Engine, error: Exception) -> Exception:
    if isinstance(error, DBAPIError):
        return refusal(engine, error)
    if isinstance(error, SQLAlchemyError | sqlite3.Error | OSError):
        msg = f"The database {engine.url.render_as_string()} refused: {error}. Try again in a moment."
        return StoreError(msg)
    return error
