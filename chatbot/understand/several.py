"""Several questions in one message: "Can I change the address? And do you ship to Macao?"."""

from __future__ import annotations

import re

from chatbot.understand.acts import is_question, without_courtesy
from chatbot.understand.language import HAN
from chatbot.understand.rewrite import content_words, hangs_on_context

_MOST = 3
_END = re.compile(r"(?<=[?？!！。;；\n])\s*|(?<=[a-z]{2}\.)\s+")
_JOINT_ZH = re.compile(
    r"[,，\s]*(?:还有(?:就是|一个问题|个事)?|另外(?:再?问一?下)?|顺便(?:再?问一?下)?|再问一?下|对了|以及)[,，:：\s]*"
)
_JOINT_EN = re.compile(
    r"[,\s]+(?:and also|and|also|plus|oh and|by the way|btw)[,\s]+(?=(?:also\s+)?(?:what|when|where|which|who|how|can|could|do|does|is|are|will|would|should)\b)",
    re.IGNORECASE,
)
_OPENING_JOINT = re.compile(r"^\W*(?:and also|and|also|plus|oh|by the way|btw)\b[\s,]*", re.IGNORECASE)


def questions_in(text: str) -> list[str]:
    """The questions of a message, each of which stands alone; [] for less than two.

    A later question that leans on the one before ("Do you ship abroad? How much is it?") is no second one:
    they are answered together, as they were asked.
    """
    joint = _JOINT_ZH if HAN.search(text) else _JOINT_EN
    sentences = _END.split(without_courtesy(text))
    pieces = [_OPENING_JOINT.sub("", piece) for sentence in sentences for piece in joint.split(sentence)]
    asked = [without_courtesy(piece.strip(" ,，。")) for piece in pieces if is_question(piece)]
    asked = [piece for piece in asked if content_words(piece)]
    if not 2 <= len(asked) <= _MOST:
        return []
    leans = any(hangs_on_context(piece, text) for piece in asked[1:])
    return [] if leans else asked
