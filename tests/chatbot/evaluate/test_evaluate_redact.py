from __future__ import annotations

import pytest

from chatbot.evaluate.redact import Marked, marked_of, measure_redaction
from knowledge.errors import KnowledgeError


def test_recall_and_precision_are_counted_by_kind_and_over_all() -> None:
    marked = [
        Marked("我的手机号是13800138000", ((6, 17, "PHONE_NUMBER"),)),
        Marked("mail anna@example.com, I am Anna", ((5, 21, "EMAIL_ADDRESS"), (28, 32, "PERSON"))),
        Marked("call 13900139000", ()),
    ]

    figures = measure_redaction(marked)

    assert figures["recall"] == 2 / 3
    assert figures["recall_promised"] == 1.0
    assert figures["precision"] == 2 / 3
    assert figures["recall_by_kind"]["PERSON"] == {"recall": 0.0, "spans": 1, "promised": False}
    assert figures["precision_by_kind"]["phone"] == {"precision": 1 / 2, "masked": 2}


def test_half_a_span_is_enough_and_less_is_not() -> None:
    text = "mail anna@example.com now and then or never"

    half = measure_redaction([Marked(text, ((5, 37, "EMAIL"),))])
    less = measure_redaction([Marked(text, ((5, 38, "EMAIL"),))])

    assert (half["recall"], less["recall"]) == (1.0, 0.0)


def test_what_was_not_there_has_no_share() -> None:
    figures = measure_redaction([Marked("hello", ())])

    assert (figures["recall"], figures["precision"]) == (None, None)


@pytest.mark.parametrize("span", [[0, 9, "PHONE"], [3, 2, "PHONE"], [0, 1], "x", [0.5, 1, "PHONE"]])
def test_a_span_that_is_none_is_refused_with_its_row(span: object) -> None:
    with pytest.raises(KnowledgeError, match="Row 1"):
        marked_of([{"text": "hello", "spans": [span]}])
