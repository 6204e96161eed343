"""The part of a passage that answers, word for word: chosen by shared words, without any model."""

from __future__ import annotations

import re
from functools import lru_cache

from chatbot.answer.facts import atoms, normalise
from chatbot.answer.lexicon import FOLLOWS_UP, is_content, stem, words
from chatbot.answer.sentences import spans
from knowledge.clean import width

_SHORT = 160
"""Passages up to this width (a Chinese character counts two) are shown whole: there is nothing to gain."""
_LEAST = 40
"""A narrower piece of a text with steps is one of them."""
_STEPS = re.compile(r"^\s*(?:[-*•]|\d+[.)、])\s", re.MULTILINE)
_LEANS_BACK = re.compile(
    r"\s*(?:it|they|this|that|these|those|he|she|then|also|otherwise|in (?:this|that) case|其|该|此|这|那|它|否则|另外|同时|并且|届时)",
    re.IGNORECASE,
)
"""A sentence that begins so needs the one before it."""
_ITEM = re.compile(r"(?:[-*•]|\d+[.)、])\s")
_SURE = 0.25
"""Share of the question's pieces that a sentence must hold to be singled out; below, all is shown."""
_AHEAD = 0.5
"""How far it must be ahead of the next one, where a piece that no other sentence holds counts 1."""
_ASKS = {
    "a price": re.compile(r"how much|price|cost|fee|charge|多少钱|费用|价格|几块|收费"),
    "a time": re.compile(
        r"how long|how soon|when|until|how many (?:days|hours|months)|几天|多久|多长时间|什么时候|何时|几点|几个月"
    ),
}
_OFFERS = {
    **dict.fromkeys(("usd", "yuan", "eur", "gbp"), "a price"),
    **dict.fromkeys(("day", "workday", "calendar day", "hour", "minute", "week", "month", "year"), "a time"),
}
"""What a question asks for, and the units of the sentence that has it."""


def is_short(text: str) -> bool:
    """Whether a text is better shown whole: two sentences at most, or few words."""
    return width(text) <= _SHORT or len(spans(text)) <= 2


def extract(question: str, text: str) -> str:
    """The sentences of `text` that answer the question, a slice of it byte for byte; all when unsure."""
    sentences = spans(text)
    if is_short(text):
        return text
    scores = relevance(question, tuple(text[start:end] for start, end in sentences))
    best, second, *_ = sorted(scores, reverse=True)
    asked = pieces(question)
    held = asked & pieces(text[slice(*sentences[scores.index(best)])])
    if not asked or len(held) / len(asked) < _SURE or best - second < _AHEAD:
        return text
    first = last = scores.index(best)
    first, last = _whole_list(text, sentences, first, last)
    while first > 0 and _LEANS_BACK.match(text[sentences[first][0] :]):
        first -= 1
    while last + 1 < len(sentences) and FOLLOWS_UP.match(text[sentences[last + 1][0] :]):
        last += 1
    chosen = text[sentences[first][0] : sentences[last][1]]
    # What a colon announces must follow, and a step of a few words is nothing without the others.
    step = width(chosen) < _LEAST and len(_STEPS.findall(text)) > 1
    return text if chosen.rstrip().endswith((":", "：")) or step else chosen


def starts_list(text: str) -> bool:
    """Whether a text begins with a list that nothing announces."""
    return bool(_ITEM.match(text))


def relevance(question: str, sentences: tuple[str, ...]) -> list[float]:
    """How much of the question each sentence holds; a word that many sentences hold counts less."""
    read = [pieces(sentence) for sentence in sentences]
    spread = {piece: sum(piece in other for other in read) for piece in pieces(question)}
    return [sum(1 / spread[piece] for piece in spread if piece in held) for held in read]


@lru_cache(maxsize=4096)
def pieces(text: str) -> frozenset[str]:
    """What a text is about: stems of content words, facts, pairs of Chinese characters, prices and times."""
    plain = normalise(text)
    found = {kind for kind, asks in _ASKS.items() if asks.search(plain.lower())}
    for atom in atoms(plain):
        if atom.kind == "word":
            if is_content(atom.text) and atom.text.lower() not in _ASKING:
                found.add(_NEAR.get(stem(atom.text), stem(atom.text)))
        elif atom.kind == "han":
            found |= {atom.text[i : i + 2] for i in range(len(atom.text) - 1)} - _ASKING
        else:
            found.add(atom.key)
            found |= (
                {_OFFERS[unit]} if (unit := atom.key.partition("|")[2].split(" ")[0]) in _OFFERS else set()
            )
            found |= {"a time"} if atom.kind in ("time", "date", "weekday") else set()
    return frozenset(found)


_NEAR = {"ship": "deliv", "shipment": "deliv", "dispatch": "deliv"}
"""Near enough to find a sentence by; the guard tells them apart."""
_ASKING = words(
    """
    send give want need tell know something anything thing things long much many back money ask help question possible buy bought order got
    多少 怎么 什么 么样 可以 请问 你们 我的 我要 想问 是否 可不 不可
    """
)


def _whole_list(text: str, sentences: list[tuple[int, int]], first: int, last: int) -> tuple[int, int]:
    """A line that announces a list brings the list; an item brings its list and what announces it."""

    def is_item(index: int) -> bool:
        return 0 <= index < len(sentences) and bool(_ITEM.match(text[sentences[index][0] :]))

    def announces(index: int) -> bool:
        return index >= 0 and text[slice(*sentences[index])].rstrip("*_ ").endswith((":", "："))

    if announces(last) or is_item(first):
        while is_item(last + 1):
            last += 1
        while is_item(first - 1):
            first -= 1
        first -= is_item(first) and announces(first - 1)
    return first, last
