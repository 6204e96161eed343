from __future__ import annotations

from pathlib import Path

import pytest

from fakes import FakeEncoder
from knowledge.build import arrange
from knowledge.errors import KnowledgeError
from knowledge.evaluate import (
    Found,
    Judged,
    Measures,
    by_length,
    confusions,
    evaluate,
    measure,
    read_judged,
    thirds,
)
from knowledge.search import SnapshotRetriever
from knowledge.settings import RetrievalSettings
from knowledge.types import Entry, Passage


def test_measures_are_those_of_the_textbook() -> None:
    [m] = measure([(["x", "a", "y", "b", "z", "c"], frozenset("abcd"))])

    assert m.p_at_1 == 0.0
    assert m.recall_at_5 == 0.5
    assert m.mrr_at_10 == 0.5
    assert m.map == pytest.approx((1 / 2 + 2 / 4 + 3 / 6) / 4)
    assert m.ndcg_at_10 == pytest.approx((0.6309298 + 0.4306766 + 0.3562072) / 2.5616063)


def test_a_perfect_list_scores_1_and_an_empty_one_0() -> None:
    perfect, empty, late = measure(
        [(["a"], frozenset("a")), ([], frozenset("a")), ([*"bcdefghijk", "a"], frozenset("a"))]
    )

    assert perfect == Measures(1.0, 1.0, 1.0, 1.0, 1.0)
    assert empty == Measures(0.0, 0.0, 0.0, 0.0, 0.0)
    assert late.mrr_at_10 == 0.0
    assert late.map == pytest.approx(1 / 11)


def test_questions_without_an_answer_are_left_out_of_the_means() -> None:
    encoder = FakeEncoder()
    entries = [Entry(Passage("faq:a", "A.", "Alpha?", "faq", "en"), ("Alpha?",))]
    retriever = SnapshotRetriever(arrange(entries, encoder, settings=RetrievalSettings()), encoder)

    quality = evaluate(retriever, [Judged("alpha", frozenset({"faq:a"})), Judged("beta", frozenset())])

    assert (quality.n, quality.p_at_1, quality.map) == (1, 1.0, 1.0)
    assert 0 < quality.ms_p50 <= quality.ms_p99
    with pytest.raises(KnowledgeError, match="relevant_ids"):
        evaluate(retriever, [Judged("beta", frozenset())])


def test_judged_questions_are_read_from_csv(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text("\ufeffquery,relevant_ids\nhow?,a b\nwhat?,\n", "utf-8")

    assert read_judged(path) == [
        Judged("how?", frozenset({"faq:a", "faq:b"})),
        Judged("what?", frozenset()),
    ]


@pytest.mark.parametrize("content", [b"", b"question,answer\na,b\n", b"query,relevant_ids\n\xff\xff,a\n"])
def test_a_file_that_is_not_judged_questions_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "q.csv"
    path.write_bytes(content)

    with pytest.raises(KnowledgeError, match=str(path)):
        read_judged(path)
    with pytest.raises(KnowledgeError, match="cannot be read"):
        read_judged(tmp_path / "gone.csv")


def _found(query: str, first: str, wanted: str = "a") -> Found:
    return Found(Judged(query, frozenset({wanted})), (first, "z"), 1.0)


def test_questions_are_told_apart_by_their_length() -> None:
    found = [_found("x" * size, "a" if size < 10 else "b") for size in (5, 15, 40) for _ in range(20)]

    by = by_length(found)

    assert {name: (part.n, part.p_at_1) for name, part in by.items()} == {
        "short": (20, 1.0),
        "middling": (20, 0.0),
        "long": (20, 0.0),
    }
    assert thirds(["好" * 5, "x" * 10] * 30) == ["short"] * 60
    assert by_length(found[:59]) == {}


def test_what_is_found_instead_is_counted_by_pairs() -> None:
    found = [_found("1", "b"), _found("2", "b"), _found("3", "c"), _found("4", "a")]

    assert confusions(found, {"a": "How to pay?", "b": "Who pays?"}) == {
        "How to pay? → Who pays?": 2,
        "How to pay? → ?": 1,
    }
    assert list(confusions(found, {}, most=1).values()) == [3]
