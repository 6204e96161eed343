"""Bring in a person: note the conversation as waiting, and tell the company's own system about it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

import httpx
import structlog
from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from chatbot.handoff.hours import parse_hours
from chatbot.handoff.tables import handoffs
from chatbot.types import Availability, Handoff, Turn
from knowledge.database import reading, refusal

log = structlog.get_logger(__name__)
About: TypeAlias = Callable[[str], Mapping[str, Mapping[str, str]]]
"""What is known of the conversation of that id, by kind."""
_QUEUED = 1000
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Waiting:
    """A conversation that waits for a person."""

    conversation_id: str
    turn_id: str
    reason: str
    intent: str | None
    language: str
    opened_at: datetime


class SqlDesk:
    """A Desk on the shared database, with an optional webhook.

    Args:
        engine: From `knowledge.database.open_engine`.
        hours: Such as "Mon-Fri 09:00-18:00; Sat 10:00-16:00"; empty: always.
        timezone: Of the hours, from the IANA list.
        contact: E-mail or phone for when nobody is there.
        webhook: Told about every handoff with a JSON POST; empty: nobody is told.
        timeout_s: How long the webhook may take to answer one request.
        retry_after_s: Pause before the second try; the third waits three times as long.
        about: What is known of a conversation beside its words: the form before it, the page around it.

    Raises:
        SettingsError: The hours or the timezone cannot be read.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        hours: str = "",
        timezone: str = "UTC",
        contact: str = "",
        webhook: str = "",
        timeout_s: float = 3.0,
        retry_after_s: float = 1.0,
        about: About = lambda _: {},
    ) -> None:
        self._engine = engine
        self._about = about
        self._hours = parse_hours(hours, timezone=timezone)
        self._contact = contact
        self._webhook = (
            _Webhook(webhook, timeout_s=timeout_s, retry_after_s=retry_after_s) if webhook else None
        )

    def availability(self, at: datetime) -> Availability:
        """Whether a person can take over at that moment, and how to reach one otherwise."""
        return Availability(self._hours.is_open(at), str(self._hours), self._contact)

    def next_opening(self, at: datetime) -> datetime | None:
        """When people are back; None when they are never away."""
        return self._hours.next_opening(at)

    def open(self, turn: Turn) -> None:
        """Put the conversation before a person, once while it waits; the webhook is told in the background.

        Raises:
            StoreError: The database refused.
        """
        decision = turn.decision
        reason = decision.reason if isinstance(decision, Handoff) else "requested"
        row = {
            "conversation_id": turn.message.conversation_id,
            "turn_id": turn.id,
            "reason": reason,
            "intent": turn.understanding.intent,
            "language": turn.understanding.language,
            "opened_at": datetime.now(UTC),
        }
        dialect: Any = sqlite if self._engine.dialect.name == "sqlite" else postgresql
        with self._writing() as connection:
            added = connection.execute(dialect.insert(handoffs).values(row).on_conflict_do_nothing())
        if not added.rowcount:
            return
        log.info("handoff.opened", turn=turn.id, reason=reason)
        if self._webhook is not None:
            self._webhook.tell(_event(turn, row, self._about(turn.message.conversation_id)))

    def resolve(self, conversation_id: str) -> bool:
        """Give the conversation back to the bot; False when it was not waiting.

        Raises:
            StoreError: The database refused.
        """
        waiting = handoffs.c.conversation_id == conversation_id, handoffs.c.closed_at.is_(None)
        with self._writing() as connection:
            closed = connection.execute(update(handoffs).where(*waiting).values(closed_at=datetime.now(UTC)))
        return bool(closed.rowcount)

    def waiting(self, *, limit: int = 100) -> Sequence[Waiting]:
        """The conversations that wait for a person, the longest first.

        Raises:
            StoreError: The database refused.
        """
        query = select(handoffs).where(handoffs.c.closed_at.is_(None)).order_by(handoffs.c.id).limit(limit)
        with reading(self._engine) as connection:
            return tuple(
                Waiting(
                    row.conversation_id,
                    row.turn_id,
                    row.reason,
                    row.intent,
                    row.language,
                    # SQLite forgets the time zone; what was stored was UTC.
                    row.opened_at if row.opened_at.tzinfo else row.opened_at.replace(tzinfo=UTC),
                )
                for row in connection.execute(query)
            )

    def close(self) -> None:
        """Send what is queued for the webhook, each once more at most, and stop."""
        if self._webhook is not None:
            self._webhook.close()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        # Not `knowledge.database.writing`: that one takes turns with the writers of knowledge.
        try:
            with self._engine.connect().execution_options(kefu_writes=True) as connection, connection.begin():
                yield connection
        except DBAPIError as error:
            raise refusal(self._engine, error) from error


def _event(turn: Turn, row: dict[str, Any], about: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """What the webhook is told. The customer's words are live: a person needs the number to call back."""
    return {
        "event": "conversation.handoff",
        **row,
        "opened_at": row["opened_at"].isoformat(),
        "channel": turn.message.channel,
        "message": turn.message.text,
        "about": dict(about),
    }


class _Webhook:
    """Posts events from a thread of its own: a slow or dead receiver never holds up a turn."""

    def __init__(self, url: str, *, timeout_s: float, retry_after_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._retry_after_s = retry_after_s
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue(_QUEUED)
        self._closing = threading.Event()
        self._mutex = threading.Lock()
        self._thread: threading.Thread | None = None

    def tell(self, event: dict[str, Any]) -> None:
        with self._mutex:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="kefu-handoff", daemon=True)
                self._thread.start()
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            log.warning("handoff.webhook_dropped", turn=event["turn_id"], queued=_QUEUED)

    def close(self) -> None:
        self._closing.set()
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()

    def _serve(self) -> None:
        with httpx.Client(timeout=self._timeout_s, follow_redirects=False) as client:
            while (event := self._queue.get()) is not None:
                self._post(client, event)

    def _post(self, client: httpx.Client, event: dict[str, Any]) -> None:
        problem = ""
        for attempt in range(_TRIES):
            if attempt and self._closing.wait(self._retry_after_s * 3 ** (attempt - 1)):
                break
            try:
                answer = client.post(self._url, json=event)
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                problem = f"{type(error).__name__}: {error}"
                continue
            if answer.is_success:
                return
            problem = f"status {answer.status_code}"
            if answer.status_code < 500:
                break
        log.error("handoff.webhook_failed", turn=event["turn_id"], problem=problem)
