"""A fixed number of threads for what is synchronous.

They are daemons: a call that hangs must not keep the process from ending, as the threads of
`ThreadPoolExecutor` do, which are joined at exit.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import queue
import threading
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import structlog

from ui.server.problem import traceback_of

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class Workers:
    """Threads that start when they are first needed and take work in the order it came."""

    def __init__(self, count: int, *, name: str) -> None:
        self._count = count
        self._name = name
        self._queue: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = threading.Semaphore(0)
        self._mutex = threading.Lock()
        self._closed = False

    def submit(self, work: Callable[[], object]) -> None:
        """Have the work done soon; it sees the caller's context variables (the request id)."""
        context = contextvars.copy_context()
        self._queue.put(lambda: context.run(work))
        with self._mutex:
            if not self._idle.acquire(blocking=False) and len(self._threads) < self._count:
                thread = threading.Thread(
                    target=self._run, name=f"{self._name}-{len(self._threads)}", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    async def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's value, computed on a worker."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            try:
                value = function(*args, **kwargs)
            except Exception as error:
                _tell(loop, _fail, future, error)
            else:
                _tell(loop, _fulfil, future, value)

        self.submit(work)
        return await future

    def close(self, *, wait_s: float = 0.0) -> int:
        """Let the threads end after their work; how many were still busy when the wait was over."""
        with self._mutex:
            threads = list(self._threads)
            if not self._closed:
                self._closed = True
                for _ in threads:
                    self._queue.put(None)
        deadline = time.monotonic() + wait_s
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return sum(thread.is_alive() for thread in threads)

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            try:
                work()
            except Exception as error:
                log.error("worker.failed", exception=traceback_of(error))  # noqa: TRY400 - no local variables
            self._idle.release()


def _tell(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: object) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
        loop.call_soon_threadsafe(function, *args)


def _fulfil(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[T], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
