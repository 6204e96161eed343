"""Which questions a message asks."""

from __future__ import annotations

import pytest

from chatbot.understand.several import questions_in


@pytest.mark.parametrize(
    ("text", "questions"),
    [
        (
            "Can I change the address of my order? And do you ship power banks to Macao?",
            ["Can I change the address of my order?", "do you ship power banks to Macao?"],
        ),
        (
            "do you have a store in Beijing and can I pay with PayPal",
            ["do you have a store in Beijing", "can I pay with PayPal"],
        ),
        ("耳机保修多久？另外学生买电脑有优惠吗？", ["耳机保修多久？", "学生买电脑有优惠吗？"]),
        ("怎么开发票，还有积分怎么用", ["怎么开发票", "积分怎么用"]),
    ],
)
def test_questions_that_stand_alone_are_parted(text: str, questions: list[str]) -> None:
    assert questions_in(text) == questions


@pytest.mark.parametrize(
    "text",
    [
        "Do you ship abroad? How much is it?",  # the second leans on the first
        "Hello! How are you? I paid and got no order.",
        "where is my order",
        "能退货吗？",
        "你好，在吗？我想问下怎么退货",
        "配送要多久？多少钱？",
        "a? b? c? d? e?",
    ],
)
def test_one_question_or_one_that_leans_on_another_is_left_whole(text: str) -> None:
    assert questions_in(text) == []
