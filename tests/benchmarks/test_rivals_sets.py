"""The sets of the comparison are drawn the same way every time, and never lose an entry that answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.rivals.sets import MissingDataError, faq_sets, intent_sets, read_rows, sample, write_rows


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A tiny copy of the public sets' layout."""
    root = tmp_path / "data"
    for folder in (
        "faq/stackfaq_en", "faq/bank_zh", "faq/covid_en", "faq/travel_14k_en",
        "dialogue/hotels_restaurants_en", "intents/banking77", "intents/clinc150",
    ):  # fmt: skip
        (root / folder).mkdir(parents=True)
    entry, asked = ("id", "question", "answer"), ("query", "relevant_ids")
    for name in ("stackfaq_en", "bank_zh"):
        write_rows(root / f"faq/{name}/faq.csv", entry, [("a", "How?", "So."), ("b", "When?", "Now.")])
        write_rows(root / f"faq/{name}/queries.csv", asked, [(f"how {n}", "a") for n in range(9)])
    write_rows(root / "faq/covid_en/faq.csv", entry, [("c0", "What is it?", "A virus.")])
    write_rows(
        root / "faq/covid_en/similar_pairs.csv",
        ("question_1", "question_2", "similar"),
        [
            ("What is it?", "What might it be?", "1"),
            ("What is it?", "Who are you?", "0"),
            ("Else?", "Other?", "1"),
        ],
    )
    bank = [(f"d{n}", f"HOTEL {n}: Pets?", f"No pets in {n}.") for n in range(50)]
    write_rows(root / "faq/travel_14k_en/faq.csv", entry, bank)
    hotels = root / "dialogue/hotels_restaurants_en"
    write_rows(
        hotels / "faq.csv", entry, [("h1", "Hotel 7: Pets?", "No pets in 7."), ("h2", "Elsewhere?", "No.")]
    )
    turns = [{"role": "user", "text": f"turn {n}"} for n in range(5)]
    told = [{"turns": turns, "relevant_ids": ["h1", "h2"]}, {"turns": turns, "relevant_ids": ["h2"]}]
    (hotels / "dialogues.jsonl").write_text("\n".join(map(json.dumps, told)), "utf-8")
    labels = ("text", "intent")
    for name in ("banking77", "clinc150"):
        write_rows(root / f"intents/{name}/train_10shot.csv", labels, [("hello", "greet")])
        write_rows(
            root / f"intents/{name}/test.csv",
            labels,
            [(f"text {n}", "oos" if n % 3 else "greet") for n in range(9)],
        )
    return root


def test_a_sample_keeps_the_order_and_equal_seeds_draw_equally() -> None:
    drawn = sample(range(100), 10, seed=3)

    assert drawn == sample(range(100), 10, seed=3) == sorted(drawn)
    assert drawn != sample(range(100), 10, seed=4)
    assert sample([1, 2], 0, seed=0) == sample([1, 2], 5, seed=0) == [1, 2]


def test_entries_that_answer_are_never_left_out_of_a_sampled_set(data: Path, tmp_path: Path) -> None:
    travel = faq_sets(data, tmp_path, seed=1, entries=5, questions=0)[-1]

    entries, asked = read_rows(travel.faq), read_rows(travel.queries)
    assert len(entries) == 5
    assert asked == [{"query": "turn 2 turn 3 turn 4", "relevant_ids": "d7"}]
    assert "d7" in {row["id"] for row in entries}


def test_paraphrases_judged_similar_become_questions(data: Path, tmp_path: Path) -> None:
    covid = faq_sets(data, tmp_path, seed=1, entries=5, questions=0)[2]

    assert read_rows(covid.queries) == [{"query": "What might it be?", "relevant_ids": "c0"}]


def test_a_note_tells_when_questions_were_sampled_and_whole_sets_are_read_in_place(
    data: Path, tmp_path: Path
) -> None:
    whole, _, *_ = faq_sets(data, tmp_path, seed=1, entries=5, questions=0)
    drawn, bank, *_ = faq_sets(data, tmp_path, seed=1, entries=5, questions=4)

    assert whole.queries == data / "faq/stackfaq_en/queries.csv"
    assert "4 of 9 questions drawn with seed 1" in drawn.note
    assert len(read_rows(drawn.queries)) == 4
    assert not bank.answers_tell


def test_out_of_scope_texts_of_a_sampled_test_are_counted_in_its_note(data: Path, tmp_path: Path) -> None:
    banking, clinc = intent_sets(data, tmp_path, seed=1, texts=6)

    rows = read_rows(clinc.test)
    outside = sum(row["intent"] == "oos" for row in rows)
    assert len(rows) == 6
    assert f"6 of 9 test rows drawn with seed 1, {outside} of them out of scope" in clinc.note
    assert banking.test == data / "intents/banking77/test.csv"


def test_a_missing_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"faq\.csv"):
        faq_sets(tmp_path, tmp_path, seed=1, entries=5, questions=0)
