"""Conversations become questions with answers; courtesy goes, and what the customer thought of it counts."""

from __future__ import annotations

import pytest
from data_cases import START

from chatbot.record.redaction import redact
from finetune.data.cleaning import asks_nothing, is_system, substance, tidy
from finetune.data.exchanges import Exchange, cleaned, exchanges
from finetune.data.values import Conversation, Said, SetAside
from knowledge.sources.places import Place

ANSWER = "You can return it within 30 days."


def talk(*said: str, **about: object) -> Conversation:
    messages = tuple(
        Said("customer" if place % 2 == 0 else "agent", text, START) for place, text in enumerate(said)
    )
    return Conversation("c", Place("log.jsonl", 3), messages, **about)  # type: ignore[arg-type]


def cut(conversation: Conversation) -> list[Exchange | SetAside]:
    clean = cleaned(conversation, redact)
    assert isinstance(clean, Conversation)
    return list(exchanges(clean))


def quality(*said: str, **about: object) -> float:
    [first, *_] = cut(talk(*said, **about))
    assert isinstance(first, Exchange)
    return first.quality


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("<p>Hello,<br>it is &amp; stays</p>", "Hello,\nit is & stays"),
        ("schÃ¶n", "schön"),
        ("[图片] 屏幕碎了", "屏幕碎了"),
        ("It is broken.\n-- \nAnna Smith\nAcme Ltd", "It is broken."),
        ("我要退货\n发自我的iPhone", "我要退货"),
        ("a < b and 3 > 2", "a < b and 3 > 2"),
        ("wheres my  order？？", "wheres my order？？"),
    ],
)
def test_a_message_is_tidied_and_the_customers_own_words_stay(raw: str, clean: str) -> None:
    assert tidy(raw) == clean


@pytest.mark.parametrize(
    "line",
    [
        "客服小禾已接入",
        "本次会话已结束",
        "Anna joined the chat",
        "This conversation was closed",
        "系统消息：排队中",
        "请对我的服务进行评价",
    ],
)
def test_lines_of_the_chat_system_are_no_talk(line: str) -> None:
    assert is_system(line)


@pytest.mark.parametrize(
    "line",
    [
        "我的会话怎么结束不了，帮我看看订单",
        "can someone join my family account?",
        "it was closed when I came",
    ],
)
def test_what_looks_like_a_system_line_is_kept(line: str) -> None:
    assert not is_system(line)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("您好，我是鹿米客服小禾，请稍等，帮您查一下~", ""),
        ("您好~可以退，30天内都行。祝您生活愉快！", "可以退，30天内都行。"),
        ("Hi! Let me look that up, one moment please.", ""),
        ("Hi Sam! It's free. Is there anything else I can help you with?", "It's free."),
        ("吸力8,000帕，1,200元。", "吸力8,000帕，1,200元。"),
        ("Hello! It is in your profile. ¥20 for Silver.", "It is in your profile. ¥20 for Silver."),
        ("I'm sorry to hear that. The lamp is replaced. Have a nice day!", "The lamp is replaced."),
    ],
)
def test_an_answer_is_what_remains_without_courtesy(said: str, kept: str) -> None:
    assert substance(said) == kept


@pytest.mark.parametrize("text", ["您好", "hello??", "👍", "谢谢", "ok", "bye"])
def test_greetings_and_thanks_ask_nothing(text: str) -> None:
    assert asks_nothing(text)


@pytest.mark.parametrize(
    "text", ["收到的电脑外壳有一道划痕", "hello, where is my order", "好的 那能选时间吗"]
)
def test_a_question_behind_a_greeting_is_one(text: str) -> None:
    assert not asks_nothing(text)


def test_messages_sent_in_a_row_are_one_turn_and_the_context_goes_along() -> None:
    messages = [
        Said("customer", "hi"), Said("customer", "can I return the lamp?"), Said("customer", "it is open"),
        Said("agent", "Hello!"), Said("agent", ANSWER), Said("customer", "and the kettle, is that 30 days too?"), Said("agent", "The kettle has 14 days."),
    ]  # fmt: skip

    first, second = cut(Conversation("c", Place("x"), tuple(messages)))

    assert isinstance(first, Exchange)
    assert isinstance(second, Exchange)
    assert first.asked.text == "can I return the lamp?\nit is open"
    assert first.context == ()
    assert [role for role, _ in second.context] == ["user", "assistant"]
    assert second.answer == "The kettle has 14 days."


def test_stars_resolution_and_the_next_words_of_the_customer_make_the_quality() -> None:
    ask = "can I return the opened lamp?"

    assert quality(ask, ANSWER) == 0.5
    assert quality(ask, ANSWER, satisfaction=1.0, resolved=True) == 1.0
    assert quality(ask, ANSWER, "great, thanks!") == 1.0
    assert quality(ask, ANSWER, "that's not what I asked", "…", satisfaction=1.0) == pytest.approx(1 / 3)
    assert quality(ask, ANSWER, ask, "…") == 0.0
    assert quality(ask, ANSWER, satisfaction=0.0, resolved=False) == 0.0


@pytest.mark.parametrize(
    ("asked", "answered", "why"),
    [
        ("my order has not come", "Could you send me your order number?", "asks back"),
        ("快递什么时候到啊", "请提供您的订单号", "asks back"),
        ("does it support matter", "我问一下产品同事再回您。", "puts off"),
        ("how do I return it", "Hi! One moment please.", "courtesy"),
        ("hello", ANSWER, "asks nothing"),
        ("LM2026010033", ANSWER, "no question"),
    ],
)
def test_what_is_no_question_or_no_answer_is_set_aside_with_the_reason(
    asked: str, answered: str, why: str
) -> None:
    [one] = cut(talk(asked, answered))

    assert isinstance(one, SetAside)
    assert why in one.why
    assert (one.place.line, one.conversation_id) == (3, "c")


@pytest.mark.parametrize(
    "answer",
    ["开具后30天内可以换开1次，「我的订单 > 申请发票 > 换开」。", "请把照片发到邮箱，我们48小时内补发。"],
)
def test_an_answer_that_only_looks_like_asking_back_is_kept(answer: str) -> None:
    [one] = cut(talk("發票抬頭打錯一個字，可以重開嗎", answer))

    assert isinstance(one, Exchange)


def test_personal_data_is_masked_before_anything_else_is_done() -> None:
    clean = cleaned(talk("call me on 13800138000, where is my lamp?", ANSWER), redact)

    assert isinstance(clean, Conversation)
    assert "13800138000" not in repr(clean)
    assert "[phone]" in clean.messages[0].text
