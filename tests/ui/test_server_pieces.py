"""The small parts of the server that keep promises on their own."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
from collections.abc import Iterator

import pytest
import structlog

from ui.server.continuations import Continuations
from ui.server.logs import configure_logs
from ui.server.rates import MonotonicMemory, Rate, client_key
from ui.server.stream import StreamPlaces
from ui.server.wire import clean_text
from ui.server.wording import _WORDS, language_of, say
from ui.server.workers import Workers

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_rate_counts_a_moving_minute_and_says_how_long_to_wait() -> None:
    clock = Clock()
    rate = Rate(2, clock=clock)

    waits = []
    for at in (0, 20, 30, 59, 61, 70, 81):
        clock.now = 1000.0 + at
        waits.append(rate.wait_s("one"))

    assert waits == [0, 0, 30, 1, 0, 10, 0]
    assert rate.wait_s("another") == 0


def test_a_rate_of_zero_is_switched_off() -> None:
    rate = Rate(0)

    assert {rate.wait_s("one") for _ in range(1000)} == {0}


def test_idle_keys_and_keys_beyond_the_limit_take_no_memory() -> None:
    clock = Clock()
    memory = MonotonicMemory(clock, max_keys=10)

    for number in range(50):
        memory.acquire_entry(f"key-{number}", 5, 60)
    crowded = len(memory._hits)
    clock.now += 100
    memory.acquire_entry("last", 5, 60)

    assert crowded == 10
    assert list(memory._hits) == ["last"]


def test_the_storage_keeps_the_contract_of_limits() -> None:
    clock = Clock()
    memory = MonotonicMemory(clock)

    counted = memory.incr("key", 60, amount=3)

    assert (counted, memory.get("key"), memory.get("other")) == (3, 3, 0)
    assert memory.get_expiry("key") == memory.get_expiry("other") == 1000.0
    assert memory.get_moving_window("other", 5, 60) == (1000.0, 0)
    assert memory.check()
    memory.clear("key")
    assert memory.get("key") == 0
    memory.incr("key", 60)
    assert memory.reset() == 1
    assert memory.base_exceptions is ValueError


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::"),
        ("unix socket", "unix socket"),
    ],
)
def test_a_client_is_counted_by_its_address_and_by_its_network_in_ipv6(host: str, key: str) -> None:
    assert client_key(host) == key


def test_a_transcript_is_recognised_once_and_only_word_for_word() -> None:
    known = Continuations()
    known.remember([("user", "hi"), ("assistant", "hello")], "one")
    known.remember([("user", "hi"), ("assistant", "hello")], "two")

    assert known.take([("user", "hi"), ("assistant", "hello!")]) is None
    assert {known.take([("user", "hi"), ("assistant", "hello")]) for _ in range(2)} == {"one", "two"}
    assert known.take([("user", "hi"), ("assistant", "hello")]) is None


def test_the_oldest_transcripts_are_forgotten() -> None:
    known = Continuations(max_entries=2)
    for number in range(4):
        known.remember([("user", str(number))], str(number))

    assert [known.take([("user", str(number))]) for number in range(4)] == [None, None, "2", "3"]


def test_places_for_streams_are_given_back() -> None:
    places = StreamPlaces(2)
    back = [places.take("one", language="en") for _ in range(2)]

    for give_back in back:
        give_back()

    assert places._open == {}


@pytest.mark.parametrize("accepted", ["zh-CN,zh;q=0.9,en;q=0.8", "zh", "fr,zh;q=0.5,en;q=0.3"])
def test_chinese_browsers_are_spoken_to_in_chinese(accepted: str) -> None:
    assert language_of({"type": "http", "headers": [(b"accept-language", accepted.encode())]}) == "zh"


@pytest.mark.parametrize("accepted", ["en-US,en;q=0.9,zh;q=0.8", "", "fr"])
def test_all_others_are_spoken_to_in_english(accepted: str) -> None:
    assert language_of({"type": "http", "headers": [(b"accept-language", accepted.encode())]}) == "en"


def test_every_sentence_exists_in_both_languages_with_the_same_places() -> None:
    values = {"length": 51, "limit": 50, "seconds": 7}

    for phrase in _WORDS:
        english, chinese = say(phrase, "en", **values), say(phrase, "zh", **values)
        assert {v for v in values.values() if str(v) in english} == {
            v for v in values.values() if str(v) in chinese
        }
        assert "{" not in english + chinese


def test_text_loses_what_cannot_be_stored_and_keeps_the_rest() -> None:
    assert clean_text("\x00 a\r\nb\tc\x1b[31m \ud800 e\u0301 🙂 ") == "a\nb\tc[31m  é 🙂"


async def test_workers_are_few_and_take_work_in_order() -> None:
    workers = Workers(2, name="test")
    names: set[str] = set()

    def work() -> str:
        names.add(threading.current_thread().name)
        return "done"

    done = await asyncio.gather(*(workers.call(work) for _ in range(20)))

    assert done == ["done"] * 20
    assert names <= {"test-0", "test-1"}
    assert workers.close(wait_s=5) == workers.close() == 0


async def test_what_a_worker_raises_reaches_who_waits_and_the_worker_goes_on() -> None:
    workers = Workers(1, name="test")

    with pytest.raises(KeyError):
        await workers.call(lambda: {}["missing"])
    with structlog.testing.capture_logs() as logs:
        workers.submit(lambda: 1 / 0)
        after = await workers.call(lambda: 7)

    assert after == 7
    assert [entry["event"] for entry in logs] == ["worker.failed"]
    assert workers.close(wait_s=5) == 0


async def test_a_worker_that_hangs_is_counted_and_left_behind() -> None:
    workers = Workers(1, name="test")
    go = threading.Event()
    waiting = asyncio.ensure_future(workers.call(go.wait))
    await asyncio.sleep(0)

    busy = workers.close(wait_s=0.05)
    waiting.cancel()
    go.set()

    assert busy == 1
    assert workers.close(wait_s=5) == 0


@pytest.fixture
def fresh_logs() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("fresh_logs")
def test_logs_are_one_json_object_a_line_whatever_is_in_them() -> None:
    out = io.StringIO()
    configure_logs(out)
    log = structlog.get_logger("kefu.test")

    log.info("one", value='a\r\n{"event":"forged"}\x1b[31m')
    log.info("long", value="x" * 1_000_000)
    logging.getLogger("somebody").warning("plain %s", "text")
    try:
        secret = "4111 1111"  # noqa: F841 - must not be logged
        raise ValueError("broken")
    except ValueError:
        log.exception("failed")

    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["one", "long", "plain text", "failed"]
    assert len(lines[1]["value"]) < 3000
    assert "ValueError: broken" in lines[3]["exception"]
    assert "4111 1111" not in out.getvalue().replace('secret = "4111 1111"', "")
    assert "\x1b" not in out.getvalue()


@pytest.mark.usefixtures("fresh_logs")
def test_on_a_terminal_logs_are_for_people_and_a_configuration_that_exists_is_kept() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out, other = Terminal(), io.StringIO()
    configure_logs(out)
    configure_logs(other)

    structlog.get_logger().info("server.started", port=8080)

    assert "server.started" in out.getvalue()
    assert not out.getvalue().startswith("{")
    assert other.getvalue() == ""
