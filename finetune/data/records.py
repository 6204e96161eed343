"""The project's own recorded turns as conversations, with what customers thought of the replies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Protocol

from chatbot.record.remarks import Stars
from chatbot.types import AnswerFrom, Rating, Turn, UseTemplate
from finetune.data.columns import satisfaction_of
from finetune.data.values import Conversation, Said
from knowledge.sources.places import Place

RECORDS = "the project's records"
"""Stands where the name of a file would."""


class Records(Protocol):
    """Where turns are kept; chatbot.record.store.SqlTurnStore is one."""

    def turns(self) -> Iterable[Turn]:
        """All of them, conversation by conversation."""
        ...

    def ratings(self, turn_ids: list[str]) -> Mapping[str, Rating]:
        """The ratings of turns."""
        ...


class Comments(Protocol):
    """Where stars of whole conversations are kept; chatbot.record.remarks.Remarks is one."""

    def stars(self, conversation_id: str) -> Stars | None:
        """The stars of a conversation."""
        ...


def rated(records: Records) -> Iterator[tuple[list[Turn], Mapping[str, Rating]]]:
    """The turns of each conversation, oldest first, with their ratings."""
    for _, group in groupby(records.turns(), key=lambda turn: turn.message.conversation_id):
        turns = list(group)
        yield turns, records.ratings([turn.id for turn in turns])


def recorded(records: Records, comments: Comments) -> Iterator[Conversation]:
    """Every recorded conversation."""
    for turns, ratings in rated(records):
        id_ = turns[0].message.conversation_id
        stars = comments.stars(id_)
        yield Conversation(
            id_,
            Place(RECORDS),
            tuple(said for turn in turns for said in said_of(turn, _thumb(ratings.get(turn.id)))),
            source="record",
            locale=turns[0].understanding.language or None,
            satisfaction=None if stars is None else satisfaction_of(stars.score),
        )


def said_of(turn: Turn, thumb: float | None) -> tuple[Said, Said]:
    """What the customer wrote and what the bot said."""
    decision, understood, at = turn.decision, turn.understanding, turn.message.sent_at
    template = isinstance(decision, UseTemplate)
    cited = tuple(citation.passage_id for citation in turn.reply.citations)
    told = decision.passage_ids[:1] if isinstance(decision, AnswerFrom) else ()
    return (
        Said(
            "customer",
            turn.message.text,
            at,
            standalone=understood.query if understood.rewritten else "",
            intent=decision.intent if isinstance(decision, UseTemplate) else "",
        ),
        Said("agent", turn.reply.text, at, thumb, () if template else (cited or tuple(told))),
    )


def _thumb(rating: Rating | None) -> float | None:
    return None if rating is None else float(rating.value == "up")
