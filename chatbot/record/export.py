"""Write what was said to a file: every turn whole, or each conversation as chat models are trained on it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, TypeAlias

from chatbot.record.codec import encode_turn
from chatbot.record.store import SqlTurnStore
from chatbot.types import Rating, Turn
from knowledge.errors import StoreError

Form: TypeAlias = Literal["turns", "messages"]
Progress: TypeAlias = Callable[[int, int], None]
"""Called with the turns written so far and the turns in all."""
About: TypeAlias = Callable[[str], Mapping[str, Mapping[str, str]]]
"""What is known of the conversation of that id."""
_REPORT_EVERY = 100


def export_turns(
    store: SqlTurnStore,
    path: Path,
    *,
    since: datetime | None = None,
    form: Form = "turns",
    about: About = lambda _: {},
    progress: Progress | None = None,
) -> int:
    """Write JSON lines; how many turns they hold.

    `turns` writes one turn a line, as `chatbot.record.codec` reads it, with its rating and, on the first line of
    each conversation, what is known about it. `messages` writes
    one conversation a line, {"id": ..., "messages": [{"role": "user", "content": ...}, ...]}: the shape of
    OpenAI fine-tuning files.

    The file appears whole or not at all: it is written beside its place and then moved.

    Args:
        store: Where the turns are; personal data is masked there already.
        path: The file to write; one that is there is replaced.
        since: Only turns stored from then on; UTC unless it names another time zone.
        form: One turn a line, or one conversation a line.
        about: What is known of a conversation beside its words, by kind; `Remarks.about`.
        progress: Told about every hundredth turn and the last.

    Raises:
        StoreError: The file cannot be written, or the database cannot be read.
    """
    total = store.count_turns(since=since)
    counted = _counted(store.turns(since=since), total, progress)
    lines = _turn_lines(store, counted, about) if form == "turns" else _conversation_lines(counted)
    partial = path.with_name(path.name + ".part")
    written = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "w", encoding="utf-8", opener=_private) as file:
            for count, line in lines:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
                written += count
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        msg = f"The export '{path}' cannot be written: {error.strerror}. Choose another place, or free some space."
        raise StoreError(msg) from error
    return written


def _private(name: str, flags: int) -> int:
    """Conversations are nobody else's business: mode 0600."""
    return os.open(name, flags, 0o600)


def _counted(turns: Iterable[Turn], total: int, progress: Progress | None) -> Iterator[Turn]:
    done = 0
    for done, turn in enumerate(turns, start=1):
        yield turn
        if progress is not None and done % _REPORT_EVERY == 0:
            progress(done, max(done, total))
    if progress is not None and (done % _REPORT_EVERY or not done):
        progress(done, max(done, total))


def _turn_lines(
    store: SqlTurnStore, turns: Iterable[Turn], about: About
) -> Iterator[tuple[int, dict[str, Any]]]:
    for conversation_id, group in groupby(turns, key=lambda turn: turn.message.conversation_id):
        conversation = list(group)
        ratings, told = store.ratings([turn.id for turn in conversation]), about(conversation_id)
        for number, turn in enumerate(conversation):
            rating = ratings.get(turn.id)
            line = encode_turn(turn) | {"rating": None if rating is None else _rating(rating)}
            yield 1, line if number or not told else line | {"about": dict(told)}


def _rating(rating: Rating) -> dict[str, Any]:
    return {"value": rating.value, "reasons": list(rating.reasons), "comment": rating.comment}


def _conversation_lines(turns: Iterable[Turn]) -> Iterator[tuple[int, dict[str, Any]]]:
    for conversation_id, group in groupby(turns, key=lambda turn: turn.message.conversation_id):
        messages: list[dict[str, str]] = []
        for turn in group:
            messages.append({"role": "user", "content": turn.message.text})
            messages.append({"role": "assistant", "content": turn.reply.text})
        yield len(messages) // 2, {"id": conversation_id, "messages": messages}
