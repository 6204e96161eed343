"""The knowledge in SQL: FAQ entries, documents and intents, and the log of their changes.

Every write adds its rows to `knowledge_changes` in the same transaction, so an index that follows
`version()` and `changes_since()` never misses one. Lists are read in pages of their own transactions: no
connection stays open while the caller works. Ask for `version()` before reading `entries()`, then replay
`changes_since()` that version: what was written in between is then seen at least once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Row,
    RowMapping,
    Table,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.sql import bindparam

from knowledge.database import open_engine, reading, writing
from knowledge.items import DOCUMENT_PREFIX, FAQ_PREFIX, Document, Faq
from knowledge.rows import (
    Record,
    document_of_rows,
    faq_of_row,
    intents_of_rows,
    record_of_document,
    record_of_faq,
    record_of_intent,
    records_of_pieces,
)
from knowledge.sources.intents import Intent
from knowledge.tables import document_passages, documents, faqs, intents, knowledge_changes
from knowledge.types import Entry, Passage

__all__ = ["KnowledgeStore", "open_engine"]

PAGE = 2_000
"""Rows read, and written, in one transaction; below SQLite's limit of 32,766 variables a statement."""

DOCUMENT_PAGE = 50

T = TypeVar("T")


class KnowledgeStore:
    """What the company knows; safe to share between threads. Also a `KnowledgeSource` of an index."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # What may be answered now

    def entries(self, *, today: date | None = None) -> Iterator[Entry]:
        """All that may be answered: enabled and valid on `today` (default: this machine's date)."""
        day = today or _today()
        for faq in self.faqs():
            if faq.answers_on(day):
                yield faq.entry()
        for document in self.documents():
            yield from document.entries()

    def entry(self, passage_id: str, *, today: date | None = None) -> Entry | None:
        """One of them; None when it was deleted, disabled or is not valid on `today`."""
        if passage_id.startswith(FAQ_PREFIX):
            faq = self.faq(passage_id.removeprefix(FAQ_PREFIX))
            return faq.entry() if faq and faq.answers_on(today or _today()) else None
        document_id, _, number = passage_id.removeprefix(DOCUMENT_PREFIX).rpartition("#")
        document = self.document(document_id) if passage_id.startswith(DOCUMENT_PREFIX) else None
        if document is None or not number.isdecimal() or not 1 <= int(number) <= len(document.pieces):
            return None
        return document.entries()[int(number) - 1]

    def passages(self, *, today: date | None = None) -> Iterator[Passage]:
        """The passages of `entries`."""
        return (entry.passage for entry in self.entries(today=today))

    # What was written

    def version(self) -> int:
        """The sequence of the last change; 0 when nothing was ever written."""
        with reading(self._engine) as connection:
            return int(connection.scalar(select(func.max(knowledge_changes.c.sequence))) or 0)

    def changes_since(self, sequence: int) -> list[tuple[int, str, str]]:
        """Changes after `sequence`, oldest first: (sequence, kind, item id).

        The kind is "faq", "passage" or "intent"; the item id is the FAQ's id, the passage's id ("doc:…#3")
        or the intent's name.
        """
        changes = knowledge_changes.c
        query = select(changes.sequence, changes.kind, changes.item_id).where(changes.sequence > sequence)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(changes.sequence))
            return [(row.sequence, row.kind, row.item_id) for row in rows]

    def dated_changes(self, after: date, up_to: date) -> list[str]:
        """Passage ids of FAQs whose validity began or ended after `after`, up to and with `up_to`.

        Days pass without a write; an index asks here when its date changes, then takes each `entry` anew.
        """
        begins = (faqs.c.valid_from > after) & (faqs.c.valid_from <= up_to)
        ends = (faqs.c.valid_to >= after) & (faqs.c.valid_to < up_to)
        with reading(self._engine) as connection:
            found = connection.scalars(select(faqs.c.id).where(or_(begins, ends)).order_by(faqs.c.id))
            return [FAQ_PREFIX + faq_id for faq_id in found]

    # Rows as values

    def faqs(self) -> Iterator[Faq]:
        """All FAQs in the order of their ids, disabled and expired ones too."""
        for page in self._pages(faqs):
            yield from map(faq_of_row, page)

    def faq(self, faq_id: str) -> Faq | None:
        """One FAQ, or None."""
        with reading(self._engine) as connection:
            row = connection.execute(select(faqs).where(faqs.c.id == faq_id)).first()
        return faq_of_row(row) if row else None

    def documents(self) -> Iterator[Document]:
        """All documents with their pieces, in the order of their ids."""
        for page in self._pages(documents, size=200):
            with reading(self._engine) as connection:
                pieces = _pieces(connection, [row.id for row in page])
            yield from (document_of_rows(row, pieces.get(row.id, [])) for row in page)

    def document(self, document_id: str) -> Document | None:
        """One document, or None."""
        with reading(self._engine) as connection:
            return _document(connection, document_id)

    def intents(self) -> list[Intent]:
        """All intents in the order of their names."""
        with reading(self._engine) as connection:
            return intents_of_rows(connection.execute(select(intents).order_by(intents.c.name)).all())

    def counts(self) -> Mapping[str, int]:
        """Rows of each table: faqs, documents, passages (of documents), intents."""
        tables = {
            "faqs": faqs,
            "documents": documents,
            "passages": document_passages,
            "intents": intents,
        }
        with reading(self._engine) as connection:
            return {
                name: connection.scalar(select(func.count()).select_from(table)) or 0
                for name, table in tables.items()
            }

    # Writing

    def upsert_faqs(self, items: Iterable[Faq]) -> int:
        """Add or replace FAQs by id, 2,000 in a transaction; equal ones are left alone. Returns how many changed.

        A process killed in between leaves whole transactions: earlier ones are stored, later ones are not.
        """
        return sum(self._upsert_faq_page(page) for page in chunks(items, PAGE))

    def delete_faqs(self, ids: Sequence[str]) -> int:
        """Remove FAQs; returns how many there were."""
        return sum(self._delete(faqs, "faq", page) for page in chunks(ids, PAGE))

    def upsert_documents(self, items: Iterable[Document]) -> int:
        """Add or replace documents with all their pieces, 50 in a transaction; returns how many changed."""
        return sum(self._upsert_document_page(page) for page in chunks(items, DOCUMENT_PAGE))

    def delete_documents(self, ids: Sequence[str]) -> int:
        """Remove documents with their pieces; returns how many there were."""
        return sum(map(self._delete_document, ids))

    def upsert_intents(self, items: Sequence[Intent]) -> int:
        """Add or replace intents by name in one transaction; equal ones are left alone. Returns how many changed."""
        records = [record_of_intent(intent) for intent in items]
        with self._writing() as connection:
            return _upsert(connection, intents, "intent", records)

    def delete_intents(self, names: Sequence[str]) -> int:
        """Remove intents; returns how many there were."""
        return self._delete(intents, "intent", names)

    # Private parts

    def _upsert_faq_page(self, page: Sequence[Faq]) -> int:
        records = {faq.id: record_of_faq(faq) for faq in page}  # the last of equal ids wins, as row by row
        with self._writing() as connection:
            return _upsert(connection, faqs, "faq", list(records.values()))

    def _upsert_document_page(self, page: Sequence[Document]) -> int:
        with self._writing() as connection:
            return sum(_upsert_document(connection, document) for document in page)

    def _delete_document(self, document_id: str) -> int:
        with self._writing() as connection:
            old = _document(connection, document_id)
            if old is None:
                return 0
            connection.execute(delete(documents).where(documents.c.id == document_id))
            _log(connection, "passage", [entry.passage.id for entry in old.entries()])
            return 1

    def _delete(self, table: Table, kind: str, keys: Sequence[str]) -> int:
        key = _key(table)
        with self._writing() as connection:
            found = list(connection.scalars(select(key).where(key.in_(keys))))
            connection.execute(delete(table).where(key.in_(found)))
            _log(connection, kind, found)
            return len(found)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with writing(self._engine) as connection:
            if self._engine.dialect.name == "postgresql":
                # Change numbers must become visible in order, or a reader that saw number 6 would never
                # look for number 5, committed later. SQLite has one writer at a time anyway.
                connection.execute(text("LOCK TABLE knowledge_changes IN SHARE ROW EXCLUSIVE MODE"))
            yield connection

    def _pages(self, table: Table, *, size: int = PAGE) -> Iterator[Sequence[Row[Any]]]:
        key, last = _key(table), ""
        while True:
            query = select(table).where(key > last).order_by(key).limit(size)
            with reading(self._engine) as connection:
                page = connection.execute(query).all()
            if not page:
                return
            yield page
            last = page[-1]._mapping[key.name]


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most `size` items."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _upsert(connection: Connection, table: Table, kind: str, records: Sequence[Record]) -> int:
    """Insert new rows, update changed ones, leave equal ones; log both. Portable: no dialect's ON CONFLICT."""
    key = _key(table)
    found = connection.execute(select(table).where(key.in_([record[key.name] for record in records])))
    old = {row._mapping[key.name]: row._mapping for row in found}
    new = [record for record in records if record[key.name] not in old]
    changed = [
        record for record in records if record[key.name] in old and _differs(old[record[key.name]], record)
    ]
    now = _now()
    if new:
        stamps = {name: now for name in ("created_at", "updated_at") if name in table.c}
        connection.execute(insert(table), [record | stamps for record in new])
    if changed:
        statement = update(table).where(key == bindparam("old_key"))
        connection.execute(
            statement, [record | {"updated_at": now, "old_key": record[key.name]} for record in changed]
        )
    _log(connection, kind, [record[key.name] for record in (*new, *changed)])
    return len(new) + len(changed)


def _upsert_document(connection: Connection, document: Document) -> int:
    """Replace a document with its pieces, unless it is equal; log only the pieces that differ."""
    old = _document(connection, document.id)
    if old == document:
        return 0
    before = {entry.passage.id: entry for entry in (old.entries() if old else ())}
    after = {entry.passage.id: entry for entry in document.entries()}
    if old:
        connection.execute(delete(documents).where(documents.c.id == document.id))
    connection.execute(insert(documents), [record_of_document(document) | {"imported_at": _now()}])
    for page in chunks(records_of_pieces(document), PAGE):
        connection.execute(insert(document_passages), page)
    touched = before.keys() | after.keys()
    _log(connection, "passage", sorted(key for key in touched if before.get(key) != after.get(key)))
    return 1


def _differs(old: RowMapping, record: Record) -> bool:
    return any(old[name] != value for name, value in record.items())


def _log(connection: Connection, kind: str, item_ids: Sequence[str]) -> None:
    if item_ids:
        now = _now()
        rows = [{"kind": kind, "item_id": item_id, "changed_at": now} for item_id in item_ids]
        connection.execute(insert(knowledge_changes), rows)


def _document(connection: Connection, document_id: str) -> Document | None:
    row = connection.execute(select(documents).where(documents.c.id == document_id)).first()
    return document_of_rows(row, _pieces(connection, [document_id]).get(document_id, [])) if row else None


def _pieces(connection: Connection, document_ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    of = document_passages.c
    query = (
        select(document_passages).where(of.document_id.in_(document_ids)).order_by(of.document_id, of.ordinal)
    )
    pieces: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(query):
        pieces.setdefault(row.document_id, []).append(row)
    return pieces


def _key(table: Table) -> Column[str]:
    (key,) = table.primary_key.columns
    return key


def _now() -> datetime:
    return datetime.now(UTC)


def _today() -> date:
    return datetime.now().astimezone().date()
