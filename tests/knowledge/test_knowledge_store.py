"""Promises of the store: what is written is found, logged, and found once."""

from __future__ import annotations

import stat
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from threading import Thread

import pytest
from knowledge_cases import a_faq, new_store
from record_cases import postgres_url
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from knowledge.database import open_engine, writing
from knowledge.errors import SettingsError, StoreError
from knowledge.items import Document, Faq, Piece
from knowledge.sources.intents import Intent
from knowledge.store import KnowledgeStore
from knowledge.tables import metadata
from knowledge.types import KnowledgeSource

GREET = Intent.model_validate({"name": "greet", "templates": [{"text": {"zh": "你好", "en": "Hello"}}]})


def a_document(*texts: str, document_id: str = "help-returns.md", url: str | None = None) -> Document:
    pieces = tuple(Piece(f"Returns > {number}", words) for number, words in enumerate(texts))
    return Document(document_id, "Returns", "help/returns.md", "0" * 64, "en", pieces, url)


@pytest.fixture
def store(tmp_path: Path) -> KnowledgeStore:
    return new_store(tmp_path)


def test_a_faq_comes_back_as_it_was_written(store: KnowledgeStore) -> None:
    faq = Faq(
        id="f12",
        question="怎么退货？",
        answer="打开订单……",
        locale="zh",
        similar_questions=("如何退货", "退货流程"),
        negative_questions=("怎么换货",),
        category="售后",
        tags=("a", "b"),
        enabled=False,
        buttons=("联系客服",),
        source_url="https://example.com/r",
        valid_from=date(2026, 1, 1),
        valid_to=date(2026, 12, 31),
        source="chat_log",
    )

    changed = store.upsert_faqs([faq])

    assert changed == 1
    assert store.faq("f12") == faq
    assert list(store.faqs()) == [faq]


def test_the_store_is_a_knowledge_source_for_an_index(store: KnowledgeStore) -> None:
    source: KnowledgeSource = store
    store.upsert_faqs(
        [a_faq("f1", similar_questions=("x",), negative_questions=("n",), buttons=("b",), category="c")]
    )
    store.upsert_documents([a_document("one", "two", url="https://example.com")])

    entries = list(source.entries())

    assert [entry.passage.id for entry in entries] == [
        "faq:f1",
        "doc:help-returns.md#1",
        "doc:help-returns.md#2",
    ]
    assert entries[0].questions == ("Question f1?", "x")
    assert entries[0].negative_questions == ("n",)
    assert entries[0].passage.quick_replies == ("b",)
    assert entries[2].questions == ("Returns > 1",)
    assert entries[2].passage.url == "https://example.com"
    assert [source.entry(entry.passage.id) for entry in entries] == entries
    assert [passage.id for passage in store.passages()] == [entry.passage.id for entry in entries]


@pytest.mark.parametrize(
    "missing", ["faq:no", "doc:no#1", "doc:help-returns.md#9", "doc:help-returns.md#x", "?"]
)
def test_what_is_not_there_is_none(store: KnowledgeStore, missing: str) -> None:
    store.upsert_documents([a_document("one")])

    assert store.entry(missing) is None


@pytest.mark.parametrize(
    ("faq", "answered"),
    [
        (a_faq(enabled=False), False),
        (a_faq(valid_from=date(2026, 5, 2)), False),
        (a_faq(valid_from=date(2026, 5, 1)), True),
        (a_faq(valid_to=date(2026, 4, 30)), False),
        (a_faq(valid_to=date(2026, 5, 1)), True),
    ],
)
def test_only_what_is_enabled_and_valid_today_is_answered(
    store: KnowledgeStore, faq: Faq, answered: bool
) -> None:
    today = date(2026, 5, 1)
    store.upsert_faqs([faq])

    assert len(list(store.entries(today=today))) == answered
    assert (store.entry("faq:f1", today=today) is not None) == answered


def test_days_that_pass_name_the_answers_that_begin_and_end(store: KnowledgeStore) -> None:
    store.upsert_faqs(
        [
            a_faq("begins", valid_from=date(2026, 5, 2)),
            a_faq("ends", valid_to=date(2026, 5, 1)),
            a_faq("later", valid_from=date(2026, 5, 3)),
            a_faq("still", valid_to=date(2026, 5, 2)),
        ]
    )

    changed = store.dated_changes(date(2026, 5, 1), date(2026, 5, 2))

    assert changed == ["faq:begins", "faq:ends"]


def test_every_write_is_in_the_log_in_order(store: KnowledgeStore) -> None:
    assert store.version() == 0

    store.upsert_faqs([a_faq("f1"), a_faq("f2")])
    store.upsert_intents([GREET])
    store.upsert_documents([a_document("one", "two")])
    before = store.version()
    store.delete_faqs(["f1", "unknown"])
    store.delete_intents(["greet"])
    store.delete_documents(["help-returns.md", "unknown"])

    assert before == 5
    assert [change[1:] for change in store.changes_since(before)] == [
        ("faq", "f1"),
        ("intent", "greet"),
        ("passage", "doc:help-returns.md#1"),
        ("passage", "doc:help-returns.md#2"),
    ]
    assert store.version() == 9
    assert store.counts() == {"faqs": 1, "documents": 0, "passages": 0, "intents": 0}


def test_writing_the_same_again_changes_nothing(store: KnowledgeStore) -> None:
    def write() -> list[int]:
        return [
            store.upsert_faqs([a_faq("f1", similar_questions=("x",))]),
            store.upsert_intents([GREET]),
            store.upsert_documents([a_document("one")]),
        ]

    first = write()
    version = store.version()
    second = write()

    assert (first, second) == ([1, 1, 1], [0, 0, 0])
    assert store.version() == version


def test_a_changed_document_logs_only_the_pieces_that_changed(store: KnowledgeStore) -> None:
    store.upsert_documents([a_document("one", "two", "three")])
    version = store.version()

    store.upsert_documents([a_document("one", "new")])

    assert [item for _, _, item in store.changes_since(version)] == [
        "doc:help-returns.md#2",
        "doc:help-returns.md#3",
    ]
    assert store.document("help-returns.md") == a_document("one", "new")


def test_an_edit_keeps_the_passage_id_and_the_day_of_birth(store: KnowledgeStore) -> None:
    store.upsert_faqs([a_faq("f1")])

    store.upsert_faqs([a_faq("f1", answer="New.")])

    entry = store.entry("faq:f1")
    assert entry
    assert entry.passage.text == "New."


def test_the_last_of_equal_ids_wins(store: KnowledgeStore) -> None:
    store.upsert_faqs([a_faq("f1", answer="old"), a_faq("f1", answer="new")])

    assert [faq.answer for faq in store.faqs()] == ["new"]


def test_more_rows_than_a_page_are_all_read_and_written(store: KnowledgeStore) -> None:
    count = 4_100

    changed = store.upsert_faqs(a_faq(f"f{number:05}") for number in range(count))

    assert changed == count
    assert [faq.id for faq in store.faqs()] == [f"f{number:05}" for number in range(count)]
    assert store.delete_faqs([f"f{number:05}" for number in range(count)]) == count


def test_intents_come_back_by_name(store: KnowledgeStore) -> None:
    other = GREET.model_copy(update={"name": "bye", "quick_replies": {"zh": ["再见"]}})
    store.upsert_intents([GREET, other])

    assert store.intents() == [other, GREET]


def test_an_intent_of_another_version_is_refused_by_name(store: KnowledgeStore, tmp_path: Path) -> None:
    store.upsert_intents([GREET])
    with writing(open_engine(f"sqlite:///{tmp_path / 'kefu.db'}")) as connection:
        connection.execute(text("""UPDATE intents SET definition = '{"name": "greet", "odd": 1}'"""))

    with pytest.raises(StoreError, match=r"intent 'greet' does not fit this version .*odd"):
        store.intents()


def test_a_failed_write_leaves_neither_row_nor_log(store: KnowledgeStore) -> None:
    broken = a_faq("f2", question=None)

    with pytest.raises(StoreError):
        store.upsert_faqs([a_faq("f1"), broken])

    assert store.counts()["faqs"] == 0
    assert store.version() == 0


def test_sqlite_is_durable_private_and_lets_readers_read(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'deep' / 'kefu.db'}")

    with engine.connect() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]

    assert found == ["wal", 2, 1, 5000]
    assert stat.S_IMODE((tmp_path / "deep" / "kefu.db").stat().st_mode) == 0o600


def test_a_writer_that_waits_too_long_says_who_holds_the_database(tmp_path: Path) -> None:
    new_store(tmp_path)
    url = f"sqlite:///{tmp_path / 'kefu.db'}"
    waiting = KnowledgeStore(open_engine(url, busy_timeout_s=0.05))

    with writing(open_engine(url)), pytest.raises(StoreError, match="locked by another process"):
        waiting.upsert_faqs([a_faq()])

    assert waiting.upsert_faqs([a_faq()]) == 1


def test_a_database_opened_twice_keeps_its_log_when_another_process_closes_it(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.upsert_faqs([a_faq("f1")])
    again = open_engine(f"sqlite:///{tmp_path / 'kefu.db'}")
    look = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT 1 FROM faqs').close()"

    subprocess.run([sys.executable, "-c", look, str(tmp_path / "kefu.db")], check=True)
    store.upsert_faqs([a_faq("f2")])

    with again.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM faqs")).scalar_one() == 2
    assert (tmp_path / "kefu.db-wal").exists()


def test_a_database_without_tables_says_what_to_do(tmp_path: Path) -> None:
    empty = KnowledgeStore(open_engine(f"sqlite:///{tmp_path / 'empty.db'}"))

    with pytest.raises(StoreError, match=r"no tables of Kefu.*kefu init"):
        empty.version()


@pytest.mark.parametrize("url", ["nonsense", "oracle7://x", "postgresql+nodriver://u:secret@h/db"])
def test_an_address_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="cannot be used") as caught:
        open_engine(url)

    assert "secret" not in str(caught.value)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(StoreError, match="cannot be opened"):
        open_engine(f"sqlite:///{tmp_path / 'file' / 'kefu.db'}")


def _write_many(url: str, start: int) -> None:
    engine = open_engine(url, busy_timeout_s=30)
    store = KnowledgeStore(engine)
    for number in range(start, start + 20):
        store.upsert_faqs([a_faq(f"f{number}")])
    engine.dispose()


def _follow_two_writers(store: KnowledgeStore, url: str) -> tuple[int, list[str]]:
    """Follow the log while two connections write; returns how many rows there are and the ids seen."""
    writers = [Thread(target=_write_many, args=(url, start)) for start in (0, 100)]
    for writer in writers:
        writer.start()
    seen: list[str] = []
    version = 0
    alive = True
    while alive:
        alive = any(writer.is_alive() for writer in writers)
        changes = store.changes_since(version)
        seen += [item for _, _, item in changes]
        version = changes[-1][0] if changes else version
    for writer in writers:
        writer.join()
    return store.counts()["faqs"], seen


def test_a_follower_of_the_log_misses_nothing_of_two_writers(tmp_path: Path) -> None:
    store = new_store(tmp_path)

    count, seen = _follow_two_writers(store, f"sqlite:///{tmp_path / 'kefu.db'}")

    assert count == 40
    assert len(seen) == len(set(seen)) == 40


@pytest.fixture
def postgres_store() -> Iterator[tuple[KnowledgeStore, str]]:
    server = postgres_url()
    if server is None:
        pytest.skip("no PostgreSQL: install it, or set KEFU_TEST_POSTGRES")
    name = f"kefu_knowledge_{uuid.uuid4().hex[:8]}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    engine = open_engine(url)
    metadata.create_all(engine)
    yield KnowledgeStore(engine), url
    engine.dispose()
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name}")
    admin.dispose()


def test_postgresql_keeps_the_same_promises(postgres_store: tuple[KnowledgeStore, str]) -> None:
    store, url = postgres_store

    count, seen = _follow_two_writers(store, url)
    store.upsert_documents([a_document("one", "two")])
    store.upsert_documents([a_document("one", "three")])
    store.upsert_intents([GREET])

    assert count == 40
    assert len(seen) == len(set(seen)) == 40
    assert [entry.passage.text for entry in store.entries()][-1] == "three"
    assert store.intents() == [GREET]
    assert store.delete_documents(["help-returns.md"]) == 1
    assert store.counts()["passages"] == 0
