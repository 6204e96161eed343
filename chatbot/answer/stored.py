"""Stored texts as replies: byte for byte, with their source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from chatbot.answer.differences import says_yes_or_no
from chatbot.answer.extract import extract, starts_list
from chatbot.answer.templates import plain
from chatbot.answer.texts import say
from chatbot.types import Citation, Delta, Reply
from knowledge.types import Passage

_ASKS_OPENLY = re.compile(
    r"\b(?:how (?:long|much|many|soon|fast|far|often)|when|what|where|which|who|why)\b|多久|多长|多少|几[天号点时个次]|什么|啥|哪|怎么|为什么|谁",
    re.IGNORECASE,
)
_SUGGESTS = re.compile(r"\b(?:what|how) (?:about|if)\b|\bwhat happens\b", re.IGNORECASE)


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


def under_its_question(passage: Passage, language: str) -> Iterator[Delta | Reply]:
    """A stored text under the question that it answers."""
    yield Delta(f"{say('may_mean', language, question=plain(passage.title))}\n")
    yield from stored(passage, passage.text, language)


def answers_otherwise(query: str, passage: Passage) -> bool:
    """Whether a text says yes or no to a question of its own, where the customer asks how long, where or what.

    "No, only to the balance (1 day) or a bank card (3 days)" tells who asks how long the card takes, but not by its "no".
    """
    asks = _ASKS_OPENLY.search(query) and not _SUGGESTS.search(query)
    return bool(asks) and not _ASKS_OPENLY.search(passage.title) and says_yes_or_no(passage.text)


def offered(passages: Sequence[Passage], language: str) -> Iterator[Delta | Reply]:
    """A stored text under the question that it answers; the other questions are quick replies."""
    first, *others = passages
    for piece in under_its_question(first, language):
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
