import pytest
from answer_cases import EN, ZH

from chatbot.answer.extract import extract, is_short


@pytest.mark.parametrize(
    ("question", "passage", "answer"),
    [
        ("can i return opened earphones", EN[0], "Opened earphones and memory cards cannot be returned for hygiene and data reasons."),
        ("do you ship to po boxes", EN[1], "We do not deliver to PO boxes."),
        ("how do I claim, where do I send the invoice", EN[2], "To claim, send a photo of the defect and the invoice to service@example.com."),
        ("退货运费谁出", ZH[0], "商品有质量问题时退货运费由我们承担，其他情况将从退款中扣除15元运费。"),
        ("加急配送多少钱", ZH[1], "加急配送需要1到2个工作日，费用为25元。"),
        ("进水了保修吗", ZH[2], "保修涵盖制造缺陷，不包括摔落或进水造成的损坏。"),
    ],
)  # fmt: skip
def test_the_sentence_that_shares_the_question_s_words_is_the_answer(question, passage, answer) -> None:  # type: ignore[no-untyped-def]
    assert extract(question, passage.text) == answer


def test_a_passage_is_shown_whole_when_no_sentence_stands_out() -> None:
    assert extract("how long do I have to send something back?", EN[0].text) == EN[0].text
    assert extract("", EN[0].text) == EN[0].text


def test_a_short_passage_is_shown_whole() -> None:
    assert is_short("Yes. Always.")
    assert is_short("好的。可以。没问题。")
    assert not is_short(EN[0].text)


def test_a_list_comes_with_the_line_that_announces_it() -> None:
    text = (
        "Opening hours are printed on the door of each of our shops in the city. "
        "For a warranty claim you need:\n- the invoice\n- a photo of the defect\n- the serial number\n\n"
        "Shops are closed on public holidays. Parking is free."
    )
    listed = "For a warranty claim you need:\n- the invoice\n- a photo of the defect\n- the serial number"

    assert extract("what do I need for a warranty claim", text) == listed
    assert extract("do you need the serial number", text) == listed


def test_an_exception_and_a_sentence_leaned_on_come_along() -> None:
    text = (
        "Shops open at nine. Gift cards can be refunded within 14 days. However, opened ones cannot. "
        "A deposit is taken for rented cameras. It is given back after inspection. We are happy to help you at any time."
    )

    assert (
        extract("refund of gift cards", text)
        == "Gift cards can be refunded within 14 days. However, opened ones cannot."
    )
    assert (
        extract("inspection, given back?", text)
        == "A deposit is taken for rented cameras. It is given back after inspection."
    )


def test_a_row_of_a_table_answers_by_itself_and_a_numbered_item_with_its_list() -> None:
    text = (
        "Case: Return without reason; Period: 15 days; Cost: see section 4\n"
        "Case: Activated phones; Period: 7 days; Cost: 5% restocking fee\n"
        "Case: Faulty items; Period: 30 days; Cost: all paid by us\n\n"
        "1. Gift cards, software keys and cloud storage;\n2. engraved goods;\n3. display models.\n\nAsk us."
    )

    assert (
        extract("restocking fee of activated phones", text)
        == "Case: Activated phones; Period: 7 days; Cost: 5% restocking fee"
    )
    assert extract("engraved goods", text).splitlines() == [
        "1. Gift cards, software keys and cloud storage;",
        "2. engraved goods;",
        "3. display models.",
    ]
