"""What a customer is told when something is in the way, in their language."""

from __future__ import annotations

from typing import Literal, TypeAlias

from starlette.datastructures import Headers
from starlette.types import Scope

Phrase: TypeAlias = Literal[
    "too_long",
    "empty",
    "busy",
    "too_many",
    "in_line",
    "closing",
    "failed",
    "store",
    "late",
    "key_used",
    "answering",
]

_WORDS: dict[Phrase, tuple[str, str]] = {
    "too_long": (
        "Your message has {length} characters; please keep it under {limit}, or send it in parts.",
        "您的消息有 {length} 个字，请控制在 {limit} 字以内，或分几条发送。",
    ),
    "empty": ("Please write a message first.", "请先输入您的问题。"),
    "busy": (
        "Many people are asking at the moment. Please send your message again in a few seconds.",
        "当前咨询人数较多，请几秒后再发送。",
    ),
    "too_many": (
        "That was a lot of messages in a short time. Please wait {seconds} s and try again.",
        "您发送得有点快，请 {seconds} 秒后再试。",
    ),
    "in_line": (
        "Your earlier messages are still being answered. Please wait for the reply.",
        "您之前的消息还在处理中，请稍候。",
    ),
    "closing": (
        "The service restarts. Please send your message again in a moment.",
        "服务正在重启，请稍后重新发送。",
    ),
    "failed": (
        "Something went wrong on our side. Please try again; if it stays, tell us the request id.",
        "我们这边出了点问题，请重试；如果一直这样，请把请求编号告诉我们。",
    ),
    "store": (
        "Your message could not be saved, so it was not answered. Please send it again in a moment.",
        "您的消息暂时无法保存，因此没有处理，请稍后重新发送。",
    ),
    "late": (
        "The answer took too long. Please send your message again.",
        "回复超时了，请重新发送您的消息。",
    ),
    "key_used": (
        "This key was used for another message. Use a new key for a new message.",
        "该键已用于另一条消息，新消息请使用新的键。",
    ),
    "answering": (
        "This message is being answered right now. Ask again in a moment with the same key.",
        "这条消息正在处理中，请稍后用同一个键再取回复。",
    ),
}


def say(phrase: Phrase, language: str, **values: object) -> str:
    """The sentence in "zh" or, for any other language, in English."""
    english, chinese = _WORDS[phrase]
    return (chinese if language == "zh" else english).format(**values)


def language_of(scope: Scope) -> str:
    """The language the browser asks for: "zh" when it names Chinese before English, else "en"."""
    accepted = Headers(scope=scope).get("accept-language", "").lower()
    chinese, english = accepted.find("zh"), accepted.find("en")
    return "zh" if chinese >= 0 and (english < 0 or chinese < english) else "en"
