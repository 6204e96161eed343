"""What the database keeps: FAQ entries and documents, as values.

A passage's id names its row for ever: FAQ "f12" is passage "faq:f12", the third piece of the document
"shop-returns.md" is passage "doc:shop-returns.md#3".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from knowledge.types import Entry, Passage, Source

FAQ_PREFIX = "faq:"
DOCUMENT_PREFIX = "doc:"


@dataclass(frozen=True, slots=True)
class Faq:
    """A question with its approved answer; the columns of an FAQ file."""

    id: str
    question: str
    answer: str
    locale: str
    similar_questions: tuple[str, ...] = ()
    negative_questions: tuple[str, ...] = ()
    category: str | None = None
    tags: tuple[str, ...] = ()
    enabled: bool = True
    buttons: tuple[str, ...] = ()
    """Shown as quick replies under the answer."""
    source_url: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    """The last day on which the answer is given."""
    source: Source = "faq"

    def answers_on(self, day: date) -> bool:
        """Whether customers may get this answer on `day`."""
        started = self.valid_from is None or self.valid_from <= day
        return self.enabled and started and (self.valid_to is None or day <= self.valid_to)

    def entry(self) -> Entry:
        """What an index needs of it."""
        passage = Passage(
            id=FAQ_PREFIX + self.id,
            text=self.answer,
            title=self.question,
            source=self.source,
            locale=self.locale,
            url=self.source_url,
            quick_replies=self.buttons,
            category=self.category,
        )
        return Entry(passage, (self.question, *self.similar_questions), self.negative_questions)


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a document under its headings."""

    heading: str
    """Heading path from the title down: "Returns > Opened boxes"."""
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A file, or a record of a JSONL file, split into pieces."""

    id: str
    title: str
    file_name: str
    sha256: str
    """Of the bytes it was read from and of how they were split: equal means nothing to do."""
    locale: str
    pieces: tuple[Piece, ...]
    url: str | None = None

    def entries(self) -> tuple[Entry, ...]:
        """What an index needs of it, piece by piece, numbered from 1."""
        return tuple(
            Entry(self._passage(number, piece), (piece.heading,))
            for number, piece in enumerate(self.pieces, start=1)
        )

    def _passage(self, number: int, piece: Piece) -> Passage:
        return Passage(
            id=piece_id(self.id, number),
            text=piece.text,
            title=piece.heading,
            source="document",
            locale=self.locale,
            url=self.url,
        )


def piece_id(document_id: str, number: int) -> str:
    """The passage id of a document's piece, numbered from 1."""
    return f"{DOCUMENT_PREFIX}{document_id}#{number}"
