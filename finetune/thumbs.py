"""Thumbs on composed replies: from the project's own records, or from a file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chatbot.types import AnswerFrom, Rating, Turn
from knowledge.errors import KnowledgeError, first_problem

_MARK = re.compile(r"\s*\[\d+\]")
_CHAT_TURNS = 2
_FEWEST = 2


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    title: str
    text: str


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    role: str
    content: str


class Thumb(BaseModel):
    """What was shown, said and written, and whether the customer liked it; one line of a JSONL file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    passages: tuple[_Shown, ...] = Field(min_length=1)
    messages: tuple[_Line, ...] = Field(min_length=1)
    """Customer, bot, customer, ...: the last one is answered."""
    answer: str | None
    """What the bot wrote; null where it said that the passages do not tell."""
    cites: tuple[str, ...] = ()
    liked: bool


def read_thumbs(path: Path) -> list[Thumb]:
    """The thumbs of a JSONL file.

    Raises:
        KnowledgeError: The file cannot be read, or a line is no thumb; it is named.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KnowledgeError(f"{path} cannot be read ({error}). Name a JSONL file in UTF-8.") from error
    thumbs = []
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            thumbs.append(Thumb.model_validate_json(text))
        except ValidationError as error:
            raise KnowledgeError(
                f"{path}, line {number}: {first_problem(error)}. Correct the line, or take it out."
            ) from error
    return thumbs


def thumbs_of(turns: Sequence[Turn], ratings: Mapping[str, Rating]) -> list[Thumb]:
    """Those of a recorded conversation: what the dialogue model wrote, where the customer judged it.

    Args:
        turns: Of one conversation, oldest first.
        ratings: By turn.
    """
    return [
        _thumb(turn, turns[max(0, place - _CHAT_TURNS) : place], liked=ratings[turn.id].value == "up")
        for place, turn in enumerate(turns)
        if turn.id in ratings and _composed(turn)
    ]


def require_both(thumbs: Sequence[Thumb]) -> None:
    """Refuse what nothing can be learned from.

    Raises:
        KnowledgeError: There are too few thumbs up, or too few down.
    """
    up = sum(thumb.liked for thumb in thumbs)
    if min(up, len(thumbs) - up) < _FEWEST:
        raise KnowledgeError(
            f"There are {up} composed replies with a thumb up and {len(thumbs) - up} with a thumb down; at least "
            f"{_FEWEST} of each are needed. Let customers rate more replies, or name a file with --thumbs."
        )


def _composed(turn: Turn) -> bool:
    return isinstance(turn.decision, AnswerFrom) and not turn.decision.verbatim and bool(turn.reply.citations)


def _thumb(turn: Turn, earlier: Sequence[Turn], *, liked: bool) -> Thumb:
    assert isinstance(turn.decision, AnswerFrom)  # noqa: S101 - _composed said so
    found = (*(earlier[-1].hits if earlier else ()), *turn.hits)
    known = {hit.passage.id: hit.passage for hit in found}
    shown = [known[name] for name in turn.decision.passage_ids if name in known]
    lines = [line for one in earlier for line in (("user", one.message.text), ("assistant", one.reply.text))]
    return Thumb(
        passages=tuple(_Shown(id=one.id, title=one.title, text=one.text) for one in shown),
        messages=tuple(
            _Line(role=role, content=text) for role, text in [*lines, ("user", turn.message.text)]
        ),
        answer=_MARK.sub("", turn.reply.text).strip(),
        cites=tuple(citation.passage_id for citation in turn.reply.citations),
        liked=liked,
    )
