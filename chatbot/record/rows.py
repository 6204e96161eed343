"""The statements of the store, each on a connection whose transaction the caller owns."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

import structlog
from sqlalchemy import (
    Float,
    cast,
    extract,
    ColumnElement,
    Connection,
    Row,
    and_,
    delete,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from chatbot.record.codec import decode_turn, encode_turn
from chatbot.record.tables import conversations as conversation_table
from chatbot.record.tables import ratings, turn_claims, turns
from chatbot.types import Channel, Message, Rating, Turn
from knowledge.errors import ConflictError, StoreError

StoredRow: TypeAlias = Row[*tuple[Any, ...]]
log = structlog.get_logger(__name__)
_TITLE = 80
_earlier = turns.alias("earlier")


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation as a list shows it."""

    id: str
    title: str
    """The first message, cut; "" before there is one."""
    channel: str
    locale: str | None
    created_at: datetime
    updated_at: datetime
    turns: int
    handed_off_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Where a message stands: answered before, or with a ticket that is first or not."""

    ticket: int = 0
    first: bool = False
    answered: Turn | None = None


def take_ticket(
    connection: Connection,
    message: Message,
    ticket: int | None,
    *,
    lease_s: float,
    waits_s: float,
    longest_s: float,
) -> Claim:
    """Take a ticket, or renew the one held; a first one lives `lease_s` from now, others `waits_s`.

    Raises:
        ConflictError: The key was used for another text.
    """
    if message.key:
        stored = answered(connection, message)
        if stored is not None:
            if ticket is not None:
                drop_ticket(connection, ticket)
            return Claim(answered=stored)
    _lock_conversation(connection, message)
    now = _now(connection)
    of_conversation = turn_claims.c.conversation_id == message.conversation_id
    connection.execute(delete(turn_claims).where(of_conversation, ~_live(now, longest_s)))
    lowest = connection.scalar(select(func.min(turn_claims.c.ticket)).where(of_conversation))
    first = lowest in {None, ticket}
    expires_at = now + (lease_s if first else waits_s)
    if ticket is not None:
        renewed = connection.execute(
            update(turn_claims).where(turn_claims.c.ticket == ticket).values(expires_at=expires_at)
        )
        if renewed.rowcount:
            return Claim(ticket, first=first)
    added = connection.execute(
        insert(turn_claims)
        .values(conversation_id=message.conversation_id, expires_at=expires_at)
        .returning(turn_claims.c.ticket)
    )
    return Claim(added.scalar_one(), first=first)


def is_first(connection: Connection, conversation_id: str, ticket: int, longest_s: float) -> bool:
    """Whether no live ticket of the conversation is lower."""
    lower = select(turn_claims.c.ticket).where(
        turn_claims.c.conversation_id == conversation_id,
        turn_claims.c.ticket < ticket,
        _live(_now(connection), longest_s),
    )
    return connection.execute(lower.limit(1)).first() is None


def drop_ticket(connection: Connection, ticket: int) -> None:
    """Give a ticket back; harmless when it is gone."""
    connection.execute(delete(turn_claims).where(turn_claims.c.ticket == ticket))


def answered(connection: Connection, message: Message) -> Turn | None:
    """The turn stored under the message's key.

    Raises:
        ConflictError: It answers another text.
    """
    found = connection.execute(
        select(turns.c.id, turns.c.sequence, turns.c.body, turns.c.text).where(
            turns.c.conversation_id == message.conversation_id, turns.c.key == message.key
        )
    ).first()
    if found is None:
        return None
    if found.text != storable(message.text):
        msg = (
            f"The key '{message.key}' was used for another message of conversation "
            f"'{message.conversation_id}'. Send a new message with a new key."
        )
        raise ConflictError(msg)
    return _turn(found)


def turn_row(turn: Turn) -> dict[str, Any]:
    """The columns of a turn, except for its place."""
    message, reply = turn.message, turn.reply
    return {
        "id": turn.id,
        "conversation_id": message.conversation_id,
        "key": message.key or None,
        "text": storable(message.text),
        "reply": storable(reply.text),
        "language": turn.understanding.language,
        "intent": turn.understanding.intent,
        "decision": turn.decision.kind,
        "finish": reply.finish,
        "stored_at": datetime.now(UTC),
        "body": encode_turn(turn),
    }


def insert_turn(connection: Connection, turn: Turn, row: Mapping[str, Any], *, ticket: int | None) -> int:
    """Store a turn after the last one of its conversation, give the ticket back; its sequence."""
    message = turn.message
    _lock_conversation(connection, message)
    following = (
        select(func.coalesce(func.max(_earlier.c.sequence), 0) + 1)
        .where(_earlier.c.conversation_id == message.conversation_id)
        .scalar_subquery()
    )
    sequence: int = connection.execute(
        insert(turns).values(sequence=following, **row).returning(turns.c.sequence)
    ).scalar_one()
    table = conversation_table.c
    handed_off_at = row["stored_at"] if row["decision"] == "handoff" else None
    connection.execute(
        update(conversation_table)
        .where(table.id == message.conversation_id)
        .values(
            title=func.coalesce(table.title, _title(row["text"])),
            locale=func.coalesce(message.locale, table.locale),
            updated_at=row["stored_at"],
            handed_off_at=func.coalesce(table.handed_off_at, handed_off_at),
        )
    )
    if ticket is not None:
        drop_ticket(connection, ticket)
    return sequence


def create_conversation(
    connection: Connection, channel: Channel, locale: str | None, conversation_id: str | None
) -> Conversation:
    """Add a conversation; the one that is there when the id is known."""
    name = conversation_id or uuid.uuid4().hex
    _add_conversation(connection, name, channel=channel, locale=locale)
    return conversations(connection, limit=1, ids=[name])[0]


def conversations(connection: Connection, *, limit: int, ids: Sequence[str] | None) -> Sequence[Conversation]:
    """The conversations spoken in last, newest first."""
    table = conversation_table.c
    count = (
        select(func.count())
        .select_from(turns)
        .where(turns.c.conversation_id == table.id)
        .correlate(conversation_table)
        .scalar_subquery()
    )
    query = select(conversation_table, count.label("turns")).order_by(table.updated_at.desc(), table.id)
    if ids is not None:
        query = query.where(table.id.in_(ids))
    return tuple(
        Conversation(
            id=row.id,
            title=row.title or "",
            channel=row.channel,
            locale=row.locale,
            created_at=_aware(row.created_at),
            updated_at=_aware(row.updated_at),
            turns=row.turns,
            handed_off_at=_aware(row.handed_off_at) if row.handed_off_at else None,
        )
        for row in connection.execute(query.limit(limit))
    )


def stored_turn(connection: Connection, condition: ColumnElement[bool]) -> Turn | None:
    """The turn that meets the condition."""
    found = connection.execute(select(turns.c.id, turns.c.sequence, turns.c.body).where(condition)).first()
    return None if found is None else _turn(found)


def page_of_turns(
    connection: Connection, *, since: datetime | None, after: tuple[str, int] | None, limit: int
) -> Sequence[StoredRow]:
    """The next rows in order of conversation and sequence."""
    query = select(turns.c.conversation_id, turns.c.sequence, turns.c.id, turns.c.body)
    if since is not None:
        query = query.where(turns.c.stored_at >= since.astimezone(UTC))
    if after is not None:
        place = tuple_(turns.c.conversation_id, turns.c.sequence)
        query = query.where(place > tuple_(literal(after[0]), literal(after[1])))
    return connection.execute(query.order_by(turns.c.conversation_id, turns.c.sequence).limit(limit)).all()


def readable_turns(found: Iterable[StoredRow]) -> Iterator[Turn]:
    """The turns of rows that have id, sequence and body; one that cannot be read is logged and left out."""
    for row in found:
        try:
            yield _turn(row)
        except StoreError as error:
            # One odd row must not end a conversation, or an export.
            log.warning("turn.unreadable", turn=row.id, error=str(error))


def count_turns(connection: Connection, *, since: datetime | None) -> int:
    """How many turns were stored since then."""
    query = select(func.count()).select_from(turns)
    if since is not None:
        query = query.where(turns.c.stored_at >= since.astimezone(UTC))
    return connection.execute(query).scalar_one()


def mark_interrupted(connection: Connection, turn_id: str) -> None:
    """Set the finish of a stored turn.

    Raises:
        StoreError: There is no such turn.
    """
    body = connection.execute(select(turns.c.body).where(turns.c.id == turn_id)).scalar_one_or_none()
    if body is None:
        raise _no_such_turn(turn_id)
    changed = {**body, "reply": {**body["reply"], "finish": "interrupted"}}
    connection.execute(update(turns).where(turns.c.id == turn_id).values(finish="interrupted", body=changed))


def upsert_rating(connection: Connection, rating: Rating) -> None:
    """Store a rating over an earlier one.

    Raises:
        StoreError: There is no such turn.
    """
    if connection.execute(select(turns.c.id).where(turns.c.id == rating.turn_id)).first() is None:
        raise _no_such_turn(rating.turn_id)
    values = {
        "value": rating.value,
        "reasons": list(rating.reasons),
        "comment": storable(rating.comment),
        "rated_at": rating.rated_at or datetime.now(UTC),
    }
    statement = _insert_for(connection)(ratings).values(turn_id=rating.turn_id, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=[ratings.c.turn_id], set_=values))


def ratings_of(connection: Connection, turn_ids: Sequence[str]) -> Mapping[str, Rating]:
    """The ratings of these turns."""
    found = connection.execute(select(ratings).where(ratings.c.turn_id.in_(turn_ids)))
    return {
        row.turn_id: Rating(row.turn_id, row.value, tuple(row.reasons), row.comment, _aware(row.rated_at))
        for row in found
    }


def storable(text: str) -> str:
    """The text as every database takes it: no NUL (PostgreSQL), no lone surrogates (UTF-8)."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _lock_conversation(connection: Connection, message: Message) -> None:
    """Make sure that the conversation exists, and that this transaction alone writes to it.

    On SQLite the transaction has the whole file already (BEGIN IMMEDIATE).
    """
    _add_conversation(connection, message.conversation_id, channel=message.channel, locale=message.locale)
    if connection.dialect.name != "sqlite":
        connection.execute(
            select(conversation_table.c.id)
            .where(conversation_table.c.id == message.conversation_id)
            .with_for_update()
        )


def _add_conversation(connection: Connection, name: str, *, channel: Channel, locale: str | None) -> None:
    now = datetime.now(UTC)
    statement = _insert_for(connection)(conversation_table).values(
        id=name, channel=channel, locale=locale, created_at=now, updated_at=now
    )
    connection.execute(statement.on_conflict_do_nothing())


def _insert_for(connection: Connection) -> Any:
    return sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert


def _now(connection: Connection) -> ColumnElement[float]:
    """Unix time; the database server's where several machines share it, as their clocks differ."""
    if connection.dialect.name == "sqlite":
        return literal(time.time())
    return cast(extract("epoch", func.clock_timestamp()), Float(53))


def _live(now: ColumnElement[float], longest_s: float) -> ColumnElement[bool]:
    return and_(turn_claims.c.expires_at > now, turn_claims.c.expires_at < now + longest_s)


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TITLE else line[: _TITLE - 1] + "…"


def _turn(row: StoredRow) -> Turn:
    return decode_turn({**row.body, "sequence": row.sequence})


def _aware(moment: datetime) -> datetime:
    """SQLite forgets the time zone; what was stored was UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _no_such_turn(turn_id: str) -> StoreError:
    return StoreError(f"There is no turn '{turn_id}'. Use the id that came with the reply.")
