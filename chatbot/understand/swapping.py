"""A message that only names something else: "and for a phone?", "sorry, I meant the X5 Pro", 不是手机，是耳机.

It asks the question before about that. Which names may stand for each other, the company's choices tell: its products, its
kinds of device, its cities.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from chatbot.types import AnswerFrom, Clarify, Decline, Turn, each_of, told_in
from chatbot.understand.choices import mentions
from knowledge.sources.intents import Intent, Slot

_JOINTS_EN = re.compile(
    r"\b(?:a|about|actually|also|an|and|but|for|how|i|in|instead|is|it|its|it's|mean|meant|my|no|nope|not|of|oh|ok|on|oops|or|please"
    r"|same|so|sorry|that|the|this|then|to|uh|um|wait|was|what|whats|what's|with)\b"
)
_JOINTS_ZH = re.compile(
    "不好意思|打错|搞错|说错|弄错|我是说|我是问|我是指|我说的|我问的|我指的|抱歉|一样|同样|如果|要是|换成|换|而是|不是|还有|关于|对于|应该|那么|怎么样"
    "|[那的呢吗啊呀哦是我了对就也个款和说问指]"
)
_WORD = re.compile(r"\w")


def choices_of(intents: Iterable[Intent]) -> list[Slot]:
    """The slots of which one choice may stand for another: those whose values a conversation keeps speaking of."""
    return [slot for intent in intents for slot in intent.slots if slot.type == "choice" and slot.sticky]


def about_another(text: str, last: Turn | None, choices: Sequence[Slot]) -> str:
    """The last question, for which a stored answer was looked for, about what the message only names; "" for any other.

    Where the customer named nothing of the kind, the question whose answer was given does: a phone's screen after "my screen broke".
    """
    if last is None or not isinstance(each_of(last.decision)[-1], AnswerFrom | Decline | Clarify):
        return ""
    told = next((hit.passage.title for hit in last.hits if hit.passage.id in told_in(last)), "")
    return swapped(text, last.understanding.query, choices) or swapped(text, told, choices)


def swapped(text: str, before: str, choices: Sequence[Slot]) -> str:
    """The question before, about what the message names; "" where the message says more, or nothing of that kind.

    Args:
        text: The message, tidied.
        before: The question before it.
        choices: Slots of which one choice may stand for another.
    """
    found = [mentions(slot, text) for slot in choices]
    spans = [(start, end) for named in found for start, end, _ in named]
    if not spans or _says_more(text, spans):
        return ""
    for slot, named in zip(choices, found, strict=True):
        asked = mentions(slot, before)
        held = {value for _, _, value in asked}
        others = [(start, end) for start, end, value in named if value not in held]
        if len(held) == 1 and len(others) == 1:
            (begin, finish, _), (start, end) = asked[0], others[0]
            return before[:begin] + text[start:end] + before[finish:]
    return ""


def _says_more(text: str, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether there are words of weight beside what is named."""
    rest = "".join(
        " " if any(start <= place < end for start, end in spans) else character
        for place, character in enumerate(text.lower().replace("’", "'"))
    )
    return bool(_WORD.search(_JOINTS_EN.sub(" ", _JOINTS_ZH.sub(" ", rest))))
