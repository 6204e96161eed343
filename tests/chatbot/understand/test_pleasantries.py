"""Messages that want nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from understand_turns import turn

from chatbot.types import Handoff
from chatbot.understand import acts
from chatbot.understand.intent import Guess
from chatbot.understand.smalltalk import is_smalltalk, pleasantry_in

BEFORE = turn("where is my order")
HANDED_OVER = replace(BEFORE, decision=Handoff("requested"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("好 我再想想", "acknowledge"),
        ("知道了", "acknowledge"),
        ("好嘞 下次还来", "acknowledge"),
        ("ok got it", "acknowledge"),
        ("fair enough", "acknowledge"),
        ("fair enough, bye lumi", "goodbye"),
        ("you've been lovely, bye!", "goodbye"),
        ("Thank you, very helpful", "thanks"),
        ("thanks for your help", "thanks"),
        ("谢谢你的耐心解答", "thanks"),
        ("好嘞谢啦", "thanks"),
        ("cool, have a nice day", "goodbye"),
        ("嗯嗯知道了 谢谢 88", "goodbye"),
        ("thanks a lot", "thanks"),
        ("没了 谢谢哈", "thanks"),
        ("没别的了，多谢", "thanks"),
    ],
)
def test_who_only_says_that_they_heard_wants_nothing(text: str, kind: str) -> None:
    assert pleasantry_in(text, BEFORE) == kind


@pytest.mark.parametrize(
    "text",
    ["好的，那帮我取消吧", "ok cancel it", "行，LM2026110012", "好的多久能到？", "oklahoma", "ok how much", "我的订单呢", "包裹没了 谢谢", "代取行吗 谢谢~", "价格88", "尺寸 88", "降了88"],
)  # fmt: skip
def test_a_wish_with_an_ok_before_it_is_a_wish(text: str) -> None:
    assert pleasantry_in(text, BEFORE) is None


def test_nothing_is_acknowledged_before_anything_was_said() -> None:
    assert pleasantry_in("ok", None) is None


def test_a_number_left_after_a_handoff_is_noted_and_at_other_times_is_none_of_this() -> None:
    assert pleasantry_in("打我手机13800138000吧", HANDED_OVER) == "contact_noted"
    assert pleasantry_in("me@example.com", HANDED_OVER) == "contact_noted"
    assert pleasantry_in("打我手机13800138000吧", BEFORE) is None


def test_who_asks_what_it_is_good_for_does_not_praise() -> None:
    praise = Guess("smalltalk.praise", 0.9, {})

    assert is_smalltalk(praise, "你真好")
    assert not is_smalltalk(praise, "有啥好处")
    assert is_smalltalk(Guess("smalltalk.bot_identity", 0.9, {}), "are you a robot?")


@pytest.mark.parametrize(
    "text", ["good, didnt give it to them. ty", "nah ill keep it. thx", "爱了 辛苦啦", "那我等着 谢谢"]
)
def test_thanks_are_heard_among_other_words(text: str) -> None:
    assert acts.courteous(text)


@pytest.mark.parametrize(
    "text",
    [
        "取消订单 谢谢",
        "can i pay on delivery, thanks",
        "please send it again, thanks",
        "LM2026110038，辛苦您了",
        "it is broken",
    ],
)
def test_thanks_for_what_is_wanted_are_no_thanks(text: str) -> None:
    assert not acts.courteous(text)
