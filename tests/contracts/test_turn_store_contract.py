"""What every turn store promises."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from record_cases import a_message, a_turn, new_database, postgres_url

from chatbot.record.migrate import upgrade
from chatbot.record.redacting import RedactingStore
from chatbot.record.store import SqlTurnStore
from chatbot.types import Clarify, Decline, Handoff, Option, Rating, Reply, TurnStore, UseTemplate
from knowledge.database import open_engine
from knowledge.errors import ConflictError, StoreError


@pytest.fixture(scope="module")
def postgres() -> str:
    url = postgres_url()
    if url is None:
        pytest.skip("no PostgreSQL: install it, or set KEFU_TEST_POSTGRES to a SQLAlchemy URL")
    upgrade(url)
    return url


@pytest.fixture(params=["sqlite", "redacting", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TurnStore]:
    on_postgres = request.param == "postgres"
    engine = open_engine(request.getfixturevalue("postgres") if on_postgres else new_database(tmp_path))
    inner = SqlTurnStore(engine, lease_s=5, busy_timeout_s=5)
    yield RedactingStore(inner) if request.param == "redacting" else inner
    inner.close()
    engine.dispose()


@pytest.fixture
def conversation() -> str:
    return uuid.uuid4().hex


def test_a_turn_comes_back_whole(store: TurnStore, conversation: str) -> None:
    turn = a_turn(a_message(conversation, key="k1"))
    store.begin(turn.message)

    stored = store.append(turn)

    assert stored == replace(turn, sequence=1)
    assert store.history(conversation) == (stored,)


@pytest.mark.parametrize(
    "decision",
    [
        UseTemplate("track_order", {"order_id": "KF20260311008"}),
        Clarify((Option("Refund", passage_id="faq-2"), Option("Exchange", intent="exchange"))),
        Decline("out_of_scope"),
        Handoff("requested", intent="human"),
    ],
)
def test_every_kind_of_decision_comes_back(store: TurnStore, conversation: str, decision: Decline) -> None:
    message = a_message(conversation)
    store.begin(message)

    store.append(a_turn(message, decision=decision))

    assert store.history(conversation)[0].decision == decision


def test_a_retry_with_the_same_key_gets_the_stored_turn(store: TurnStore, conversation: str) -> None:
    message = a_message(conversation, key="k1")
    store.begin(message)
    first = store.append(a_turn(message))

    again = store.begin(message)

    assert again == first
    assert len(store.history(conversation)) == 1


def test_a_key_used_for_another_text_is_refused(store: TurnStore, conversation: str) -> None:
    message = a_message(conversation, key="k1")
    store.begin(message)
    store.append(a_turn(message))

    with pytest.raises(ConflictError, match="k1"):
        store.begin(a_message(conversation, "Cancel it", key="k1"))


def test_the_same_key_in_two_conversations_is_two_messages(store: TurnStore, conversation: str) -> None:
    for name in (conversation, conversation + "-other"):
        store.begin(a_message(name, key="k1"))
        store.append(a_turn(a_message(name, key="k1")))

    assert [len(store.history(name)) for name in (conversation, conversation + "-other")] == [1, 1]


def test_messages_without_a_key_never_collide(store: TurnStore, conversation: str) -> None:
    for _ in range(3):
        store.begin(a_message(conversation))
        store.append(a_turn(a_message(conversation)))

    assert [turn.sequence for turn in store.history(conversation)] == [1, 2, 3]


def test_history_is_the_last_turns_oldest_first(store: TurnStore, conversation: str) -> None:
    for number in range(5):
        message = a_message(conversation, f"message {number}")
        store.begin(message)
        store.append(a_turn(message))

    texts = [turn.message.text for turn in store.history(conversation, limit=2)]

    assert texts == ["message 3", "message 4"]
    assert store.history(conversation, limit=0) == ()
    assert store.history("nobody") == ()


def test_the_next_message_waits_until_the_first_is_answered(store: TurnStore, conversation: str) -> None:
    first, second = a_message(conversation, "first"), a_message(conversation, "second")
    seen: list[int] = []
    store.begin(first)

    def follow() -> None:
        store.begin(second)
        seen.append(len(store.history(conversation)))
        store.append(a_turn(second))

    follower = threading.Thread(target=follow)
    follower.start()
    store.append(a_turn(first))
    follower.join()

    assert seen == [1]
    assert [turn.message.text for turn in store.history(conversation)] == ["first", "second"]


def test_an_abandoned_place_goes_to_the_retry(store: TurnStore, conversation: str) -> None:
    message = a_message(conversation, key="k1")
    store.begin(message)

    store.abandon(message)

    assert store.begin(message) is None
    assert store.append(a_turn(message)).sequence == 1
    store.abandon(message)  # harmless after the turn is stored


def test_twenty_deliveries_at_once_make_one_turn(store: TurnStore, conversation: str) -> None:
    message = a_message(conversation, key="k1")

    def deliver(_: int) -> str:
        answered = store.begin(message)
        return (answered or store.append(a_turn(message))).id

    with ThreadPoolExecutor(20) as pool:
        ids = set(pool.map(deliver, range(20)))

    assert len(ids) == 1
    assert [turn.id for turn in store.history(conversation)] == list(ids)


def test_many_writers_in_one_conversation_leave_no_gap(store: TurnStore, conversation: str) -> None:
    def talk(writer: int) -> None:
        for number in range(5):
            message = a_message(conversation, key=f"{writer}-{number}")
            assert store.begin(message) is None
            seen = len(store.history(conversation, limit=100))
            assert store.append(a_turn(message)).sequence == seen + 1

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(talk, range(6)))

    assert [turn.sequence for turn in store.history(conversation, limit=100)] == list(range(1, 31))


def test_a_turn_appended_again_is_stored_once(store: TurnStore, conversation: str) -> None:
    message = a_message(conversation, key="k1")
    store.begin(message)
    turn = a_turn(message)
    first = store.append(turn)

    again = store.append(turn)

    assert again.id == first.id
    assert len(store.history(conversation)) == 1


@pytest.mark.parametrize(
    "text", ["你好 👋🏽", "nul \x00 inside", "lone \ud800 surrogate", "' OR 1=1 --", "x" * 20_000]
)
def test_any_text_can_be_stored_and_retried(store: TurnStore, conversation: str, text: str) -> None:
    message = a_message(conversation, text, key="k1")
    store.begin(message)
    stored = store.append(a_turn(message, reply=text))

    again = store.begin(message)

    assert again is not None
    assert again.id == stored.id


def test_the_last_rating_of_a_turn_counts(store: TurnStore, conversation: str) -> None:
    message = a_message(conversation)
    store.begin(message)
    turn = store.append(a_turn(message))

    store.rate(Rating(turn.id, "up"))
    store.rate(Rating(turn.id, "down", ("wrong",), "not what I asked"))

    assert _ratings(store)([turn.id])[turn.id].value == "down"


def test_rating_a_turn_that_does_not_exist_is_an_error(store: TurnStore) -> None:
    with pytest.raises(StoreError, match="no turn 'nothing'"):
        store.rate(Rating("nothing", "up"))


def test_a_reply_that_was_interrupted_is_kept_as_such(store: TurnStore, conversation: str) -> None:
    message = a_message(conversation)
    store.begin(message)

    store.append(replace(a_turn(message), reply=Reply("It left on", finish="interrupted")))

    assert store.history(conversation)[0].reply.finish == "interrupted"


def _ratings(store: TurnStore) -> Callable[[list[str]], dict[str, Rating]]:
    return getattr(store, "_inner", store).ratings
