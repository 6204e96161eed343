from __future__ import annotations

from fakes import FakeEncoder
from knowledge.fusion import FAQ
from knowledge.settings import RetrievalSettings
from knowledge.tune import fit_weights
from knowledge.types import Entry, Passage

SETTINGS = RetrievalSettings()


def test_few_wordings_leave_the_shipped_weights() -> None:
    entries = [Entry(Passage("faq:a", "A.", "Alpha?", "faq", "en"), ("Alpha?", "alfa?"))]

    weights, why = fit_weights(entries, FakeEncoder(), settings=SETTINGS, seed=0)

    assert weights is None
    assert "1 wordings can be held back" in why


def test_weights_that_find_held_back_wordings_better_replace_the_shipped_ones() -> None:
    # Only the answers say what an entry is about; its question names another one.
    names = [f"{a}{b}" for a in ("kolo", "mira", "tezu", "bafi", "rony", "gupe") for b in "abcdefghijkl"]
    entries = [
        Entry(
            Passage(f"faq:{n}", f"{n} and {n}", f"about {names[i - 7]}", "faq", "en"),
            (f"about {names[i - 7]}", f"what of {n}"),
        )
        for i, n in enumerate(names)
    ]

    weights, why = fit_weights(entries, FakeEncoder(), settings=SETTINGS, seed=0)
    again, _ = fit_weights(entries, FakeEncoder(), settings=SETTINGS, seed=0)

    assert weights is not None
    assert weights.answer + weights.bm25 > FAQ.answer + FAQ.bm25
    assert "fitted weights: +" in why
    assert weights == again


def test_weights_that_are_no_better_leave_the_shipped_ones() -> None:
    entries = [
        Entry(Passage(f"faq:{i}", f"a{i}", f"word{i}", "faq", "en"), (f"word{i}", f"word{i} again"))
        for i in range(80)
    ]

    weights, why = fit_weights(entries, FakeEncoder(), settings=SETTINGS, seed=0)

    assert weights is None
    assert "no measurable gain" in why
