"""The client of `kefu bench` says what went wrong, whatever goes wrong."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import typer
from typer.testing import CliRunner

from ui.bench import client
from ui.bench.client import BenchError, Visitor

ANSWER = json.dumps({"decision": "answer"}).encode()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER)
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"


@contextmanager
def serving(*connections: list[bytes]) -> Iterator[int]:
    """A server that takes one connection for each list, says its answers one by one, and closes it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answers in connections:
            with listener.accept()[0] as connection:
                for answer in answers:
                    while not connection.recv(65536).endswith(b"}"):
                        pass
                    connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join(5)
        listener.close()


@contextmanager
def asking(port: int) -> Iterator[Callable[[], tuple[float, str]]]:
    with Visitor("127.0.0.1", port) as visitor:
        yield lambda: visitor.ask("c", "Is it waterproof?", key="k")


def test_a_connection_that_the_server_closed_while_idle_is_opened_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "_IDLE_S", 0.0)
    with serving([OK], [OK]) as port, asking(port) as once:
        answers = [once(), once()]

    assert [decision for _, decision in answers] == ["answer", "answer"]


def test_a_broken_connection_is_told_and_not_taken_for_a_reader_who_left() -> None:
    app = typer.Typer()
    with serving([OK]) as port, asking(port) as once:
        once()

        @app.command()
        def bench() -> None:
            once()

        result = CliRunner().invoke(app)

    assert isinstance(result.exception, BenchError)
    assert "broke" in str(result.exception)


def test_a_refusal_is_told_with_its_status() -> None:
    with serving([BUSY]) as port, asking(port) as once, pytest.raises(BenchError, match="503: busy"):
        once()


def test_an_answer_without_words_is_no_figure() -> None:
    refused = pytest.raises(BenchError, match="sent no answer to 'Is it")
    with serving([OK]) as port, Visitor("127.0.0.1", port) as visitor, refused:
        visitor.first_words("c", "Is it waterproof?", key="k")
