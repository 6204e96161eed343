"""The statements of the store, each on a connection whose transaction the caller owns."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

import structlog
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from chatbot.record.codec import decode_turn, write_turn
from chatbot.record.prepared import Prepared
from chatbot.record.tables import conversations as conversation_table
from chatbot.record.tables import ratings, turns
from chatbot.types import Channel, Message, Rating, Turn
from knowledge.errors import ConflictError, StoreError

StoredRow: TypeAlias = Row[*tuple[Any, ...]]
log = structlog.get_logger(__name__)
_TITLE = 80
_earlier = turns.alias("earlier")

# Statements of every turn are built once: building costs SQLAlchemy several times what running does.
_BY_KEY = select(turns.c.id, turns.c.sequence, turns.c.body, turns.c.text).where(
    turns.c.conversation_id == bindparam("conversation_id"), turns.c.key == bindparam("key")
)
_HAS_KEY = Prepared(
    select(turns.c.id).where(
        turns.c.conversation_id == bindparam("conversation_id"), turns.c.key == bindparam("key")
    )
)
_LAST = Prepared(
    select(turns.c.id, turns.c.finish)
    .where(turns.c.conversation_id == bindparam("conversation_id"))
    .order_by(turns.c.sequence.desc())
    .limit(bindparam("count"))
)
_BODIES = select(turns.c.id, turns.c.sequence, turns.c.finish, turns.c.body).where(
    turns.c.id.in_(bindparam("ids", expanding=True))
)
_INSERT = Prepared(
    insert(turns)
    .values(
        sequence=select(func.coalesce(func.max(_earlier.c.sequence), 0) + 1)
        .where(_earlier.c.conversation_id == bindparam("conversation"))
        .scalar_subquery()
    )
    .returning(turns.c.sequence),
    *(column.name for column in turns.c if column.name != "sequence"),
)
_TOUCH = Prepared(
    update(conversation_table)
    .where(conversation_table.c.id == bindparam("conversation"))
    .values(
        title=func.coalesce(conversation_table.c.title, bindparam("first_text")),
        locale=func.coalesce(bindparam("spoken"), conversation_table.c.locale),
        updated_at=bindparam("now"),
        handed_off_at=func.coalesce(conversation_table.c.handed_off_at, bindparam("handed_off")),
    )
)


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


class RecentTurns:
    """Turns that were stored or read last: a turn is written once, so it need not be read again.

    Reading the six turns before each message anew took 3 ms, a tenth of a turn. The only part that changes
    later is `finish`; a turn whose `finish` is another one by now is not known any more.
    """

    def __init__(self, most: int = 2000) -> None:
        self._most = most
        self._turns: OrderedDict[str, tuple[str, Turn]] = OrderedDict()
        self._mutex = threading.Lock()

    def get(self, turn_id: str, finish: str) -> Turn | None:
        """The turn, if it is known with this finish."""
        with self._mutex:
            known_finish, turn = self._turns.get(turn_id, ("", None))
            if turn is None or known_finish != finish:
                return None
            self._turns.move_to_end(turn_id)
        return turn

    def put(self, turn_id: str, turn: Turn, finish: str) -> None:
        """Remember a turn as it was read; the ones not asked for longest are forgotten."""
        with self._mutex:
            self._turns[turn_id] = finish, turn
            self._turns.move_to_end(turn_id)
            while len(self._turns) > self._most:
                self._turns.popitem(last=False)


def answered(connection: Connection, message: Message) -> Turn | None:
    """The turn stored under the message's key.

    Raises:
        ConflictError: It answers another text.
    """
    names = {"conversation_id": message.conversation_id, "key": message.key}
    found = connection.execute(_BY_KEY, names).first() if _HAS_KEY.rows(connection, names) else None
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
        "body": write_turn(turn),
    }


def insert_turn(connection: Connection, turn: Turn, row: Mapping[str, Any]) -> int:
    """Store a turn after the last one of its conversation; its sequence."""
    message, stored_at = turn.message, row["stored_at"]
    touched = {
        "conversation": message.conversation_id,
        "first_text": _title(row["text"]),
        "spoken": message.locale,
        "now": stored_at,
        "handed_off": stored_at if row["decision"] == "handoff" else None,
    }
    # The update also locks the conversation, so that the sequence that follows is ours alone.
    if not _TOUCH.count(connection, touched):
        add_conversation(connection, message.conversation_id, message.channel, message.locale)
        _TOUCH.count(connection, touched)
    ((sequence,),) = _INSERT.rows(connection, {**row, "conversation": message.conversation_id})
    return int(sequence)


def last_turns(
    connection: Connection, conversation_id: str, *, limit: int, known: RecentTurns
) -> Sequence[Turn]:
    """The last turns that can be read, oldest first; those that are known are not read again."""
    found = _LAST.rows(connection, {"conversation_id": conversation_id, "count": limit})
    read = {name: known.get(name, finish) for name, finish in found}
    if missing := [name for name, turn in read.items() if turn is None]:
        for row in connection.execute(_BODIES, {"ids": missing}):
            for turn in readable_turns([row]):
                known.put(row.id, turn, row.finish)
                read[row.id] = turn
    ordered = (read[name] for name, _ in reversed(found))
    return tuple(turn for turn in ordered if turn is not None)


def create_conversation(
    connection: Connection, channel: Channel, locale: str | None, conversation_id: str | None
) -> Conversation:
    """Add a conversation; the one that is there when the id is known."""
    name = conversation_id or uuid.uuid4().hex
    add_conversation(connection, name, channel, locale)
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


def last_turn(connection: Connection, condition: ColumnElement[bool]) -> Turn | None:
    """The turn that meets the condition and was stored last."""
    query = select(turns.c.id, turns.c.sequence, turns.c.body).where(condition)
    found = connection.execute(query.order_by(turns.c.stored_at.desc(), turns.c.sequence.desc())).first()
    return None if found is None else _turn(found)


def page_of_turns(
    connection: Connection, *, since: datetime | None, after: tuple[str, int] | None, limit: int
) -> Sequence[StoredRow]:
    """The next rows in order of conversation and sequence."""
    query = select(turns.c.conversation_id, turns.c.sequence, turns.c.id, turns.c.body)
    if since is not None:
        query = query.where(turns.c.stored_at >= _aware(since).astimezone(UTC))
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
        query = query.where(turns.c.stored_at >= _aware(since).astimezone(UTC))
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


def add_conversation(connection: Connection, name: str, channel: Channel, locale: str | None) -> None:
    """Add a conversation unless it is there."""
    now = datetime.now(UTC)
    statement = _insert_for(connection)(conversation_table).values(
        id=name, channel=channel, locale=locale, created_at=now, updated_at=now
    )
    connection.execute(statement.on_conflict_do_nothing())


def _insert_for(connection: Connection) -> Any:
    return sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TITLE else line[: _TITLE - 1] + "…"


def _turn(row: StoredRow) -> Turn:
    return decode_turn({**row.body, "sequence": row.sequence})


def _aware(moment: datetime) -> datetime:
    """A moment without a time zone is in UTC: SQLite forgets the zone of what it stores."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _no_such_turn(turn_id: str) -> StoreError:
    return StoreError(f"There is no turn '{turn_id}'. Use the id that came with the reply.")
