"""What the dialogue model is asked.

A model that nobody fine-tuned gets the passages and the question after two examples: they teach a base model,
which follows patterns and not orders, to answer with the words of the text. They come first and never change, so
that the prompt cache holds them. A model that was fine-tuned by `kefu train dialogue` gets what it was trained on:
`reading`, and `standalone`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from langchain_core.messages import BaseMessage
from langchain_core.prompts import ChatPromptTemplate

from chatbot.answer.sentences import spans
from knowledge.types import Passage

_EN = ChatPromptTemplate.from_messages(
    [
        (
            "system",
            "You are a customer service assistant. Answer each question in one or two sentences with the words of the text.",
        ),
        (
            "human",
            (
                "Text: Our shop in Berlin opens Monday to Saturday from 10 am to 8 pm. Parking is free for 2 hours. Dogs are not allowed inside.\n"
                "Question: can I bring my dog\nAnswer:"
            ),
        ),
        ("ai", "Dogs are not allowed inside."),
        (
            "human",
            (
                "Text: A gift card is valid for 3 years. It can be used online and in shops. Lost cards can be replaced if you have the receipt. To check the balance, open the page My cards.\n"
                "Question: how do i see how much is left on my gift card?\nAnswer:"
            ),
        ),
        ("ai", "To check the balance, open the page My cards."),
        ("human", "Text: {text}\nQuestion: {question}\nAnswer:"),
    ]
)
_ZH = ChatPromptTemplate.from_messages(
    [
        ("system", "你是客服助手，用资料中的原话以一两句话回答问题。"),
        (
            "human",
            "资料：门店营业时间为周一至周六10点到20点。停车2小时内免费。宠物不得入内。\n问题：可以带狗进去吗\n回答：",
        ),
        ("ai", "宠物不得入内。"),
        (
            "human",
            (
                "资料：礼品卡有效期为3年。礼品卡可在网上和门店使用。凭购买小票可以补办遗失的礼品卡。查询余额请打开“我的卡包”页面。\n"
                "问题：礼品卡里还剩多少钱怎么看？\n回答："
            ),
        ),
        ("ai", "查询余额请打开“我的卡包”页面。"),
        ("human", "资料：{text}\n问题：{question}\n回答："),
    ]
)
_WIDTH = {"en": 1400, "zh": 700}
"""Characters of all passages together: about 350 tokens, half a second of reading on two cores."""


GROUNDED = "grounded-2"
"""Name of this form of prompt; `metrics.json` of a dialogue model that learned it says so."""
GROUNDED_END, STANDALONE_END = "Answer:", "Question:"
"""Where the fine-tuned model goes on: with the sentence that answers, or with NONE."""
NONE = "None"
"""Written where none of the sentences tells."""
_CHAT_LINES = 4
_CHAT_WIDTH = 400
_SENTENCE_WIDTH = 500


def reading(question: str, sentences: Sequence[Passage], chat: Sequence[str]) -> str:
    """The whole prompt of the fine-tuned model: the sentences, then the conversation and where the answer begins.

    Args:
        question: The customer's message.
        sentences: What may answer, the likeliest first, each with the title that it stands under.
        chat: What was said before: customer, bot, customer, bot.
    """
    lines = (f"- {_line(one.title)[:60]}: {_line(one.text)[:_SENTENCE_WIDTH]}\n" for one in sentences)
    return f"{''.join(lines)}\n{_said(question, chat)}{GROUNDED_END}"


def standalone(question: str, chat: Sequence[str]) -> str:
    """The conversation, and where the message begins as a question that stands alone."""
    return f"{_said(question, chat)}{STANDALONE_END}"


def _said(question: str, chat: Sequence[str]) -> str:
    lines = [*(_line(text)[:_CHAT_WIDTH] for text in chat[-_CHAT_LINES:]), _line(question)[:300]]
    speakers = ("Customer", "Agent")
    return "".join(f"{speakers[place % 2]}: {text}\n" for place, text in enumerate(lines))


def messages(question: str, passages: Sequence[Passage], language: str) -> list[BaseMessage]:
    """The messages for one question; the customer's words stand in one line and are never a template."""
    template, room = (_EN, _WIDTH["en"]) if language == "en" else (_ZH, _WIDTH["zh"])
    texts = [_line(passage.text) for passage in _with_room(passages, room)]
    return template.format_messages(text=" ".join(texts), question=_line(question)[:300])


def _with_room(passages: Sequence[Passage], room: int) -> list[Passage]:
    """The passages as far as their texts together fit into so many characters."""
    fitting = []
    for passage in passages:
        text = _fitting(passage.text, room)
        room -= len(text)
        if text:
            fitting.append(replace(passage, text=text))
    return fitting


def _fitting(text: str, room: int) -> str:
    """As many whole sentences from the beginning as there is room for."""
    ends = [end for _, end in spans(text) if end <= room]
    return text[: ends[-1]] if ends else ""


def _line(text: str) -> str:
    return " ".join(text.split())
