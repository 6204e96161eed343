"""What a client of a streamed answer is promised."""

from __future__ import annotations

import asyncio
import time

import pytest
from server_fakes import FakeService, held, opened, running, until

from knowledge.errors import ConflictError, StoreError
from ui.server.app import context_of
from ui.server.stream import resume_from

pytestmark = pytest.mark.anyio
PATH = "/api/conversations/conversation-1/messages"
SAY = {"text": "Can I return it?", "key": "key-1"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_stream_tells_the_pieces_and_then_the_stored_turn() -> None:
    async with running() as (app, _), opened(app, PATH, SAY) as stream:
        events = await stream.events()

    assert stream.status == 200
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.headers["x-accel-buffering"] == "no"
    assert stream.headers["x-content-type-options"] == "nosniff"
    assert [name for name, _, _ in events] == ["delta", "delta", "turn"]
    assert (
        "".join(data["text"] for name, data, _ in events if name == "delta") == events[-1][1]["reply"]["text"]
    )


async def test_each_piece_comes_when_it_is_written() -> None:
    service = FakeService()
    gates = [held() for _ in service.bot.pieces]
    waits = iter(gate for gate, _ in gates)
    service.bot.gate = lambda: next(waits)() is None
    async with running(service) as (app, _), opened(app, PATH, SAY) as stream:
        gates[0][1].set()
        first = await stream.event()
        written = list(service.store.turns)
        gates[1][1].set()
        rest = await stream.events()

    assert first is not None
    assert first[1] == {"text": "You can return it "}
    assert written == []
    assert [name for name, _, _ in rest] == ["delta", "turn"]


async def test_a_returning_client_gets_what_it_missed_once_and_the_bot_does_not_answer_twice() -> None:
    async with running() as (app, _):
        async with opened(app, PATH, SAY) as stream:
            first = await stream.event()
            await stream.events()

        assert first is not None
        async with opened(app, PATH, SAY, **{"last-event-id": first[2]}) as stream:
            again = await stream.events()

    assert [name for name, _, _ in again] == ["delta", "turn"]
    assert first[1]["text"] + again[0][1]["text"] == again[1][1]["reply"]["text"]


@pytest.mark.parametrize(
    ("sent", "characters"), [(None, 0), ("18", 18), ("turn-abc", 0), ("-5", 0), ("9" * 50, 999_999_999)]
)
def test_only_a_number_of_characters_is_resumed_from(sent: str | None, characters: int) -> None:
    assert resume_from(sent) == characters


async def test_a_client_that_leaves_stops_the_bot_and_the_turn_is_kept_as_interrupted() -> None:
    service = FakeService()
    service.bot.pieces = ["word "] * 10_000
    service.bot.gate = lambda: time.sleep(0.005)
    async with running(service) as (app, _):
        async with opened(app, PATH, SAY) as stream:
            await stream.event()
            stream.leave()
            await until(lambda: service.bot.closed)

        assert context_of(app).turns._open == set()

    assert service.store.turns[0].reply.finish == "interrupted"
    assert service.store.turns[0].reply.text.startswith("word ")


async def test_a_json_client_that_leaves_finds_the_whole_answer_when_it_comes_back() -> None:
    service = FakeService()
    service.bot.gate, go = held()
    async with running(service) as (_, client):
        request = asyncio.ensure_future(client.post(PATH, json=SAY))
        await until(lambda: service.bot.began)
        request.cancel()
        go.set()
        await until(lambda: service.store.turns)

        again = await client.post(PATH, json=SAY)

    assert again.json()["reply"]["finish"] == "complete"
    assert len(service.store.turns) == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConflictError("Still being answered. Wait."), 409),
        (StoreError("Full. Free some."), 503),
        (ValueError(), 500),
    ],
)
async def test_what_fails_before_the_first_piece_has_a_status_of_its_own(
    error: Exception, status: int
) -> None:
    service = FakeService()
    service.bot.error = error
    async with running(service) as (app, _), opened(app, PATH, SAY) as stream:
        await stream.block()

    assert stream.status == status
    assert stream.headers["content-type"] == "application/problem+json"


async def test_what_fails_in_the_middle_ends_the_stream_with_an_error_event() -> None:
    service = FakeService()
    calls = iter([None, RuntimeError("secret")])

    def fail_second() -> None:
        if (error := next(calls)) is not None:
            raise error

    service.bot.gate = fail_second
    async with running(service) as (app, _), opened(app, PATH, SAY) as stream:
        events = await stream.events()

    assert [name for name, _, _ in events] == ["delta", "error"]
    assert events[1][1]["status"] == 500
    assert events[1][1]["request_id"]
    assert "secret" not in str(events)


async def test_a_silent_stream_is_kept_alive_by_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.server.stream._FIRST_S", 0.02)
    service = FakeService()
    service.bot.gate, go = held()
    async with running(service, server={"heartbeat_s": 0.02}) as (app, _), opened(app, PATH, SAY) as stream:
        first, second = await stream.block(), await stream.block()
        go.set()
        events = await stream.events()

    assert first == second == ": keep-alive"
    assert events[-1][0] == "turn"


async def test_an_answer_that_takes_too_long_is_ended_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.server.stream._FIRST_S", 0.01)
    service = FakeService()
    service.bot.gate, go = held()
    async with running(service, server={"request_timeout_s": 0.05}) as (app, client):
        async with opened(app, PATH, SAY) as stream:
            events = await stream.events()
        plain = await client.post(PATH.replace("-1", "-2"), json={"text": "hi"})
        go.set()

    assert [(name, data["status"]) for name, data, _ in events] == [("error", 503)]
    assert plain.status_code == 503
    assert plain.json()["type"] == "urn:kefu:too-slow"
    assert plain.headers["retry-after"] == "1"


async def test_on_a_stop_streams_say_bye_running_turns_finish_and_waiting_ones_are_sent_away() -> None:
    service = FakeService()
    service.bot.gate, go = held()
    async with running(service, server={"workers": 1}) as (app, client):
        async with opened(app, PATH, SAY) as runs, opened(app, PATH.replace("-1", "-2"), SAY) as waits:
            await until(lambda: service.bot.began and len(context_of(app).turns._open) == 2)
            await asyncio.sleep(0.05)
            context_of(app).closing.ask(cut_after_s=30)
            context_of(app).closing.ask(cut_after_s=30)
            go.set()
            told_running, told_waiting = await runs.events(), await waits.events()
        new = await client.post(PATH, json={"text": "one more"})

    assert [name for name, _, _ in told_running] == ["bye", "delta", "delta", "turn"]
    assert [name for name, _, _ in told_waiting] == ["bye", "error"]
    assert told_waiting[1][1]["type"] == "urn:kefu:restarting"
    assert new.status_code == 503
    assert new.headers["retry-after"] == "1"
    assert len(service.bot.began) == 1


async def test_what_still_runs_when_the_time_is_over_is_cut_and_kept_as_interrupted() -> None:
    service = FakeService()
    service.bot.pieces = ["word "] * 10_000
    service.bot.gate = lambda: time.sleep(0.005)
    async with running(service) as (app, _), opened(app, PATH, SAY) as stream:
        await stream.event()
        context_of(app).closing.ask(cut_after_s=0.05)
        events = await stream.events()
        await until(lambda: service.store.turns)

    assert {name for name, _, _ in events[:-1]} == {"bye", "delta"}
    assert events[-1][0] == "error"
    assert service.store.turns[0].reply.finish == "interrupted"
