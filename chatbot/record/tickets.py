"""Who may answer in a conversation, across processes: the one with the lowest ticket that is alive.

A ticket is a row that needs no sync of the disk: after a power cut nobody is answering any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    bindparam,
    cast,
    delete,
    extract,
    func,
    insert,
    select,
    update,
)

from chatbot.record import rows
from chatbot.record.prepared import Prepared
from chatbot.record.tables import conversations, turn_claims
from chatbot.types import Message, Turn

_LOCK = Prepared(
    select(conversations.c.id).where(conversations.c.id == bindparam("conversation_id")).with_for_update()
)
"""SQLite has the whole file locked already (BEGIN IMMEDIATE) and is not sent the FOR UPDATE."""
_DROP = Prepared(delete(turn_claims).where(turn_claims.c.ticket == bindparam("number")))


@dataclass(frozen=True, slots=True)
class Claim:
    """Where a message stands: answered before, or with a ticket that is first or not."""

    ticket: int = 0
    first: bool = False
    answered: Turn | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """How long tickets live, in seconds."""

    lease_s: float
    """The first one's, from when it becomes the first."""
    waits_s: float
    """A waiting one's: until its owner gives up."""
    longest_s: float
    """A ticket that claims to live longer was written before the clock was set back, and counts as dead."""


def take_ticket(connection: Connection, message: Message, ticket: int | None, terms: Terms) -> Claim:
    """Take a ticket, or renew the one that is held.

    Raises:
        ConflictError: The message's key was used for another text.
    """
    _lock_conversation(connection, message)
    stored = rows.answered(connection, message) if message.key else None
    if stored is not None:
        if ticket is not None:
            drop_ticket(connection, ticket)
        return Claim(answered=stored)
    lowest = _lowest_alive(connection, message.conversation_id, terms.longest_s)
    first = lowest is None or lowest == ticket
    life_s = terms.lease_s if first else terms.waits_s
    sql = _STATEMENTS[connection.dialect.name]
    values = {
        "conversation_id": message.conversation_id,
        "number": ticket,
        "now": time.time(),
        "life": life_s,
    }
    if ticket is not None and sql.renew.count(connection, values):
        return Claim(ticket, first=first)
    ((taken,),) = sql.take.rows(connection, values)
    return Claim(taken, first=first)


def is_first(connection: Connection, conversation_id: str, ticket: int, longest_s: float) -> bool:
    """Whether no live ticket of the conversation is lower."""
    return all(
        number >= ticket for number, alive in _tickets(connection, conversation_id, longest_s) if alive
    )


def drop_ticket(connection: Connection, ticket: int) -> None:
    """Give a ticket back; harmless when it is gone."""
    _DROP.count(connection, {"number": ticket})


def _lock_conversation(connection: Connection, message: Message) -> None:
    """Make sure that the conversation exists, and that this transaction alone writes to it."""
    name = {"conversation_id": message.conversation_id}
    if not _LOCK.rows(connection, name):
        rows.add_conversation(connection, message.conversation_id, message.channel, message.locale)
        _LOCK.rows(connection, name)


def _lowest_alive(connection: Connection, conversation_id: str, longest_s: float) -> int | None:
    lowest = None
    for number, alive in _tickets(connection, conversation_id, longest_s):
        if not alive:
            drop_ticket(connection, number)
        elif lowest is None:
            lowest = number
    return lowest


def _tickets(connection: Connection, conversation_id: str, longest_s: float) -> list[tuple[int, bool]]:
    sql = _STATEMENTS[connection.dialect.name]
    found = sql.tickets.rows(connection, sql.clock() | {"conversation": conversation_id})
    return [(ticket, 0.0 < left_s < longest_s) for ticket, left_s in found]


class _Statements:
    """Built once a dialect, as they run with every turn."""

    def __init__(self, now: ColumnElement[float], clock: Callable[[], dict[str, Any]]) -> None:
        self.clock = clock
        left_s = (turn_claims.c.expires_at - now).label("left_s")
        expires_at = now + bindparam("life", type_=Float(53))
        self.tickets = Prepared(
            select(turn_claims.c.ticket, left_s)
            .where(turn_claims.c.conversation_id == bindparam("conversation"))
            .order_by(turn_claims.c.ticket)
        )
        self.renew = Prepared(
            update(turn_claims)
            .where(turn_claims.c.ticket == bindparam("number"))
            .values(expires_at=expires_at)
        )
        taking = insert(turn_claims).values(expires_at=expires_at).returning(turn_claims.c.ticket)
        self.take = Prepared(taking, "conversation_id")


_STATEMENTS = {
    "sqlite": _Statements(bindparam("now", type_=Float(53)), lambda: {"now": time.time()}),
    # Several machines may share a PostgreSQL server, and their clocks differ: the server's counts.
    "postgresql": _Statements(cast(extract("epoch", func.clock_timestamp()), Float(53)), dict),
}
