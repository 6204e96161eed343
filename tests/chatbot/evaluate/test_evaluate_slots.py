"""Entities count when kind and both ends are right, as CoNLL counts them."""

from __future__ import annotations

import pytest

from chatbot.evaluate.files import TaggedSentence
from chatbot.evaluate.slots import measure_slots


def sentence(*tags: str) -> TaggedSentence:
    return TaggedSentence(tuple("w" for _ in tags), tags)


def test_half_an_entity_and_a_wrong_kind_are_both_wrong() -> None:
    gold = [sentence("B-city", "I-city", "O", "B-day"), sentence("B-city", "O")]
    said = [["B-city", "O", "O", "B-city"], ["B-city", "O"]]

    figures = measure_slots(gold, said)

    assert figures["precision"] == pytest.approx(1 / 3)
    assert figures["recall"] == pytest.approx(1 / 3)
    assert figures["f1"] == pytest.approx(1 / 3)
    assert figures["kinds"]["city"]["entities"] == 2
    assert figures["kinds"]["day"]["recall"] == 0
    assert figures["token_accuracy"] == pytest.approx(4 / 6)


def test_neighbours_of_one_kind_are_two_entities() -> None:
    gold = [sentence("B-city", "B-city")]

    assert measure_slots(gold, [["B-city", "I-city"]])["f1"] == 0
    assert measure_slots(gold, [["B-city", "B-city"]])["f1"] == 1


def test_an_entity_that_begins_inside_is_one() -> None:
    assert measure_slots([sentence("O", "B-city")], [["O", "I-city"]])["f1"] == 1


def test_texts_without_entities_give_zeros_and_a_token_report() -> None:
    figures = measure_slots([sentence("O", "O")], [["O", "O"]])

    assert (figures["f1"], figures["token_accuracy"], figures["kinds"]) == (0.0, 1.0, {})
    assert figures["tokens"]["O"]["support"] == 2
