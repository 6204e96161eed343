"""Stored texts as replies: byte for byte, with their source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from chatbot.answer.extract import extract, starts_list
from chatbot.answer.templates import plain
from chatbot.answer.texts import say
from chatbot.types import Citation, Delta, Reply
from knowledge.types import Passage


def whole(reply: Reply) -> Iterator[Delta | Reply]:
    """A reply that is known at once."""
    yield Delta(reply.text)
    yield reply


def stored(passage: Passage, text: str, language: str) -> Iterator[Delta | Reply]:
    """A stored text byte for byte; one sentence before it when it is in another language."""
    other = tag(passage)
    if other != language:
        name = f"only_other_{other}" if other in ("zh", "en") else "only_other"
        yield Delta(f"{say(name, language)}\n")
    yield Delta(text)
    yield Reply(text, citations=(citation(passage),), quick_replies=passage.quick_replies)


def offered(passages: Sequence[Passage], language: str) -> Iterator[Delta | Reply]:
    """A stored text under the question that it answers; the other questions are quick replies."""
    first, *others = passages
    yield Delta(f"{say('may_mean', language, question=plain(first.title))}\n")
    for piece in stored(first, first.text, language):
        if isinstance(piece, Reply):
            titles = tuple(plain(passage.title) for passage in others if tag(passage) == language)
            yield replace(piece, quick_replies=(*titles, say("none_of_these", language)))
        else:
            yield piece


def quoted(question: str, passage: Passage) -> str:
    """The sentences of a passage that answer, word for word; a bare list comes under its heading."""
    text = extract(question, passage.text)
    if passage.source != "document" or not starts_list(text):
        return text
    heading = re.sub(r"^\d+(?:\.\d+)*[.、]?\s+", "", passage.title.rsplit(" > ", 1)[-1]).rstrip(":：")
    return f"{heading}{'：' if tag(passage) == 'zh' else ':'}\n{text}" if heading else text


def tag(passage: Passage) -> str:
    """The passage's language: "zh-Hant" and "zh_CN" are zh."""
    return passage.locale.replace("_", "-").partition("-")[0].lower()


def citation(passage: Passage) -> Citation:
    """A passage as the source of a reply."""
    return Citation(passage.id, passage.title, passage.text, passage.source, passage.url)
