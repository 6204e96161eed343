"""The sentences that may answer, the likeliest first: a dialogue model that was fine-tuned reads these and no more.

The encoder knows what a sentence is about, but not which of three sentences about the same thing was asked for; the
language model reads the conversation and tells. With the likeliest ones first it has little to look through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from chatbot.answer.extract import pieces
from chatbot.answer.sentences import split
from knowledge.types import Encoder, Passage

MOST = 5
"""Sentences that are read. The right one is among them for 90 % of the messages to companies that were held out, where
all that the company has is looked through (first for 55 %); with the weights below, which are of five cosines' sum."""
_SHARED = 0.2
"""A sentence that has all of the question's words."""
_GOES_ON = 0.1
"""A sentence that was not said yet, of a passage of which the last reply said one."""


class Candidates:
    """The sentences of some passages, with their vectors.

    Args:
        passages: Where they stand.
        encoder: Tells how near they are to a message.
    """

    def __init__(self, passages: Sequence[Passage], encoder: Encoder) -> None:
        self._encoder = encoder
        found = [
            (replace(passage, text=sentence), place)
            for place, passage in enumerate(passages)
            for sentence in split(passage.text)
        ]
        self.sentences = tuple(one for one, _ in found)
        """Each as a passage with its own id and title."""
        if not found:
            return
        wholes = encoder.encode_passages([f"{passage.title}: {passage.text}" for passage in passages])
        self._wholes = wholes[[place for _, place in found]]
        self._vectors = encoder.encode_passages([f"{one.title}: {one.text}" for one in self.sentences])
        self._pieces = [pieces(one.text) for one in self.sentences]

    def nearest(self, question: str, chat: Sequence[str]) -> list[Passage]:
        """All of them, the likeliest to answer first.

        A message is read alone, after the customer's line before it, and after the bot's reply, too.

        Args:
            question: The customer's message.
            chat: What was said before: customer, bot, customer, bot.
        """
        if not self.sentences:
            return []
        alone, after, between = self._encoder.encode_queries(
            [question, " ".join((*chat[-2:-1], question)), " ".join((*chat[-2:], question))]
        )
        near = self._vectors @ (alone + after + between) + self._wholes @ (alone + after)
        asked = pieces(question)
        near += [_SHARED * len(asked & held) / max(1, len(asked)) for held in self._pieces]
        last = chat[-1] if chat else ""
        spoken_of = {one.id for one in self.sentences if one.text in last}
        near += [_GOES_ON * (one.id in spoken_of and one.text not in last) for one in self.sentences]
        return [self.sentences[place] for place in np.argsort(-near, kind="stable").tolist()]
