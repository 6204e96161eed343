"""The turn: order of the stages, what is stored, and what happens when a stage fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chatbot.bot import Bot, Stages
from chatbot.types import Delta, Message, Turn, Understanding
from fakes import FakeAnswerer, FakeDesk, FakePolicy, FakeRetriever, FakeStore, FakeUnderstander
from knowledge.types import Hit, Passage

RETURNS = Passage("faq:returns", "You have 30 days.", "how long may I return", "faq", "en")


def make_bot(**stages: object) -> Bot:
    parts = {
        "understander": FakeUnderstander(),
        "retriever": FakeRetriever(RETURNS),
        "policy": FakePolicy(),
        "answerer": FakeAnswerer(),
        "versions": {"encoder": "fake"},
        **stages,
    }
    return Bot(lambda: Stages(**parts), FakeStore(), FakeDesk())  # type: ignore[arg-type]


def ask(text: str, *, key: str = "", conversation: str = "c1") -> Message:
    return Message(conversation, text, datetime(2026, 1, 5, tzinfo=UTC), key=key)


def final(pieces: Sequence[Delta | Turn]) -> Turn:
    turn = pieces[-1]
    assert isinstance(turn, Turn)
    return turn


def test_the_pieces_are_the_reply_and_the_turn_comes_last() -> None:
    pieces = list(make_bot().reply(ask("how long may I return it")))

    said = "".join(piece.text for piece in pieces if isinstance(piece, Delta))
    assert said == "You have 30 days." == final(pieces).reply.text


def test_a_turn_carries_everything_that_explains_it() -> None:
    turn = final(list(make_bot().reply(ask("how long may I return it"))))

    assert turn.hits[0].passage == RETURNS
    assert turn.reason == "found"
    assert set(turn.seconds) == {"understand", "search", "decide", "answer", "total"}
    assert turn.versions == {"encoder": "fake", "index": "fake-1", "calibration": "fake"}
    assert turn.sequence == 1


def test_a_retry_with_the_same_key_gets_the_stored_reply_and_no_second_turn() -> None:
    bot = make_bot()

    first = final(list(bot.reply(ask("how long may I return it", key="k"))))
    again = list(bot.reply(ask("how long may I return it", key="k")))

    assert again == [Delta("You have 30 days."), first]
    assert len(bot.store.turns) == 1  # type: ignore[attr-defined]


def test_a_customer_who_leaves_in_mid_answer_leaves_an_interrupted_turn() -> None:
    bot = make_bot()

    pieces = bot.reply(ask("how long may I return it"))
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]

    (turn,) = bot.store.history("c1")
    assert (turn.reply.finish, turn.reply.text) == ("interrupted", "You have")


@pytest.mark.parametrize("stage", ["understander", "retriever", "policy"])
def test_a_failing_stage_becomes_an_honest_answer(stage: str) -> None:
    class Broken:
        version = "broken"

        def understand(self, message: Message, history: Sequence[Turn]) -> Understanding:
            raise RuntimeError

        def search(
            self, query: str, k: int = 5, *, locale: str | None = None, read_as: str = ""
        ) -> Sequence[Hit]:
            raise RuntimeError

        def decide(self, *_: object) -> None:
            raise RuntimeError

    turn = final(list(make_bot(**{stage: Broken()}).reply(ask("how long may I return it"))))

    assert turn.decision.kind == "decline"
    assert turn.reply.text == "decline"


def test_a_handoff_opens_the_desk_after_the_turn_is_stored() -> None:
    bot = make_bot()

    turn = final(list(bot.reply(ask("a person please"))))

    assert bot.desk.opened == [turn]  # type: ignore[attr-defined]
    assert bot.store.turns == [turn]  # type: ignore[attr-defined]


def test_a_place_that_was_taken_is_given_back_when_the_answer_fails() -> None:
    class Broken:
        def answer(self, *_: object) -> None:
            raise RuntimeError

    bot = make_bot(answerer=Broken())
    message = ask("how long may I return it")

    with pytest.raises(RuntimeError):
        list(bot.reply(message))

    assert bot.store.abandoned == [message]  # type: ignore[attr-defined]
    assert bot.store.turns == []  # type: ignore[attr-defined]


def test_the_history_is_limited_to_the_context_turns() -> None:
    seen: list[int] = []

    class Counting(FakeUnderstander):
        def understand(self, message: Message, history: Sequence[Turn]) -> Understanding:
            seen.append(len(history))
            return super().understand(message, history)

    bot = replace(make_bot(understander=Counting()), context_turns=2)
    for _ in range(4):
        list(bot.reply(ask("how long may I return it")))

    assert seen == [0, 1, 2, 2]
