"""Rows of the SQL tables and the values they stand for; nothing here talks to a database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from pydantic import ValidationError
from sqlalchemy import Row

from knowledge.errors import StoreError, first_problem
from knowledge.items import Document, Faq, Piece, piece_id
from knowledge.sources.intents import Intent

Record: TypeAlias = dict[str, Any]
"""Column -> value, without the time stamps that the store adds."""


def record_of_faq(faq: Faq) -> Record:
    """The columns of `faqs`."""
    return {
        "id": faq.id,
        "question": faq.question,
        "similar_questions": list(faq.similar_questions),
        "negative_questions": list(faq.negative_questions),
        "answer": faq.answer,
        "category": faq.category,
        "tags": list(faq.tags),
        "locale": faq.locale,
        "enabled": faq.enabled,
        "buttons": list(faq.buttons),
        "source_url": faq.source_url,
        "valid_from": faq.valid_from,
        "valid_to": faq.valid_to,
        "source": faq.source,
    }


def faq_of_row(row: Row[Any]) -> Faq:
    """A row of `faqs` as a value."""
    return Faq(
        id=row.id,
        question=row.question,
        answer=row.answer,
        locale=row.locale,
        similar_questions=tuple(row.similar_questions),
        negative_questions=tuple(row.negative_questions),
        category=row.category,
        tags=tuple(row.tags),
        enabled=row.enabled,
        buttons=tuple(row.buttons),
        source_url=row.source_url,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        source=row.source,
    )


def record_of_document(document: Document) -> Record:
    """The columns of `documents`."""
    return {
        "id": document.id,
        "title": document.title,
        "file_name": document.file_name,
        "sha256": document.sha256,
        "locale": document.locale,
        "url": document.url,
    }


def records_of_pieces(document: Document) -> list[Record]:
    """The rows of `document_passages`, numbered from 1."""
    return [
        {
            "id": piece_id(document.id, number),
            "document_id": document.id,
            "ordinal": number,
            "heading": piece.heading,
            "text": piece.text,
            "locale": document.locale,
        }
        for number, piece in enumerate(document.pieces, start=1)
    ]


def document_of_rows(row: Row[Any], pieces: Iterable[Row[Any]]) -> Document:
    """A row of `documents` with its pieces in order."""
    return Document(
        id=row.id,
        title=row.title,
        file_name=row.file_name,
        sha256=row.sha256,
        locale=row.locale,
        pieces=tuple(Piece(piece.heading, piece.text) for piece in pieces),
        url=row.url,
    )


def record_of_intent(intent: Intent) -> Record:
    """The columns of `intents`; defaults are left out, so that new settings of the schema reach old rows."""
    return {"name": intent.name, "definition": intent.model_dump(mode="json", exclude_defaults=True)}


def intents_of_rows(rows: Sequence[Row[Any]]) -> list[Intent]:
    """Rows of `intents` as values.

    Raises:
        StoreError: A row was written by a version with another schema.
    """
    intents = []
    for row in rows:
        try:
            intents.append(Intent.model_validate(row.definition))
        except ValidationError as error:
            raise StoreError(
                f"The stored intent '{row.name}' does not fit this version of Kefu ({first_problem(error)}). "
                "Import the YAML file of your intents again."
            ) from error
    return intents
