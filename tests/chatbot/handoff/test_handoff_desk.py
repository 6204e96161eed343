"""A person is brought in once, and the company's system is told without holding up the turn."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from record_cases import a_message, a_turn, new_database
from sqlalchemy import Engine
from structlog.testing import capture_logs

from chatbot.handoff.desk import SqlDesk
from chatbot.types import Handoff, Turn
from knowledge.database import open_engine
from knowledge.errors import SettingsError, StoreError


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(new_database(tmp_path))
    yield engine
    engine.dispose()


@dataclass
class Receiver:
    """A webhook receiver that answers with the given statuses, then 200."""

    statuses: list[int] = field(default_factory=list)
    events: list[dict[str, object]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    received = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.events.append(json.loads(body))
            self.send_response(received.statuses.pop(0) if received.statuses else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received.url = f"http://127.0.0.1:{server.server_port}/handoff"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield received
    server.shutdown()
    thread.join()
    server.server_close()


def _handoff(conversation_id: str = "c1") -> Turn:
    return a_turn(a_message(conversation_id, "a person please"), decision=Handoff("requested"))


def test_a_conversation_waits_once_until_it_is_given_back(engine: Engine) -> None:
    desk = SqlDesk(engine)
    first = _handoff()

    desk.open(first)
    desk.open(_handoff())
    desk.open(_handoff("c2"))

    assert [(row.conversation_id, row.reason) for row in desk.waiting()] == [
        ("c1", "requested"),
        ("c2", "requested"),
    ]
    assert desk.waiting()[0].turn_id == first.id
    assert desk.waiting()[0].opened_at.tzinfo is not None
    assert desk.resolve("c1")
    assert not desk.resolve("c1")
    desk.open(_handoff())
    assert [row.conversation_id for row in desk.waiting()] == ["c2", "c1"]
    desk.close()


def test_two_conversations_may_open_at_the_same_moment(engine: Engine) -> None:
    desk = SqlDesk(engine)

    threads = [threading.Thread(target=desk.open, args=(_handoff(f"c{number % 3}"),)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(row.conversation_id for row in desk.waiting()) == ["c0", "c1", "c2"]


def test_availability_follows_the_hours(engine: Engine) -> None:
    desk = SqlDesk(engine, hours="Mon-Fri 09:00-18:00", timezone="Asia/Shanghai", contact="help@example.com")

    away = desk.availability(datetime(2026, 3, 8, 12, tzinfo=UTC))
    there = desk.availability(datetime(2026, 3, 9, 2, tzinfo=UTC))

    assert (away.open_now, there.open_now) == (False, True)
    assert away.hours == "Mon-Fri 09:00-18:00 (Asia/Shanghai)"
    assert away.contact == "help@example.com"
    assert desk.next_opening(datetime(2026, 3, 8, 12, tzinfo=UTC)) == datetime(2026, 3, 9, 1, tzinfo=UTC)


def test_hours_that_cannot_be_read_are_found_at_the_start(engine: Engine) -> None:
    with pytest.raises(SettingsError):
        SqlDesk(engine, hours="whenever")


def test_the_webhook_is_told_what_a_person_needs(engine: Engine, receiver: Receiver) -> None:
    desk = SqlDesk(engine, webhook=receiver.url)
    turn = _handoff()

    desk.open(turn)
    desk.open(_handoff())
    desk.close()

    (event,) = receiver.events
    assert event["event"] == "conversation.handoff"
    assert (event["conversation_id"], event["turn_id"], event["reason"]) == ("c1", turn.id, "requested")
    assert event["message"] == "a person please"
    assert datetime.fromisoformat(str(event["opened_at"])).tzinfo is not None


def test_the_webhook_is_told_what_the_form_and_the_page_said(engine: Engine, receiver: Receiver) -> None:
    known = {"c1": {"prechat": {"name": "Ada"}, "context": {"plan": "gold"}}}
    desk = SqlDesk(engine, webhook=receiver.url, about=lambda conversation: known[conversation])

    desk.open(_handoff())
    desk.close()

    (event,) = receiver.events
    assert event["about"] == known["c1"]


def test_a_receiver_in_trouble_is_asked_again(engine: Engine, receiver: Receiver) -> None:
    receiver.statuses = [503, 500]
    desk = SqlDesk(engine, webhook=receiver.url, retry_after_s=0.01)

    desk.open(_handoff())
    for _ in range(500):
        if len(receiver.events) == 3:
            break
        threading.Event().wait(0.01)
    desk.close()

    assert len(receiver.events) == 3


@pytest.mark.parametrize("statuses", [[404], []])
def test_a_webhook_that_fails_is_logged_and_breaks_nothing(
    engine: Engine, receiver: Receiver, statuses: list[int]
) -> None:
    receiver.statuses = list(statuses)
    desk = SqlDesk(engine, webhook=receiver.url if statuses else "http://127.0.0.1:1/", retry_after_s=0.0)

    with capture_logs() as logs:
        desk.open(_handoff())
        desk.close()

    assert [row.conversation_id for row in desk.waiting()] == ["c1"]
    assert "handoff.webhook_failed" in [entry["event"] for entry in logs]
    assert "a person please" not in repr(logs)


def test_a_queue_that_is_full_drops_the_event_and_says_so(
    engine: Engine, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatbot.handoff.desk._QUEUED", 1)
    desk = SqlDesk(
        engine, webhook=receiver.url.replace("127.0.0.1", "127.0.0.2"), timeout_s=0.2, retry_after_s=0.2
    )

    with capture_logs() as logs:
        for number in range(5):
            desk.open(_handoff(f"c{number}"))
        desk.close()

    assert "handoff.webhook_dropped" in [entry["event"] for entry in logs]
    assert len(desk.waiting()) == 5


def test_a_database_that_refuses_is_an_error_that_the_bot_can_catch(tmp_path: Path) -> None:
    desk = SqlDesk(open_engine(f"sqlite:///{tmp_path / 'empty.db'}"))

    with pytest.raises(StoreError, match="no tables of Kefu"):
        desk.open(_handoff())
