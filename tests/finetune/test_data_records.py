"""What the project recorded is learned from where somebody said that it was right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from data_cases import ANSWERS, shop
from record_cases import a_message, a_turn, new_database

from chatbot.record.redaction import redact
from chatbot.record.remarks import Remarks, Stars
from chatbot.record.store import SqlTurnStore
from chatbot.types import AnswerFrom, Rating, Turn, UseTemplate
from finetune.data.build import Built, Options, build
from finetune.data.records import RECORDS, recorded
from finetune.data.values import Example, Labelled
from knowledge.database import open_engine

QUESTION, ANSWER = next(iter(ANSWERS.items()))
WORDING = "my parcel should go back to you, how is that done?"


class Kept(NamedTuple):
    store: SqlTurnStore
    remarks: Remarks


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    engine = open_engine(new_database(tmp_path))
    store = SqlTurnStore(engine)
    yield Kept(store, Remarks(engine))
    store.close()
    engine.dispose()


def said(kept: Kept, conversation: str, text: str = WORDING, *, reply: str = ANSWER) -> Turn:
    turn = a_turn(a_message(conversation, text), decision=AnswerFrom(("faq:0",), verbatim=True), reply=reply)
    return kept.store.append(replace(turn, reply=replace(turn.reply, citations=())))


def made(kept: Kept) -> Built:
    return build(recorded(*kept), shop(), mask=redact, options=Options(held_out=0.2))


def learned(built: Built) -> set[str | None]:
    return {row.conversation_id for _, row in built.rows["dialogue"]} - {None}


def test_a_reply_with_a_thumb_up_or_good_stars_is_learned_and_an_unrated_one_is_named(kept: Kept) -> None:
    kept.store.rate(Rating(said(kept, "thumb", WORDING).id, "up"))
    kept.remarks.rate("stars", Stars(5))
    said(kept, "stars", "the kettle parcel is wrong, and returning it works how?")
    said(kept, "unrated", "in which way can a parcel with a camera be returned?")

    built = made(kept)

    assert learned(built) == {"thumb", "stars"}
    assert [one.conversation_id for one in built.aside if one.place.file == RECORDS] == ["unrated"]


def test_a_reply_with_a_thumb_down_is_not_learned(kept: Kept) -> None:
    kept.store.rate(Rating(said(kept, "c").id, "down", ("wrong",)))

    built = made(kept)

    assert learned(built) == set()
    assert "not served" in built.aside[0].why


def test_the_passage_that_the_reply_came_from_is_cited(kept: Kept) -> None:
    kept.store.rate(Rating(said(kept, "c").id, "up"))

    [example] = [row for _, row in made(kept).rows["dialogue"] if row.conversation_id == "c"]

    assert isinstance(example, Example)
    assert example.cites == ("faq:0",)
    assert example.answer == ANSWER


def test_a_follow_up_that_the_bot_completed_well_is_a_rewrite(kept: Kept) -> None:
    said(kept, "c", "what about the label of a parcel?")
    turn = a_turn(
        a_message("c", "and how is it returned?"),
        decision=AnswerFrom(("faq:0",), verbatim=True),
        reply=ANSWER,
    )
    understood = replace(turn.understanding, query="parcel label how is it returned?", rewritten=True)
    kept.store.rate(Rating(kept.store.append(replace(turn, understanding=understood)).id, "up"))

    rewrites = [
        row for _, row in made(kept).rows["dialogue"] if isinstance(row, Example) and row.task == "rewrite"
    ]

    assert [row.standalone for row in rewrites] == ["parcel label how is it returned?"]
    assert [role for role, _ in rewrites[0].messages] == ["user", "assistant", "user"]


def test_a_template_that_was_right_teaches_its_intent_and_no_answer(kept: Kept) -> None:
    turn = a_turn(
        a_message("c", "please drop the lamp from my list"),
        decision=UseTemplate("cancel_order"),
        reply="It is cancelled.",
    )
    kept.store.rate(Rating(kept.store.append(turn).id, "up"))

    built = made(kept)

    taught = [row for _, row in built.rows["intents"] if isinstance(row, Labelled) and row.source == "record"]
    assert [(row.text, row.intent) for row in taught] == [
        ("please drop the lamp from my list", "cancel_order")
    ]
    assert learned(built) == set()
