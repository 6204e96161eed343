"""Turns in SQL: what is acknowledged is stored, in order, once.

    begin   takes a place: first in this process's line, then the lowest ticket in the database
    append  stores the turn, gives it its sequence and gives the place back, in one transaction
    abandon gives the place back without a turn

The place carries a lease: when a process is killed while it answers, the next message of that
conversation goes on as soon as the lease is over. A turn that outlives its lease is still stored; it has
then lost only the promise that it saw every earlier turn.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from chatbot.record import rows
from chatbot.record.codec import as_read
from chatbot.record.line import Lines, Place
from chatbot.record.rows import Conversation
from chatbot.record.tables import turns
from chatbot.record.tickets import Claim, Terms, drop_ticket, is_first, take_ticket
from chatbot.record.writer import GroupWriter
from chatbot.types import Channel, Message, Rating, Turn
from knowledge.database import reading
from knowledge.errors import ConflictError, KefuError, StoreError

log = structlog.get_logger(__name__)
_PAGE = 200


@dataclass(frozen=True, slots=True)
class _Held:
    place: Place
    ticket: int


class SqlTurnStore:
    """A TurnStore on SQLite or PostgreSQL; safe for many threads and several processes.

    Args:
        engine: From `knowledge.database.open_engine`, with the tables of `chatbot.record.migrate`.
        lease_s: How long an answer may take before the conversation goes on without it.
        busy_timeout_s: How long a write waits for another program's.
        wait_s: How long a message waits for the earlier ones of its conversation; by default until their
            lease is over, so that a retry after a crash gets its turn.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        lease_s: float = 20.0,
        busy_timeout_s: float = 5.0,
        wait_s: float | None = None,
    ) -> None:
        self._engine = engine
        self._lease_s = lease_s
        self._wait_s = lease_s + 2.0 if wait_s is None else wait_s
        self._writer = GroupWriter(engine, busy_timeout_s=busy_timeout_s)
        self._recent = rows.RecentTurns()
        self._lines = Lines()
        self._held: dict[tuple[str, str], _Held] = {}
        self._closing = threading.Event()

    def close(self) -> None:
        """Let waiting messages go, finish what is being written, close the writer's connection."""
        self._closing.set()
        self._writer.close()

    def begin(self, message: Message) -> Turn | None:
        """Take the next place in the conversation; the stored turn if this key was answered before.

        Raises:
            ConflictError: The key was used for another text, or an earlier turn is still being answered.
            StoreError: The database is full, locked for too long, or gone.
        """
        deadline = time.monotonic() + self._wait_s
        if message.key and self._lines.busy(message.conversation_id):
            with reading(self._engine) as connection:
                answered = rows.answered(connection, message)
            if answered is not None:
                return answered
        place = self._lines.enter(message.conversation_id, timeout_s=self._wait_s)
        if place is None:
            raise _still_answering(message)
        try:
            claim = self._claim(message, deadline)
        except BaseException:
            self._lines.leave(place)
            raise
        if claim.answered is not None:
            self._lines.leave(place)
            return claim.answered
        place.expires = time.monotonic() + self._lease_s
        self._held[_name(message)] = _Held(place, claim.ticket)
        return None

    def append(self, turn: Turn) -> Turn:
        """Store the turn durably and give it its sequence; returns only when it is on disk.

        When another process answered the same message in the meantime (this one outlived its lease),
        that turn is returned instead.

        Raises:
            StoreError: The database is full, locked for too long, or gone; the turn is not acknowledged
                and the place is still held: append again, or abandon.
        """
        message = turn.message
        held = self._held.get(_name(message))
        row = rows.turn_row(turn)

        def write(connection: Connection) -> int:
            sequence = rows.insert_turn(connection, turn, row)
            if held is not None:
                drop_ticket(connection, held.ticket)
            return sequence

        try:
            sequence = self._writer.do(write, conversation_id=message.conversation_id, durable=True)
        except IntegrityError as error:
            stored = self._same_turn(turn)
            if stored is None:
                msg = f"The turn '{turn.id}' was refused: {error.orig}. Report this; the message can be sent again."
                raise StoreError(msg) from error
            self.abandon(message)
            return stored
        stored = replace(turn, sequence=sequence)
        self._recent.put(turn.id, as_read(stored), row["finish"])
        self._leave(message)
        return stored

    def abandon(self, message: Message) -> None:
        """Give back the place taken by `begin`; harmless when there is none.

        Never raises: when the database cannot be told, the lease ends by itself.
        """
        held = self._leave(message)
        if held is None:
            return
        try:
            self._release(message.conversation_id, held.ticket)
        except KefuError as error:
            log.warning("turn.place_kept", conversation=message.conversation_id, error=str(error))

    def history(self, conversation_id: str, *, limit: int = 12) -> Sequence[Turn]:
        """The last `limit` turns, oldest first; a turn that cannot be read is left out and logged."""
        if limit <= 0:
            return ()
        with reading(self._engine) as connection:
            return rows.last_turns(connection, conversation_id, limit=limit, known=self._recent)

    def rate(self, rating: Rating) -> None:
        """Store a rating; the last one of a turn counts.

        Raises:
            StoreError: There is no such turn.
        """
        self._writer.do(
            lambda connection: rows.upsert_rating(connection, rating), conversation_id="", durable=True
        )

    def mark_interrupted(self, turn_id: str) -> None:
        """The customer left before the reply of this stored turn was shown to the end.

        Raises:
            StoreError: There is no such turn.
        """
        self._writer.do(
            lambda connection: rows.mark_interrupted(connection, turn_id), conversation_id="", durable=True
        )

    def create_conversation(
        self, *, channel: Channel = "web", locale: str | None = None, conversation_id: str | None = None
    ) -> Conversation:
        """Start a conversation; `begin` does it too, for an id that it does not know."""
        return self._writer.do(
            lambda connection: rows.create_conversation(connection, channel, locale, conversation_id),
            conversation_id=conversation_id or "",
            durable=True,
        )

    def conversation(self, conversation_id: str) -> Conversation | None:
        """One conversation, or None."""
        with reading(self._engine) as connection:
            found = rows.conversations(connection, limit=1, ids=[conversation_id])
        return found[0] if found else None

    def conversations(self, *, limit: int = 50, ids: Sequence[str] | None = None) -> Sequence[Conversation]:
        """The conversations spoken in last, newest first; only those in `ids` when given."""
        with reading(self._engine) as connection:
            return rows.conversations(connection, limit=limit, ids=ids)

    def turn(self, turn_id: str) -> Turn | None:
        """One turn, or None."""
        with reading(self._engine) as connection:
            return rows.stored_turn(connection, turns.c.id == turn_id)

    def find(self, beginning: str) -> Turn | None:
        """The turn whose id begins so, the last stored one of several; "last": of all."""
        start = "" if beginning == "last" else beginning
        with reading(self._engine) as connection:
            return rows.last_turn(connection, turns.c.id.startswith(start, autoescape=True))

    def ratings(self, turn_ids: Sequence[str]) -> Mapping[str, Rating]:
        """The ratings of these turns, by turn id."""
        with reading(self._engine) as connection:
            return rows.ratings_of(connection, turn_ids)

    def count_turns(self, *, since: datetime | None = None) -> int:
        """How many turns were stored since then."""
        with reading(self._engine) as connection:
            return rows.count_turns(connection, since=since)

    def turns(self, *, since: datetime | None = None) -> Iterator[Turn]:
        """All turns stored since then, conversation by conversation, in order; read in pages."""
        after: tuple[str, int] | None = None
        while True:
            with reading(self._engine) as connection:
                found = rows.page_of_turns(connection, since=since, after=after, limit=_PAGE)
            yield from rows.readable_turns(found)
            if len(found) < _PAGE:
                return
            after = (found[-1].conversation_id, found[-1].sequence)

    def _claim(self, message: Message, deadline: float) -> Claim:
        """Take a ticket and wait until it is the lowest; the line's first message of each process does."""
        claim = self._take(message, None, deadline)
        pause_s = 0.002
        try:
            while claim.answered is None and not claim.first:
                if self._closing.wait(pause_s * random.uniform(0.5, 1.0)) or time.monotonic() > deadline:
                    raise _still_answering(message)
                pause_s = min(pause_s * 1.5, 0.025)
                with reading(self._engine) as connection:
                    first = is_first(connection, message.conversation_id, claim.ticket, self._longest_s)
                if first:
                    claim = self._take(message, claim.ticket, deadline)
        except BaseException:
            self._release(message.conversation_id, claim.ticket)
            raise
        return claim

    def _take(self, message: Message, ticket: int | None, deadline: float) -> Claim:
        waits_s = max(deadline - time.monotonic(), 0.0) + 1.0
        terms = Terms(self._lease_s, waits_s, self._longest_s)
        return self._writer.do(
            lambda connection: take_ticket(connection, message, ticket, terms),
            conversation_id=message.conversation_id,
            durable=False,
        )

    @property
    def _longest_s(self) -> float:
        """No ticket lives longer; one that seems to was written before the clock was set back."""
        return max(self._lease_s, self._wait_s) + 10.0

    def _release(self, conversation_id: str, ticket: int) -> None:
        self._writer.do(
            lambda connection: drop_ticket(connection, ticket),
            conversation_id=conversation_id,
            durable=False,
        )

    def _leave(self, message: Message) -> _Held | None:
        held = self._held.pop(_name(message), None)
        if held is not None:
            self._lines.leave(held.place)
        return held

    def _same_turn(self, turn: Turn) -> Turn | None:
        with reading(self._engine) as connection:
            answered = rows.answered(connection, turn.message) if turn.message.key else None
            return answered or rows.stored_turn(connection, turns.c.id == turn.id)


def _name(message: Message) -> tuple[str, str]:
    return message.conversation_id, message.key or message.text


def _still_answering(message: Message) -> ConflictError:
    return ConflictError(
        f"An earlier message of conversation '{message.conversation_id}' is still being answered. "
        "Send this one again in a few seconds, with the same key."
    )
