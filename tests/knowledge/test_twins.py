"""Entries that ask nearly the same are found in an index, over the vectors that it has."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest

from fakes import FakeEncoder
from knowledge.build import arrange
from knowledge.index.snapshot import Snapshot
from knowledge.settings import RetrievalSettings
from knowledge.twins import NEAREST, Twins, find_twins
from knowledge.types import Encoder, Entry, Matrix, Passage, Source

FLAT = RetrievalSettings()
HNSW = RetrievalSettings(flat_up_to=10)
IVF = RetrievalSettings(flat_up_to=10, ivf_from=20)


def an_entry(name: str, *questions: str, locale: str = "en", source: Source = "faq") -> Entry:
    passage_id = f"faq:{name}" if source == "faq" else name
    return Entry(Passage(passage_id, f"Answer {name}.", questions[0], source, locale), questions)


def filler(count: int) -> list[Entry]:
    """Entries that have nothing in common; each says two of three words of its own in three ways."""
    chance = random.Random(7)
    found = []
    for number in range(count):
        one, two, three = ("".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=9)) for _ in range(3))
        found.append(an_entry(f"n{number}", f"{one} {two}", f"{two} {three}", f"{three} {one}"))
    return found


RETURNS = an_entry("returns", "how long can I return things", "can I return things, and how long")
SEND_BACK = an_entry("back", "return things: how long can I")


def snapshot_of(
    *entries: Entry, settings: RetrievalSettings = FLAT, encoder: Encoder | None = None
) -> Snapshot:
    return arrange(entries, encoder or FakeEncoder(), settings=settings)


def ids(found: Twins) -> list[tuple[str, str]]:
    return [(twin.one.passage.id, twin.other.passage.id) for twin in found.pairs]


@pytest.mark.parametrize("settings", [FLAT, HNSW, IVF])
def test_two_entries_that_ask_the_same_in_other_words_are_found_in_every_kind_of_index(
    settings: RetrievalSettings,
) -> None:
    snapshot = snapshot_of(*filler(80), RETURNS, SEND_BACK, settings=settings)

    found = find_twins(snapshot)

    assert ids(found) == [("faq:returns", "faq:back")]
    [twin] = found.pairs
    assert twin.wordings[1] == "return things: how long can I"
    assert twin.likeness >= 1
    assert found.entries == 82


def test_what_is_not_alike_is_not_listed() -> None:
    assert find_twins(snapshot_of(*filler(60))).pairs == ()


def test_nothing_is_encoded() -> None:
    class Silent(FakeEncoder):
        allowed = True

        def encode_queries(self, texts: object) -> Matrix:
            assert self.allowed
            return super().encode_queries(texts)  # type: ignore[arg-type]

        encode_passages = encode_queries

    encoder = Silent()
    snapshot = snapshot_of(RETURNS, SEND_BACK, encoder=encoder)
    Silent.allowed = False

    assert len(find_twins(snapshot).pairs) == 1


def test_equal_wordings_of_two_entries_are_as_like_as_can_be_and_come_first() -> None:
    copy = an_entry("copy", RETURNS.questions[0], RETURNS.questions[1])

    found = find_twins(snapshot_of(*filler(40), RETURNS, SEND_BACK, copy))

    assert ids(found)[0] == ("faq:returns", "faq:copy")
    assert found.pairs[0].likeness > found.pairs[1].likeness
    assert len(found.pairs) == 3


def test_entries_of_two_languages_and_pieces_of_documents_are_no_twins() -> None:
    same = RETURNS.questions[0]
    others = [an_entry("zh", same, locale="zh"), an_entry("doc:a.md#1", same, source="document")]

    found = find_twins(snapshot_of(RETURNS, *others))

    assert found.pairs == ()
    assert found.entries == 2


def test_regions_of_a_language_are_one_language() -> None:
    assert (
        len(
            find_twins(
                snapshot_of(RETURNS, replace(SEND_BACK, passage=replace(SEND_BACK.passage, locale="en-GB")))
            ).pairs
        )
        == 1
    )


def test_one_language_alone_can_be_asked_for() -> None:
    snapshot = snapshot_of(
        RETURNS, SEND_BACK, an_entry("zh1", "怎么退货", locale="zh"), an_entry("zh2", "怎么退货", locale="zh")
    )

    assert ids(find_twins(snapshot, locale="zh")) == [("faq:zh1", "faq:zh2")]
    assert len(find_twins(snapshot).pairs) == 2


def test_a_pair_that_the_company_tells_apart_by_a_negative_question_is_not_listed() -> None:
    told_apart = replace(SEND_BACK, negative_questions=(RETURNS.questions[1],))

    assert find_twins(snapshot_of(RETURNS, told_apart)).pairs == ()
    assert find_twins(snapshot_of(told_apart, RETURNS)).pairs == ()


def test_siblings_that_are_nearer_to_their_own_wordings_are_no_twins() -> None:
    gold = an_entry("gold", "how do I become a gold member", "how do I become a gold member, please")
    silver = an_entry("silver", "how do I become a silver member", "how do I become a silver member, please")

    assert find_twins(snapshot_of(gold, silver)).pairs == ()


def test_one_wording_that_a_broad_entry_has_among_its_own_is_a_twin_of_it() -> None:
    words = ["apples", "bread", "candles", "doors", "eggs", "flour", "grapes", "honey"]
    broad = an_entry("broad", *(f"do you sell {one} and {two}" for one, two in itertools.pairwise(words)))
    narrow = an_entry("narrow", "do you sell eggs and flour?")

    assert ids(find_twins(snapshot_of(*filler(30), broad, narrow))) == [("faq:broad", "faq:narrow")]


def test_many_entries_with_one_question_do_not_make_a_pair_of_each_two() -> None:
    copies = [an_entry(f"c{number}", "where is my parcel") for number in range(200)]

    pairs = find_twins(snapshot_of(*copies)).pairs

    assert 1 <= len(pairs) <= 200 * NEAREST


def test_entries_added_since_the_index_was_built_are_compared_too() -> None:
    old = snapshot_of(*filler(60), RETURNS, settings=HNSW)
    encoder = FakeEncoder()
    questions = [*old.texts.rows]
    grown = old.texts.vectors.extended(encoder.encode_queries([SEND_BACK.questions[0]]))

    scores, found = grown.neighbours(np.array([len(questions)]), 5)

    best = int(found[0][np.argsort(-scores[0])][1])
    assert grown.recent_rows == 1
    assert scores.shape == found.shape
    assert best in old.placed["faq:returns"].questions


def test_an_empty_index_has_no_twins() -> None:
    found = find_twins(snapshot_of())

    assert (found.pairs, found.entries) == ((), 0)
