"""Twins with the real encoder, among the demo's entries, which are siblings on purpose."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from importlib.resources import files

import pytest

from knowledge.build import arrange
from knowledge.settings import RetrievalSettings
from knowledge.twins import find_twins
from knowledge.types import Encoder, Entry, Passage

pytestmark = pytest.mark.models
CUT = slice(5, 8)


def entries_of(locale: str) -> Iterator[Entry]:
    """The first hundred; of every fifth three wordings are an entry of their own."""
    text = files("knowledge").joinpath(f"data/demo/faq_{locale}.csv").read_text("utf-8")
    for number, row in enumerate(csv.DictReader(text.splitlines()[:101])):
        questions = (row["question"], *row["similar_questions"].split("##"))
        passage = Passage(f"faq:{row['id']}", row["answer"], row["question"], "faq", locale)
        if number % 5:
            yield Entry(passage, questions)
            continue
        yield Entry(passage, questions[: CUT.start] + questions[CUT.stop :])
        cut = Passage(f"faq:{row['id']}/cut", "Another answer.", questions[CUT.start], "faq", locale)
        yield Entry(cut, questions[CUT])


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_about_half_of_what_is_listed_was_one_entry_and_a_good_part_of_that_is_listed(
    locale: str, encoder: Encoder
) -> None:
    snapshot = arrange(entries_of(locale), encoder, settings=RetrievalSettings())

    pairs = find_twins(snapshot).pairs

    right = [twin for twin in pairs if twin.other.passage.id == f"{twin.one.passage.id}/cut"]
    assert len(right) >= 5
    assert len(right) >= 0.45 * len(pairs)
