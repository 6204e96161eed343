"""Exports hold every turn, appear whole, and keep to themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from record_cases import a_message, a_turn, new_database

from chatbot.record.codec import decode_turn
from chatbot.record.export import export_turns
from chatbot.record.remarks import Remarks
from chatbot.record.store import SqlTurnStore
from chatbot.types import Rating
from knowledge.database import open_engine
from knowledge.errors import StoreError


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlTurnStore]:
    engine = open_engine(new_database(tmp_path))
    store = SqlTurnStore(engine)
    yield store
    store.close()
    engine.dispose()


def _lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_every_turn_is_a_line_with_its_rating(store: SqlTurnStore, tmp_path: Path) -> None:
    turns = [store.append(a_turn(a_message("c1", f"消息 {number}"))) for number in range(3)]
    store.rate(Rating(turns[1].id, "down", ("wrong",), "no"))

    written = export_turns(store, tmp_path / "new" / "turns.jsonl")

    lines = _lines(tmp_path / "new" / "turns.jsonl")
    assert written == 3
    assert [decode_turn(line) for line in lines] == turns
    assert [line["rating"] for line in lines] == [
        None,
        {"value": "down", "reasons": ["wrong"], "comment": "no"},
        None,
    ]
    assert "消息 0" in (tmp_path / "new" / "turns.jsonl").read_text("utf-8")


def test_the_form_and_the_page_of_a_conversation_stand_on_its_first_line(
    store: SqlTurnStore, tmp_path: Path
) -> None:
    engine = open_engine(new_database(tmp_path))
    remarks = Remarks(engine)
    for name in ("c1", "c1", "c2"):
        store.append(a_turn(a_message(name, "hi")))
    remarks.tell("c1", "prechat", {"name": "Ada"})
    remarks.tell("c1", "context", {"page": "/cart"})
    remarks.tell("c1", "context", {"plan": "gold"})

    export_turns(store, tmp_path / "turns.jsonl", about=remarks.about)

    told = [line.get("about") for line in _lines(tmp_path / "turns.jsonl")]
    engine.dispose()
    assert told == [{"prechat": {"name": "Ada"}, "context": {"plan": "gold"}}, None, None]


def test_a_conversation_can_be_written_as_chat_messages(store: SqlTurnStore, tmp_path: Path) -> None:
    for name, text in [("c1", "one"), ("c2", "two"), ("c1", "three")]:
        store.append(a_turn(a_message(name, text), reply=f"re: {text}"))

    written = export_turns(store, tmp_path / "chats.jsonl", form="messages")

    assert written == 3
    assert _lines(tmp_path / "chats.jsonl") == [
        {
            "id": "c1",
            "messages": [
                {"role": "user", "content": "one"},
                {"role": "assistant", "content": "re: one"},
                {"role": "user", "content": "three"},
                {"role": "assistant", "content": "re: three"},
            ],
        },
        {
            "id": "c2",
            "messages": [{"role": "user", "content": "two"}, {"role": "assistant", "content": "re: two"}],
        },
    ]


def test_progress_is_told_now_and_then_and_at_the_end(store: SqlTurnStore, tmp_path: Path) -> None:
    for _ in range(101):
        store.append(a_turn(a_message()))
    told: list[tuple[int, int]] = []

    export_turns(store, tmp_path / "turns.jsonl", progress=lambda done, total: told.append((done, total)))

    assert told == [(100, 101), (101, 101)]


def test_an_export_of_nothing_is_an_empty_file(store: SqlTurnStore, tmp_path: Path) -> None:
    store.append(a_turn(a_message()))
    told: list[tuple[int, int]] = []

    written = export_turns(
        store,
        tmp_path / "turns.jsonl",
        since=datetime.now(UTC) + timedelta(hours=1),
        progress=lambda done, total: told.append((done, total)),
    )

    assert (written, told, (tmp_path / "turns.jsonl").read_text()) == (0, [(0, 0)], "")


def test_only_the_owner_may_read_an_export(store: SqlTurnStore, tmp_path: Path) -> None:
    export_turns(store, tmp_path / "turns.jsonl")

    assert (tmp_path / "turns.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_place_that_cannot_be_written_is_an_error_and_leaves_no_half_file(
    store: SqlTurnStore, tmp_path: Path
) -> None:
    (tmp_path / "taken").mkdir()

    with pytest.raises(StoreError, match="cannot be written"):
        export_turns(store, tmp_path / "taken")

    assert list(tmp_path.glob("*.part")) == []
