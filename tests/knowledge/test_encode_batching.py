"""Queries of concurrent visitors are encoded together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from fakes import FakeEncoder
from knowledge.encode import BatchingEncoder
from knowledge.errors import KefuError
from knowledge.types import Matrix


class GatedEncoder(FakeEncoder):
    """Notes each batch; holds the worker while `gate` is closed."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.started = threading.Semaphore(0)

    def encode_queries(self, texts: Sequence[str]) -> Matrix:
        self.batches.append(list(texts))
        self.started.release()
        assert self.gate.wait(10)
        if "explode" in texts:
            raise ValueError("cannot encode 'explode'")
        return super().encode_queries(texts)

    def encode_passages(self, texts: Sequence[str]) -> Matrix:
        return super().encode_queries(texts)


@pytest.fixture
def gated() -> GatedEncoder:
    return GatedEncoder()


@pytest.fixture
def wrap(gated: GatedEncoder) -> Iterator[Callable[..., BatchingEncoder]]:
    opened: list[BatchingEncoder] = []

    def open_it(
        *, window_ms: float = 0.0, batch_size: int = 32, cache_entries: int = 100, lanes: int = 0
    ) -> BatchingEncoder:
        opened.append(
            BatchingEncoder(
                gated, window_ms=window_ms, batch_size=batch_size, cache_entries=cache_entries, lanes=lanes
            )
        )
        return opened[-1]

    yield open_it
    gated.gate.set()
    for encoder in opened:
        encoder.close()


@pytest.fixture
def visitors() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def ask_while_busy(
    encoder: BatchingEncoder, gated: GatedEncoder, visitors: ThreadPoolExecutor, texts: Sequence[str]
) -> list[Future[Matrix]]:
    """Each text from its own visitor, all waiting while the worker is held by a first query."""
    gated.gate.clear()
    first = visitors.submit(encoder.encode_queries, ["first"])
    assert gated.started.acquire(timeout=10)
    answers = []
    for count, text in enumerate(texts, start=1):
        answers.append(visitors.submit(encoder.encode_queries, [text]))
        wait_for(lambda expected=count: len(encoder._waiting) == expected)
    gated.gate.set()
    first.result(10)
    return answers


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.001)


def test_a_lone_query_goes_at_once_however_long_the_window(wrap, gated) -> None:  # type: ignore[no-untyped-def]
    encoder = wrap(window_ms=3_600_000)

    vectors = encoder.encode_queries(["refund"])

    assert np.array_equal(vectors, FakeEncoder().encode_queries(["refund"]))


def test_queries_that_come_while_the_encoder_works_form_the_next_batch(wrap, gated, visitors) -> None:  # type: ignore[no-untyped-def]
    encoder = wrap()

    answers = ask_while_busy(encoder, gated, visitors, ["a", "b", "c"])

    for text, answer in zip("abc", answers, strict=True):
        assert np.array_equal(answer.result(10), FakeEncoder().encode_queries([text]))
    assert gated.batches == [["first"], ["a", "b", "c"]]


def test_a_batch_stops_growing_at_its_size(wrap, gated, visitors) -> None:  # type: ignore[no-untyped-def]
    encoder = wrap(batch_size=2)

    answers = ask_while_busy(encoder, gated, visitors, ["a", "b", "c"])

    for answer in answers:
        answer.result(10)
    assert gated.batches == [["first"], ["a", "b"], ["c"]]


def test_in_a_busy_stretch_the_worker_waits_for_the_batch_to_fill(wrap, gated, visitors) -> None:  # type: ignore[no-untyped-def]
    encoder = wrap(window_ms=3_600_000, batch_size=2)
    for answer in ask_while_busy(encoder, gated, visitors, ["a", "b"]):
        answer.result(10)

    one = visitors.submit(encoder.encode_queries, ["c"])
    wait_for(lambda: len(encoder._waiting) == 1)
    two = visitors.submit(encoder.encode_queries, ["d"])
    one.result(10)
    two.result(10)

    assert gated.batches[-1] == ["c", "d"]


def test_the_window_ends_the_wait(wrap, gated, visitors) -> None:  # type: ignore[no-untyped-def]
    encoder = wrap(window_ms=5)
    for answer in ask_while_busy(encoder, gated, visitors, ["a", "b"]):
        answer.result(10)

    encoder.encode_queries(["c"])

    assert gated.batches[-1] == ["c"]


def test_the_same_question_of_two_visitors_is_encoded_once(wrap, gated, visitors) -> None:  # type: ignore[no-untyped-def]
    encoder = wrap()

    answers = ask_while_busy(encoder, gated, visitors, ["refund", "refund"])

    assert np.array_equal(answers[0].result(10), answers[1].result(10))
    assert gated.batches == [["first"], ["refund"]]


def test_a_recent_question_is_remembered_whatever_its_spaces(wrap, gated) -> None:  # type: ignore[no-untyped-def]
    encoder = wrap()

    first = encoder.encode_queries(["my  order\n"])
    second = encoder.encode_queries([" my order"])

    assert np.array_equal(first, second)
    assert gated.batches == [["my order"]]


def test_what_a_caller_does_to_its_vectors_does_not_spoil_the_memory(wrap) -> None:  # type: ignore[no-untyped-def]
    encoder = wrap()
    vectors = encoder.encode_queries(["refund"])

    vectors[:] = 0

    assert np.array_equal(encoder.encode_queries(["refund"]), FakeEncoder().encode_queries(["refund"]))


def test_the_question_asked_longest_ago_is_forgotten_first(wrap, gated) -> None:  # type: ignore[no-untyped-def]
    encoder = wrap(cache_entries=2)

    for text in ["a", "b", "a", "c", "a", "b"]:
        encoder.encode_queries([text])

    assert gated.batches == [["a"], ["b"], ["c"], ["b"]]


def test_without_entries_nothing_is_remembered(wrap, gated) -> None:  # type: ignore[no-untyped-def]
    encoder = wrap(cache_entries=0)

    encoder.encode_queries(["a"])
    encoder.encode_queries(["a"])

    assert gated.batches == [["a"], ["a"]]


def test_a_failure_reaches_everyone_who_waits_and_the_worker_goes_on(wrap, gated, visitors) -> None:  # type: ignore[no-untyped-def]
    encoder = wrap()

    answers = ask_while_busy(encoder, gated, visitors, ["explode", "a"])

    for answer in answers:
        with pytest.raises(ValueError, match="cannot encode"):
            answer.result(10)
    assert np.array_equal(encoder.encode_queries(["a"]), FakeEncoder().encode_queries(["a"]))


def test_passages_pass_through_and_are_not_remembered(wrap, gated) -> None:  # type: ignore[no-untyped-def]
    encoder = wrap()

    vectors = encoder.encode_passages(["refund"])

    assert np.array_equal(vectors, FakeEncoder().encode_passages(["refund"]))
    assert gated.batches == []


def test_closing_answers_those_who_wait_and_refuses_those_who_come(wrap, gated, visitors) -> None:  # type: ignore[no-untyped-def]
    encoder = wrap(window_ms=3_600_000)
    answers = ask_while_busy(encoder, gated, visitors, ["a", "b"])

    encoder.close()

    assert [answer.result(10).shape for answer in answers] == [(1, 256), (1, 256)]
    with pytest.raises(KefuError, match=r"was closed.*Start the server again"):
        encoder.encode_queries(["late"])
    encoder.close()


def test_it_is_interchangeable_with_what_it_wraps(wrap) -> None:  # type: ignore[no-untyped-def]
    encoder = wrap()

    assert (encoder.fingerprint, encoder.dimension) == (FakeEncoder.fingerprint, FakeEncoder.dimension)


def test_where_batches_gain_nothing_as_many_queries_as_lanes_go_side_by_side(wrap, gated, visitors) -> None:  # type: ignore[no-untyped-def]
    encoder = wrap(lanes=2)
    gated.gate.clear()

    answers = [visitors.submit(encoder.encode_queries, [text]) for text in "abc"]
    wait_for(lambda: len(gated.batches) == 2)
    waited = sorted(map(tuple, gated.batches))
    gated.gate.set()

    for text, answer in zip("abc", answers, strict=True):
        assert np.array_equal(answer.result(10), FakeEncoder().encode_queries([text]))
    assert all(len(batch) == 1 for batch in waited)
    assert len(gated.batches) == 3


def test_in_lanes_too_the_same_question_of_two_visitors_is_encoded_once(wrap, gated, visitors) -> None:  # type: ignore[no-untyped-def]
    encoder = wrap(lanes=1)
    gated.gate.clear()

    answers = [visitors.submit(encoder.encode_queries, ["refund"]) for _ in range(2)]
    wait_for(lambda: len(gated.batches) == 1)
    gated.gate.set()

    assert np.array_equal(answers[0].result(10), answers[1].result(10))
    assert gated.batches == [["refund"]]


def test_in_lanes_a_failure_reaches_its_caller_and_the_lane_is_free_again(wrap) -> None:  # type: ignore[no-untyped-def]
    encoder = wrap(lanes=1)

    with pytest.raises(ValueError, match="explode"):
        encoder.encode_queries(["explode"])

    assert encoder.encode_queries(["refund"]).shape[0] == 1


def test_a_closed_encoder_with_lanes_refuses(wrap) -> None:  # type: ignore[no-untyped-def]
    encoder = wrap(lanes=2)
    encoder.close()

    with pytest.raises(KefuError, match="closed"):
        encoder.encode_queries(["refund"])
