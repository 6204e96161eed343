"""Follow-ups as edits: units, what a person's rewrite needs, and the text that comes out."""

from __future__ import annotations

import pytest

from chatbot.evaluate.rewrite import FollowUp
from chatbot.understand.edits import Insertion, edited, units_of, written
from finetune.edits import edits_of, glue_of


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("那iPhone6呢?", ["那", "iPhone6", "呢", "?"]),
        ("what's the e-mail of no. 5", ["what's", "the", "e-mail", "of", "no", ".", "5"]),
        ("  ", []),
    ],
)
def test_words_signs_and_single_chinese_characters_are_units(text: str, units: list[str]) -> None:
    assert units_of(text) == units


def test_words_are_written_apart_and_chinese_characters_are_not() -> None:
    assert written(units_of("Can I  return the iPhone 6 , please ?")) == "Can I return the iPhone 6, please?"
    assert written(units_of("iPhone 6 能 退 吗 ？")) == "iPhone 6能退吗？"


@pytest.mark.parametrize(
    ("context", "current", "rewrite"),
    [
        (("路明非老婆是谁", "黑王"), "我是说他老婆是谁", "我是说路明非老婆是谁"),
        (("惠州有什么好玩的", "有西湖"), "那有什么好吃的", "惠州有什么好吃的"),
        (("Can I return a phone?", "Yes, within 30 days."), "and a laptop?", "Can I return a laptop?"),
        (("Where is Kirkwood?",), "Is it open?", "Is Kirkwood open?"),
        (("你好",), "怎么退货", "怎么退货"),
    ],
)
def test_the_edits_between_a_message_and_its_rewrite_make_the_rewrite(
    context: tuple[str, ...], current: str, rewrite: str
) -> None:
    edits = edits_of(FollowUp(context, current, rewrite), [])

    assert edits is not None
    put = [Insertion(one.gap, one.words) for one in edits.put]
    assert edited(units_of(current), edits.kept, put) == rewrite
    said = [units_of(text) for text in (*context, current)]
    for one in edits.put:
        for source in one.sources:
            assert tuple(said[source.utterance][source.first : source.last + 1]) == one.words


def test_a_word_that_nobody_said_must_be_glue() -> None:
    one = FollowUp(("枸杞",), "泡水", "枸杞的泡水")
    assert edits_of(one, []) is None
    edits = edits_of(one, ["的"])
    assert edits is not None
    assert [put.words for put in edits.put] == [("枸", "杞"), ("的",)]
    assert glue_of([one] * 4) == []
    assert glue_of([one] * 5) == ["的"]
