from hypothesis import given
from hypothesis import strategies as st

from chatbot.answer.sentences import arriving, spans, split


def test_english_and_chinese_sentences_end_where_people_end_them() -> None:
    text = "Delivery takes 3.5 days, e.g. on Monday. Free! See https://a.example.com/x.html now. “好的。”请联系 a.b@c.com。"

    assert split(text) == [
        "Delivery takes 3.5 days, e.g. on Monday.",
        "Free!",
        "See https://a.example.com/x.html now.",
        "“好的。”",
        "请联系 a.b@c.com。",
    ]


def test_list_items_and_paragraphs_are_sentences_but_wrapped_lines_are_not() -> None:
    text = "You need:\n- the invoice\n- a photo\n\nSend both\nby e-mail"

    assert split(text) == ["You need:", "- the invoice", "- a photo", "Send both\nby e-mail"]


def test_a_sentence_is_given_out_as_soon_as_its_end_is_certain() -> None:
    heard: list[str] = []

    def pieces():  # type: ignore[no-untyped-def]
        for piece in ("Deliv", "ery takes 3", ".5 days. It's", " free, e.g", ". now", "! Ok"):
            heard.append(piece)
            yield piece

    stream = arriving(pieces())

    assert next(stream) == "Delivery takes 3.5 days."
    assert heard[-1] == ".5 days. It's"
    assert list(stream) == ["It's free, e.g. now!", "Ok"]


@given(st.text(alphabet='ab .!?。！\n-”"', max_size=80))
def test_no_letter_is_lost_or_moved(text: str) -> None:
    letters = [char for char in text if not char.isspace()]

    assert [char for start, end in spans(text) for char in text[start:end] if not char.isspace()] == letters
    assert [char for piece in arriving(text) for char in piece if not char.isspace()] == letters
