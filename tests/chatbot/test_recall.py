"""A message is looked up alone and in its context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from chatbot.recall import best_of, recall
from chatbot.types import AnswerFrom, AskSlot, Message, Reply, Several, Turn, Understanding, told_in
from knowledge.types import Hit, Passage

ASKED = Understanding("how long does charging take", "en", other_reading="headphones charging")


def hit(name: str, score: float) -> Hit:
    return Hit(Passage(name, "text", name, "faq", "en"), score, 1)


class Shelf:
    """A retriever that remembers what it was asked."""

    version = "shelf-1"

    def __init__(self, **found: Sequence[Hit]) -> None:
        self.found = {name.replace("_", " "): hits for name, hits in found.items()}
        self.asked: list[str] = []

    def search(
        self, query: str, k: int = 5, *, locale: str | None = None, read_as: str = ""
    ) -> Sequence[Hit]:
        self.asked.append(query)
        return self.found.get(query, ())[:k]


def said(*passages: str) -> Turn:
    message = Message("c", "headphones?", datetime(2026, 1, 5, tzinfo=UTC))
    answers = AnswerFrom(passages, verbatim=True)
    return Turn("t", message, Understanding("headphones", "en"), (), answers, Reply("r"), {}, {})


def test_the_better_reading_of_each_passage_counts_and_ranks_are_renewed() -> None:
    shelf = Shelf(
        how_long_does_charging_take=[hit("phones", 0.4), hit("buds", 0.3)],
        headphones_charging=[hit("buds", 0.8), hit("guess", 0.45)],
    )

    found = recall(shelf, ASKED, (), k=2)

    assert [(one.passage.id, one.score, one.rank) for one in found] == [("buds", 0.8, 1), ("phones", 0.4, 2)]


def test_what_was_just_said_is_found_only_by_the_message_itself() -> None:
    shelf = Shelf(headphones_charging=[hit("told", 0.9), hit("new", 0.6)])

    assert [one.passage.id for one in recall(shelf, ASKED, (said("told"),), k=5)] == ["new"]


def test_a_sure_answer_or_a_single_reading_is_looked_up_once() -> None:
    shelf = Shelf(how_long_does_charging_take=[hit("sure", 0.95)])

    recall(shelf, ASKED, (), k=5)
    recall(shelf, replace(ASKED, other_reading=""), (), k=5)

    assert shelf.asked == ["how long does charging take"] * 2


def test_hits_of_several_searches_hold_each_passage_once() -> None:
    found = best_of([hit("a", 0.2), hit("b", 0.5)], [hit("a", 0.7)])

    assert [(one.passage.id, one.score) for one in found] == [("a", 0.7), ("b", 0.5)]


def test_a_turn_told_what_it_answered_with_and_not_what_it_offered() -> None:
    both = Several((AnswerFrom(("a", "offered"), verbatim=True), AskSlot("i", "s", passage_id="rule")))

    assert told_in(replace(said(), decision=both)) == {"a", "rule"}


def test_an_entry_of_the_topic_just_spoken_of_is_likelier_and_comes_before_what_was_said() -> None:
    def of(name: str, score: float, category: str) -> Hit:
        found = hit(name, score)
        return replace(found, passage=replace(found.passage, category=category))

    told, shipping, delivery = (
        of("told", 0.66, "returns"),
        of("postage", 0.25, "returns"),
        of("fees", 0.55, "delivery"),
    )
    shelf = Shelf(return_headphones_who_pays=[told], who_pays=[delivery, shipping])
    asked = Understanding("return headphones who pays", "en", rewritten=True, other_reading="who pays")

    found = recall(shelf, asked, (replace(said("told"), hits=(told,)),), k=5)

    assert [one.passage.id for one in found] == ["postage", "told", "fees"]
    assert found[0].score == 0.625  # odds of 1 to 3, five times better


def test_an_encoder_that_learned_chats_reads_the_message_once_in_its_conversation() -> None:
    class Reading(Shelf):
        def search(
            self, query: str, k: int = 5, *, locale: str | None = None, read_as: str = ""
        ) -> Sequence[Hit]:
            return super().search(read_as, k, locale=locale)

    shelf = Reading(how_long_after_headphones=[hit("charging", 0.4), hit("buds", 0.3)])

    found = recall(shelf, replace(ASKED, read_as="how long after headphones"), (said("charging"),), k=5)

    assert [one.passage.id for one in found] == ["charging", "buds"]
    assert shelf.asked == ["how long after headphones"]
