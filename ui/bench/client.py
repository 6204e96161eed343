"""A light client for load: one keep-alive connection a visitor, latency from the moment of sending."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Self

from knowledge.errors import KefuError

_IDLE_S = 2.0
"""A connection that nothing was sent over for so long is opened anew: servers close idle ones, and what is sent
over a closed one fails."""


class BenchError(KefuError):
    """The server under test did not do what was asked of it, so there is no figure."""


class Visitor:
    """Sends messages over one connection, which is open as long as the `with` it is used in."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=60)
        self._used = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, conversation: str, text: str, *, key: str) -> tuple[float, str]:
        """Seconds until the whole answer is there, and what was decided.

        Raises:
            BenchError: The server refused, or the connection broke.
        """
        with self._post(conversation, text, key=key, accept="application/json") as (response, start):
            raw = response.read()
            return time.perf_counter() - start, str(json.loads(raw)["decision"])

    def first_words(self, conversation: str, text: str, *, key: str) -> float:
        """Seconds until the first piece of a streamed answer.

        Raises:
            BenchError: The server refused or sent no answer, or the connection broke.
        """
        with self._post(conversation, text, key=key, accept="text/event-stream") as (response, start):
            for line in _lines(response):
                if line.startswith(b"event: delta"):
                    first = time.perf_counter() - start
                    response.read()
                    return first
        msg = f"The server sent no answer to '{text}'. Ask it in 'kefu chat' to see why."
        raise BenchError(msg)

    @contextmanager
    def _post(
        self, conversation: str, text: str, *, key: str, accept: str
    ) -> Iterator[tuple[http.client.HTTPResponse, float]]:
        """The answer to a message that was not refused, and when it was sent."""
        if time.monotonic() - self._used > _IDLE_S:
            self._connection.close()
        body = json.dumps({"text": text, "key": key}).encode()
        headers = {"Content-Type": "application/json", "Accept": accept}
        start = time.perf_counter()
        try:
            self._connection.request("POST", f"/api/conversations/{conversation}/messages", body, headers)
            response = self._connection.getresponse()
            if response.status != 200:
                said = response.read(300).decode(errors="replace")
                msg = f"The server answered {response.status}: {said} Run 'kefu serve' in that project to see why."
                raise BenchError(msg)
            yield response, start
        except (OSError, http.client.HTTPException) as error:
            # Not as OSError: the command line takes a broken pipe for a reader who left, and says nothing.
            msg = f"The connection to the server broke ({error or type(error).__name__}). See whether it ran out of memory, then measure again."
            raise BenchError(msg) from error
        self._used = time.monotonic()


def _lines(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while line := response.readline():
        yield line


def crowd(
    host: str, port: int, questions: Sequence[str], *, visitors: int, run: str
) -> tuple[list[float], float]:
    """All questions from several visitors at once, each in conversations of ten turns.

    Returns:
        Latencies in seconds, and the wall time of the whole.
    """

    def visit(number: int) -> list[float]:
        seconds = []
        with Visitor(host, port) as visitor:
            for turn, text in enumerate(questions[number::visitors]):
                conversation = f"{run}-visitor-{number:02d}-{turn // 10:04d}"
                seconds.append(visitor.ask(conversation, text, key=f"{run}-{number}-{turn}")[0])
        return seconds

    start = time.perf_counter()
    with ThreadPoolExecutor(visitors) as pool:
        latencies = [second for seconds in pool.map(visit, range(visitors)) for second in seconds]
    return latencies, time.perf_counter() - start
