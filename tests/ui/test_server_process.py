"""What the running server promises to the network: clocks on half-sent requests, and a stop that ends."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from server_fakes import FakeService, ObedientBot, made_settings

from knowledge.errors import SettingsError
from ui.server.app import context_of, create_app
from ui.server.run import GracefulServer, listen, serve

CHILD = Path(__file__).with_name("server_child.py")


class Served:
    """A running server."""

    address: tuple[str | None, int | None]

    def connect(self, data: str = "") -> socket.socket:
        connection = socket.create_connection(self.address, timeout=20)
        connection.sendall(data.encode())
        return connection


class Child(Served):
    """A server process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stderr is not None
        event: dict[str, Any] = {}
        for line in process.stderr:
            event = json.loads(line)
            if event.get("event") == "server.started":
                break
        url = urlsplit(event["url"])
        self.address = (url.hostname, url.port)

    def wait_for_turns(self, count: int) -> None:
        """Until so many turns are running or waiting."""
        found: re.Match[str] | None = None
        for _ in range(200):
            with self.connect("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as connection:
                found = re.search(r"^kefu_turns_under_way (\d+)", read_all(connection), re.MULTILINE)
            if found and int(found[1]) >= count:
                return
            time.sleep(0.05)
        pytest.fail(f"there never were {count} turns: {found}")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@contextmanager
def serving(**tables: Any) -> Iterator[Child]:
    command = [sys.executable, str(CHILD), json.dumps(tables)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Child(process)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def impatient() -> Iterator[Served]:
    """A server on a thread of its own, with short clocks."""
    service = FakeService()
    service.bot = ObedientBot(service)  # type: ignore[assignment]
    settings = made_settings(
        server={"header_timeout_s": 0.5, "body_timeout_s": 0.5, "port": 0},
        security={"requests_per_minute": 0},
    )
    app = create_app(service, settings=settings)
    listener, server, served = listen(settings), GracefulServer(app, settings), Served()
    served.address = listener.getsockname()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield served
    server.should_exit = True
    thread.join(10)
    assert context_of(app).close(wait_s=5) == 0


def read_all(connection: socket.socket) -> str:
    chunks = []
    while chunk := connection.recv(1 << 20):
        chunks.append(chunk)
    return b"".join(chunks).decode()


def ask(number: int, *, stream: bool = False, **wanted: Any) -> str:
    body = json.dumps({"text": json.dumps(wanted)})
    accept = "text/event-stream" if stream else "application/json"
    return (
        f"POST /api/conversations/conversation-{number:04}/messages HTTP/1.1\r\nHost: x\r\n"
        f"Content-Type: application/json\r\nAccept: {accept}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )


def test_half_sent_requests_are_cut_off_and_whole_ones_are_answered_meanwhile(impatient: Served) -> None:
    half = {
        "nothing": "",
        "headers": "GET /healthz HTTP/1.1\r\nHost:",
        "blank lines": "\r\n\r\n",
        "body": ask(1)[:-3],
    }
    with ExitStack() as sockets:
        slow = {name: sockets.enter_context(impatient.connect(data)) for name, data in half.items()}
        whole = sockets.enter_context(impatient.connect(ask(2)))
        answered = whole.recv(65536).decode()
        answers = {name: read_all(connection) for name, connection in slow.items()}

    assert answered.startswith("HTTP/1.1 200 ")
    for name, answer in answers.items():
        assert answer.startswith("HTTP/1.1 408 "), name
        assert "application/problem+json" in answer
        assert "x-content-type-options: nosniff" in answer


@pytest.mark.parametrize(
    ("begun", "drop"),
    [("", b"\r\n"), ("GET / HTTP/1.1\r\nX: ", b"a"), (ask(1, padding="x" * 200)[:-150], b"x")],
    ids=["blank lines", "headers", "body"],
)
def test_a_dripping_client_does_not_win_time_with_each_byte(
    impatient: Served, begun: str, drop: bytes
) -> None:
    with impatient.connect(begun) as dripping:
        hung_up = False
        for _ in range(100):
            try:
                dripping.sendall(drop)
            except OSError:
                hung_up = True
                break
            time.sleep(0.05)

    assert hung_up


def test_headers_without_end_and_garbage_are_refused_as_problems(impatient: Served) -> None:
    with impatient.connect("GET / HTTP/1.1\r\n" + "X-A: " + "a" * 40_000) as endless:
        too_large = read_all(endless)
    with impatient.connect("\x16\x03\x01 hello\r\n\r\n") as garbage:
        not_http = read_all(garbage)

    assert too_large.startswith("HTTP/1.1 431 ")
    assert not_http.startswith("HTTP/1.1 400 ")
    assert "urn:kefu:bad-request" in not_http


def test_a_half_sent_next_request_does_not_break_the_answer_before_it(impatient: Served) -> None:
    with impatient.connect(ask(1, piece_s=0.8) + "GET /he") as pipelined:
        answer = read_all(pipelined)

    assert answer.startswith("HTTP/1.1 200 ")
    assert "xxxx xxxx" in answer
    assert "HTTP/1.1 408 " in answer


def test_a_client_that_stops_reading_is_cut_off(impatient: Served) -> None:
    with impatient.connect(ask(1, stream=True, pieces=300, size=100_000)) as lazy:
        time.sleep(3)
        try:
            told = read_all(lazy)
        except ConnectionResetError:
            told = ""

    assert "event: turn" not in told


def test_a_stop_with_a_hundred_open_streams_lets_the_running_turns_finish_and_exits_with_0() -> None:
    tables = {
        "server": {"workers": 8, "queue": 200, "shutdown_s": 5},
        "security": {"streams_per_address": 200, "requests_per_minute": 0},
    }
    with serving(**tables) as child, ExitStack() as sockets:
        streams = [
            sockets.enter_context(child.connect(ask(n, stream=True, pieces=10, piece_s=0.2)))
            for n in range(100)
        ]
        child.wait_for_turns(100)
        began = time.monotonic()
        code = child.stop()
        took_s = time.monotonic() - began
        told = [read_all(stream) for stream in streams]

    assert code == 0
    assert took_s <= 6
    assert sum("event: bye" in text for text in told) == sum("event: turn" in text for text in told) + sum(
        "event: bye" in text and "urn:kefu:restarting" in text for text in told
    )
    assert sum("event: turn" in text for text in told) >= 8
    assert all("event: turn" in text or "urn:kefu:restarting" in text for text in told)


def test_turns_that_outlast_the_stop_are_cut_and_hanging_ones_do_not_keep_the_process() -> None:
    with (
        serving(server={"shutdown_s": 1}) as child,
        child.connect(ask(1, stream=True, pieces=1000, piece_s=0.05)) as long,
        child.connect(ask(2, piece_s=60)) as hanging,
    ):
        child.wait_for_turns(2)
        code = child.stop()
        told, sent_away = read_all(long), read_all(hanging)
        finishes = child.process.stdout.read() if child.process.stdout else ""

    assert code == 0
    assert "event: bye" in told
    assert "urn:kefu:restarting" in told
    assert sent_away.startswith("HTTP/1.1 503 ")
    assert finishes == "interrupted\n"


def test_a_second_signal_ends_the_process_at_once() -> None:
    with serving(server={"shutdown_s": 30}) as child, child.connect(ask(1, piece_s=60)):
        child.wait_for_turns(1)
        child.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        code = child.stop()

    assert code == 128 + signal.SIGTERM


def test_an_address_that_is_taken_is_said_in_two_sentences() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = made_settings(server={"port": taken.getsockname()[1]})

        with pytest.raises(SettingsError, match=r"cannot listen on 127\.0\.0\.1.*\. Stop the program"):
            serve(create_app(FakeService(), settings=settings), settings)
