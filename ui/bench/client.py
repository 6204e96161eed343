"""A light client for load: one keep-alive connection a visitor, latency from the moment of sending."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor


class Visitor:
    """Sends messages over one connection."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=60)

    def ask(self, conversation: str, text: str, *, key: str) -> tuple[float, str]:
        """Seconds until the whole answer is there, and what was decided.

        Raises:
            ConnectionError: The server refused; says with which status.
        """
        body = json.dumps({"text": text, "key": key}).encode()
        start = time.perf_counter()
        path = f"/api/conversations/{conversation}/messages"
        self._connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        raw = response.read()
        seconds = time.perf_counter() - start
        if response.status != 200:
            msg = f"The server answered {response.status}: {raw[:200].decode(errors='replace')}"
            raise ConnectionError(msg)
        return seconds, str(json.loads(raw)["decision"])

    def first_words(self, conversation: str, text: str, *, key: str) -> float:
        """Seconds until the first piece of a streamed answer."""
        body = json.dumps({"text": text, "key": key}).encode()
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        start = time.perf_counter()
        self._connection.request("POST", f"/api/conversations/{conversation}/messages", body, headers)
        response = self._connection.getresponse()
        for line in _lines(response):
            if line.startswith(b"event: delta"):
                first = time.perf_counter() - start
                response.read()
                return first
        msg = f"The server sent no answer to {text!r}."
        raise ConnectionError(msg)


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
        visitor, seconds = Visitor(host, port), []
        for turn, text in enumerate(questions[number::visitors]):
            conversation = f"{run}-visitor-{number:02d}-{turn // 10:04d}"
            seconds.append(visitor.ask(conversation, text, key=f"{run}-{number}-{turn}")[0])
        return seconds

    start = time.perf_counter()
    with ThreadPoolExecutor(visitors) as pool:
        latencies = [second for seconds in pool.map(visit, range(visitors)) for second in seconds]
    return latencies, time.perf_counter() - start
