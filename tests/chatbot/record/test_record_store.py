"""SqlTurnStore beyond the contract: leases, processes, faults of the database, lists for the page."""

from __future__ import annotations

import random
import shutil
import sqlite3
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from record_cases import (
    a_message,
    a_turn,
    answer,
    new_database,
    postgres_url,
    restart_postgres,
    start_worker,
)
from sqlalchemy import Engine, event, insert, text, update
from structlog.testing import capture_logs

from chatbot.record.migrate import upgrade
from chatbot.record.store import SqlTurnStore
from chatbot.record.tables import turn_claims, turns
from chatbot.types import Handoff, Rating, Turn
from knowledge.database import open_engine, reading, writing
from knowledge.errors import ConflictError, StoreError


@pytest.fixture
def url(tmp_path: Path) -> str:
    return new_database(tmp_path)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine) -> Iterator[SqlTurnStore]:
    store = SqlTurnStore(engine, lease_s=5)
    yield store
    store.close()


# ---- places and leases


def test_a_turn_that_outlives_its_lease_lets_the_next_one_go_and_is_still_stored(engine: Engine) -> None:
    store = SqlTurnStore(engine, lease_s=0.2)
    slow, quick = a_message(text="slow", key="k1"), a_message(text="quick", key="k2")
    store.begin(slow)

    answered_quickly = answer(store, quick)
    answered_late = store.append(a_turn(slow))

    assert (answered_quickly.sequence, answered_late.sequence) == (1, 2)
    store.close()


def test_a_place_held_by_a_process_that_died_is_free_when_its_lease_is_over(url: str, engine: Engine) -> None:
    # Another store on the same file stands for the dead process: it shares nothing in memory.
    dead = SqlTurnStore(open_engine(url), lease_s=0.3)
    dead.begin(a_message(key="k1"))
    store = SqlTurnStore(engine, lease_s=0.3)

    retried = answer(store, a_message(key="k1"))

    assert retried.sequence == 1
    store.close()
    dead.close()


def test_a_late_turn_gives_way_when_another_process_answered_the_same_message(
    url: str, engine: Engine
) -> None:
    late, other = SqlTurnStore(open_engine(url), lease_s=0.2), SqlTurnStore(engine, lease_s=0.2)
    message = a_message(key="k1")
    late.begin(message)
    stored = answer(other, message)

    returned = late.append(a_turn(message))

    assert returned == stored
    assert len(other.history("c1")) == 1
    late.close()
    other.close()


@pytest.mark.parametrize("same_process", [True, False])
def test_a_message_that_waits_too_long_is_told_to_come_again(
    url: str, engine: Engine, same_process: bool
) -> None:
    holder = SqlTurnStore(engine, lease_s=30, wait_s=0.1)
    waiter = holder if same_process else SqlTurnStore(open_engine(url), lease_s=30, wait_s=0.1)
    holder.begin(a_message(key="k1"))

    with pytest.raises(ConflictError, match="still being answered"):
        waiter.begin(a_message(key="k1"))

    assert answer(waiter, a_message("c2")).sequence == 1
    assert holder.append(a_turn(a_message(key="k1"))).sequence == 1
    holder.close()
    waiter.close()


def test_a_retry_of_an_answered_message_does_not_wait_for_the_message_after_it(engine: Engine) -> None:
    store = SqlTurnStore(engine, lease_s=30, wait_s=0.1)
    first = answer(store, a_message(key="k1"))
    store.begin(a_message(text="and another thing", key="k2"))

    again = store.begin(a_message(key="k1"))

    assert again is not None
    assert again.id == first.id
    store.close()


def test_a_ticket_from_before_the_clock_was_set_back_blocks_nobody(
    store: SqlTurnStore, engine: Engine
) -> None:
    with writing(engine) as connection:
        connection.execute(insert(turn_claims).values(conversation_id="c1", expires_at=time.time() + 3600))

    answered = answer(store, a_message())

    assert answered.sequence == 1


def test_a_ticket_that_vanished_while_waiting_is_taken_anew(url: str, engine: Engine) -> None:
    holder, waiter = SqlTurnStore(open_engine(url), lease_s=0.3), SqlTurnStore(engine, lease_s=0.3)
    holder.begin(a_message(text="first"))
    with writing(engine) as connection:
        connection.execute(update(turn_claims).values(expires_at=0.0))

    assert answer(waiter, a_message(text="second")).sequence == 1

    holder.close()
    waiter.close()


def test_no_place_is_left_in_the_database_when_all_is_said(store: SqlTurnStore, engine: Engine) -> None:
    answer(store, a_message(key="k1"))
    answer(store, a_message(key="k1"))
    store.begin(a_message(key="k2"))
    store.abandon(a_message(key="k2"))

    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM turn_claims")).scalar_one() == 0


def test_a_closed_store_says_so(engine: Engine) -> None:
    store = SqlTurnStore(engine)
    store.begin(a_message())
    store.close()
    store.close()

    with pytest.raises(StoreError, match="closed"):
        store.begin(a_message("c2"))
    with capture_logs() as logs:
        store.abandon(a_message())
    assert [entry["event"] for entry in logs] == ["turn.place_kept"]


# ---- two processes


def _read(*workers: object) -> list[str]:
    lines: list[str] = []
    for worker in workers:
        out, errors = worker.communicate(timeout=60)  # type: ignore[attr-defined]
        assert errors == ""
        lines += out.split("\n")[:-1]
    return lines


def _check_two_processes(url: str, *, threads: int, count: int) -> None:
    engine = open_engine(url)
    store = SqlTurnStore(engine)

    lines = _read(*[start_worker(url, "shared", threads, count) for _ in range(2)])

    stored = store.history("shared", limit=10_000)
    assert [line for line in lines if line[0] in "!?"] == []
    assert Counter(turn.id for turn in stored) == Counter(lines)
    assert [turn.sequence for turn in stored] == list(range(1, 2 * threads * count + 1))
    assert len({turn.message.key for turn in stored}) == len(stored)
    store.close()
    engine.dispose()


def test_two_processes_answer_one_conversation_in_order(url: str) -> None:
    _check_two_processes(url, threads=4, count=10)


@pytest.mark.hard
def test_two_processes_with_eight_writers_leave_no_gap_in_800_turns(url: str) -> None:
    _check_two_processes(url, threads=4, count=100)


def test_two_processes_on_postgresql_answer_in_order_and_survive_its_restart() -> None:
    url, conversation = postgres_url(), uuid.uuid4().hex
    if url is None or "host=/" not in url:
        pytest.skip("no PostgreSQL that a test may restart: install it on this machine")
    upgrade(url)
    engine = open_engine(url)
    store = SqlTurnStore(engine, busy_timeout_s=2)
    answer(store, a_message(conversation, key="before"))

    restart_postgres(url)
    after = answer(store, a_message(conversation, key="after"))

    assert after.sequence == 2
    lines = _read(*[start_worker(url, conversation, 4, 10) for _ in range(2)])
    assert [line for line in lines if line[0] in "!?"] == []
    assert [turn.sequence for turn in store.history(conversation, limit=100)] == list(range(1, 83))
    store.close()
    engine.dispose()


@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.hard)])
def test_what_a_killed_process_acknowledged_is_stored(url: str, tmp_path: Path, kills: int) -> None:
    chance, acknowledged = random.Random(6), set()

    for _ in range(kills):
        worker = start_worker(url, "killed", 2, 10_000)
        assert worker.stdout is not None
        acknowledged.add(worker.stdout.readline().strip())
        time.sleep(chance.random() * 0.3)
        worker.kill()
        acknowledged |= set(worker.communicate()[0].split("\n")[:-1])
        _free_places(tmp_path / "kefu.db")

    store = SqlTurnStore(open_engine(url))
    stored = list(store.turns())
    assert acknowledged <= {turn.id for turn in stored}
    assert [turn.sequence for turn in stored] == list(range(1, len(stored) + 1))
    with sqlite3.connect(tmp_path / "kefu.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store.close()


def _free_places(path: Path) -> None:
    """So that the loop need not wait for the lease of the killed process."""
    connection = sqlite3.connect(path, timeout=10)
    connection.execute("DELETE FROM turn_claims")
    connection.commit()
    connection.close()


@pytest.mark.hard
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace, to count syncs of the disk")
def test_each_acknowledged_turn_was_synced_to_the_disk(url: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    wrap = ("strace", "-f", "-e", "trace=fdatasync,fsync", "-o", str(trace))

    lines = _read(start_worker(url, "traced", 1, 50, wrap=wrap))

    assert len(lines) == 50
    assert sum("sync(" in line for line in trace.read_text().splitlines()) >= 50


@pytest.mark.hard
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace, to make syncs of the disk fail")
def test_a_turn_whose_sync_failed_is_not_acknowledged_and_the_next_ones_are(url: str) -> None:
    wrap = (
        "strace",
        "-f",
        "-qq",
        "-e",
        "trace=fdatasync",
        "-e",
        "inject=fdatasync:error=EIO:when=5+5",
        "-o",
        "/dev/null",
    )

    lines = _read(start_worker(url, "faulty", 1, 40, wrap=wrap))

    engine = open_engine(url)
    stored = {turn.id for turn in SqlTurnStore(engine).turns()}
    refused = [line for line in lines if line[0] == "?"]
    assert len(refused) >= 3
    assert {line for line in lines if line[0] != "?"} <= stored
    assert len(lines) == 40


# ---- faults of the database


def test_a_locked_database_is_an_error_in_time_and_loses_nothing(
    url: str, engine: Engine, tmp_path: Path
) -> None:
    store = SqlTurnStore(engine, busy_timeout_s=0.2)
    message = a_message(key="k1")
    store.begin(message)
    blocker = sqlite3.connect(tmp_path / "kefu.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreError, match="locked"):
        store.append(a_turn(message))
    blocker.execute("ROLLBACK")
    blocker.close()

    assert store.append(a_turn(message)).sequence == 1
    store.close()


def test_a_short_lock_is_waited_for(store: SqlTurnStore, tmp_path: Path) -> None:
    blocker = sqlite3.connect(tmp_path / "kefu.db", isolation_level=None, check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")
    threading.Timer(0.3, lambda: blocker.execute("ROLLBACK")).start()

    answered = answer(store, a_message())

    assert answered.sequence == 1
    blocker.close()


def test_a_full_disk_refuses_turns_but_reads_go_on_and_it_recovers_by_itself(
    engine: Engine, url: str
) -> None:
    limited = open_engine(url)
    pages = [60]

    @event.listens_for(limited, "connect")
    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages[0]}")

    store = SqlTurnStore(limited)
    stored = [answer(store, a_message(key="k0"))]

    with pytest.raises(StoreError, match="full"):
        stored.extend(_until_refused(store))

    assert list(store.history("c1", limit=1000)) == stored
    pages[0] = 100_000
    assert answer(store, a_message(key="later")).sequence == len(stored) + 1
    store.close()
    limited.dispose()


def _until_refused(store: SqlTurnStore) -> Iterator[Turn]:
    for number in range(1, 200):
        message = a_message(key=f"k{number}")
        store.begin(message)
        try:
            yield store.append(a_turn(message, reply="x" * 4000))
        except StoreError:
            store.abandon(message)
            raise


def test_one_bad_turn_in_a_group_does_not_take_the_others_with_it(store: SqlTurnStore) -> None:
    taken = answer(store, a_message("c0"))
    bad = replace(a_turn(a_message("c9", key="k9")), id=taken.id)

    def talk(number: int) -> str:
        message = a_message(f"c{number}", key=f"k{number}")
        store.begin(message)
        return store.append(bad if number == 9 else a_turn(message)).message.conversation_id

    with ThreadPoolExecutor(16) as pool:
        answered = list(pool.map(talk, range(1, 17)))

    # A turn id that exists is that turn: its owner's retry gets it back.
    assert answered == [f"c{number}" if number != 9 else "c0" for number in range(1, 17)]


def test_missing_tables_are_explained(tmp_path: Path) -> None:
    store = SqlTurnStore(open_engine(f"sqlite:///{tmp_path / 'empty.db'}"))

    with pytest.raises(StoreError, match="has no tables of Kefu"):
        store.begin(a_message())

    store.close()


def test_a_row_that_cannot_be_read_does_not_end_the_conversation(store: SqlTurnStore, engine: Engine) -> None:
    odd, good = answer(store, a_message()), answer(store, a_message())
    with writing(engine) as connection:
        connection.execute(
            update(turns).where(turns.c.id == odd.id).values(body={"id": odd.id, "message": 3})
        )

    with capture_logs() as logs:
        history = SqlTurnStore(engine).history("c1")  # a store that did not write them itself

    assert [turn.id for turn in history] == [good.id]
    assert [(entry["event"], entry["turn"]) for entry in logs] == [("turn.unreadable", odd.id)]


# ---- lists for the page


def test_conversations_are_listed_newest_first_under_their_first_message(store: SqlTurnStore) -> None:
    answer(store, a_message("c1", "Where  is\nmy order?"))
    answer(store, a_message("c2", "很长" * 60))
    answer(store, a_message("c1", "And the other one?"))

    listed = store.conversations(limit=10)

    assert [(row.id, row.turns) for row in listed] == [("c1", 2), ("c2", 1)]
    assert listed[0].title == "Where is my order?"
    assert len(listed[1].title) == 80
    assert listed[1].title.endswith("…")
    assert [row.id for row in store.conversations(limit=1)] == ["c1"]
    assert [row.id for row in store.conversations(ids=["c2", "c7"])] == ["c2"]


def test_a_conversation_can_be_made_before_its_first_message(store: SqlTurnStore) -> None:
    made = store.create_conversation(channel="widget", locale="zh")

    answer(store, a_message(made.id, "你好"))

    found = store.conversation(made.id)
    assert found is not None
    assert (made.title, found.title, found.channel, found.locale) == ("", "你好", "widget", "zh")
    assert found.created_at.tzinfo is not None
    assert store.create_conversation(conversation_id=made.id) == found
    assert store.conversation("c404") is None


def test_a_handoff_is_marked_on_its_conversation_once(store: SqlTurnStore) -> None:
    message = a_message()
    store.begin(message)
    store.append(a_turn(message, decision=Handoff("requested")))
    first = store.conversation("c1")
    answer(store, a_message())

    later = store.conversation("c1")

    assert first is not None
    assert later is not None
    assert first.handed_off_at is not None
    assert later.handed_off_at == first.handed_off_at


def test_a_turn_is_found_by_its_id_and_can_be_marked_interrupted(store: SqlTurnStore) -> None:
    turn = answer(store, a_message())

    store.mark_interrupted(turn.id)

    found = store.turn(turn.id)
    assert found is not None
    assert found.reply.finish == "interrupted"
    assert found.reply.text == turn.reply.text
    assert store.turn("nothing") is None
    with pytest.raises(StoreError, match="no turn 'nothing'"):
        store.mark_interrupted("nothing")


def test_history_remembers_turns_as_the_database_has_them_and_sees_what_another_process_changes(
    store: SqlTurnStore, engine: Engine
) -> None:
    told = [answer(store, a_message("c", f"{number} \ud83d")) for number in range(3)]
    other = SqlTurnStore(engine)
    read: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *execution: read.append(execution[2]))

    first = store.history("c")
    bodies_first = sum("turns.body" in statement for statement in read)
    from_disk = other.history("c")
    other.mark_interrupted(told[1].id)
    added = answer(other, a_message("c", "elsewhere"))
    again = store.history("c")
    other.close()

    assert bodies_first == 0
    assert first == from_disk
    assert [turn.id for turn in again] == [*(turn.id for turn in told), added.id]
    assert [turn.reply.finish for turn in again] == ["complete", "interrupted", "complete", "complete"]
    assert again[0] is first[0]


def test_a_rating_keeps_its_reasons_and_time(store: SqlTurnStore) -> None:
    turn = answer(store, a_message())
    rating = Rating(turn.id, "down", ("outdated",), "old price", datetime(2026, 3, 11, tzinfo=UTC))

    store.rate(rating)

    assert store.ratings([turn.id]) == {turn.id: rating}


def test_all_turns_are_read_in_pages_in_order(store: SqlTurnStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.record.store._PAGE", 10)
    for number in range(23):
        store.append(a_turn(a_message(f"c{number % 3}")))

    places = [(turn.message.conversation_id, turn.sequence) for turn in store.turns()]

    assert places == sorted(places)
    assert len(places) == store.count_turns() == 23
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert list(store.turns(since=tomorrow)) == []
    assert store.count_turns(since=tomorrow) == store.count_turns(since=tomorrow.replace(tzinfo=None)) == 0
