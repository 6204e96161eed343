"""Encode the queries of concurrent visitors together or side by side, and remember the recent ones."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from knowledge.errors import KefuError
from knowledge.types import Encoder, Matrix


@dataclass(frozen=True, slots=True)
class _Request:
    """One caller's texts; the future brings a vector for each."""

    texts: Sequence[str]
    vectors: Future[dict[str, Matrix]] = field(default_factory=Future)


class BatchingEncoder:
    """Wraps any encoder; queries that come while it works are encoded together when it is free again.

    A query that finds the encoder idle goes at once. Only between the batches of a busy stretch does the
    worker wait, at most `window_ms`, for the visitors who were just answered to ask again: the encoder
    is fastest with a text for each core.

    Args:
        encoder: Does the work; called from one worker thread for queries, from the caller's for passages.
        window_ms: The longest wait between two batches of several visitors.
        batch_size: Texts after which a batch is not added to.
        cache_entries: Vectors of recent queries kept; 0 keeps none.
        lanes: For an encoder that gains nothing from batches: so many callers encode side by side, each in its own
            thread, and nobody waits for others. 0 encodes in batches.
    """

    def __init__(
        self, encoder: Encoder, *, window_ms: float, batch_size: int, cache_entries: int, lanes: int = 0
    ) -> None:
        self.fingerprint = encoder.fingerprint
        self.dimension = encoder.dimension
        self._encoder = encoder
        self._window_s = window_ms / 1000
        self._batch_size = batch_size
        self._recent = _Recent(cache_entries)
        self._waiting: deque[_Request] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._lanes = threading.Semaphore(lanes) if lanes else None
        self._worker = threading.Thread(target=self._work, name="encode-queries", daemon=True)
        if self._lanes is None:
            self._worker.start()

    def encode_passages(self, texts: Sequence[str]) -> Matrix:
        """What the company wrote; encoded at once, in the caller's thread, and not remembered."""
        return self._encoder.encode_passages(texts)

    def encode_queries(self, texts: Sequence[str]) -> Matrix:
        """What customers ask; float32, shape (len(texts), dimension), L2 norm 1.

        Raises:
            KefuError: The encoder is closed.
            Exception: Whatever the wrapped encoder raised for the batch.
        """
        normalised = [" ".join(text.split()) for text in texts]
        known = self._recent.get(normalised)
        missing = [text for text in dict.fromkeys(normalised) if text not in known]
        if missing:
            known |= self._encode(missing, self._lanes) if self._lanes else self._submit(missing).result()
        out = np.empty((len(texts), self.dimension), np.float32)
        for row, text in enumerate(normalised):
            out[row] = known[text]
        return out

    def close(self) -> None:
        """Answer those who wait, then stop the worker; later queries raise."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._lanes is None:
            self._worker.join()

    def _encode(self, texts: Sequence[str], lanes: threading.Semaphore) -> dict[str, Matrix]:
        self._require_open()
        with lanes:
            known = self._recent.get(texts)  # another visitor may have asked the same meanwhile
            if missing := [text for text in texts if text not in known]:
                vectors = dict(zip(missing, self._encoder.encode_queries(missing), strict=True))
                self._recent.put(vectors)
                known |= vectors
        return known

    def _require_open(self) -> None:
        if self._closed:
            raise KefuError("The encoder was closed while a query came in. Start the server again.")

    def _submit(self, texts: Sequence[str]) -> Future[dict[str, Matrix]]:
        request = _Request(texts)
        with self._changed:
            self._require_open()
            self._waiting.append(request)
            self._changed.notify_all()
        return request.vectors

    def _work(self) -> None:
        busy_until = 0.0
        while batch := self._next_batch(busy_until):
            self._answer(batch)
            busy_until = time.monotonic() + self._window_s if len(batch) > 1 else 0.0

    def _next_batch(self, busy_until: float) -> list[_Request]:
        """The next requests, oldest first; empty when closed and all are answered."""
        with self._changed:
            while not self._full() and (rest := busy_until - time.monotonic()) > 0:
                self._changed.wait(rest)
            while not self._waiting and not self._closed:
                self._changed.wait()
            batch: list[_Request] = []
            texts = 0
            while self._waiting and texts < self._batch_size:
                batch.append(self._waiting.popleft())
                texts += len(batch[-1].texts)
            return batch

    def _full(self) -> bool:
        return self._closed or sum(len(request.texts) for request in self._waiting) >= self._batch_size

    def _answer(self, batch: Sequence[_Request]) -> None:
        texts = list(dict.fromkeys(text for request in batch for text in request.texts))
        try:
            vectors = dict(zip(texts, self._encoder.encode_queries(texts), strict=True))
        except BaseException as error:
            for request in batch:
                request.vectors.set_exception(error)
            return
        self._recent.put(vectors)
        for request in batch:
            request.vectors.set_result({text: vectors[text] for text in request.texts})


class _Recent:
    """The vectors of the texts that were asked for last."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._vectors: OrderedDict[str, Matrix] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, texts: Sequence[str]) -> dict[str, Matrix]:
        found = {}
        with self._lock:
            for text in texts:
                if text in self._vectors:
                    self._vectors.move_to_end(text)
                    found[text] = self._vectors[text]
        return found

    def put(self, vectors: dict[str, Matrix]) -> None:
        if not self._entries:
            return
        with self._lock:
            for text, vector in vectors.items():
                # A copy: a row would keep the whole batch it is a view of.
                self._vectors[text] = vector.copy()
                self._vectors.move_to_end(text)
            while len(self._vectors) > self._entries:
                self._vectors.popitem(last=False)
