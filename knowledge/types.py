"""The values of retrieval: what a company knows (Passage) and what a search finds (Hit)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Source: TypeAlias = Literal["faq", "chat_log", "document"]
Matrix: TypeAlias = npt.NDArray[np.float32]
"""Row-major float32 array, shape (rows, dimension)."""
Progress: TypeAlias = Callable[[str, float], None]
"""Told what is being done and how much of it is done, 0..1."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One thing the company knows: a stored answer, or a piece of a document."""

    id: str
    text: str
    """The answer, or the words of the document; what a customer may be shown word for word."""
    title: str
    """The standard question of an FAQ; the heading path of a document ("Returns > Opened boxes")."""
    source: Source
    locale: str
    """BCP 47: "zh" or "en" (any other tag is kept as it came)."""
    url: str | None = None
    quick_replies: tuple[str, ...] = ()
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A passage with the wordings by which it is found: what an index is built from."""

    passage: Passage
    questions: tuple[str, ...]
    """The standard question, then the similar ones; for a piece of a document its heading path."""
    negative_questions: tuple[str, ...] = ()
    """Questions that look like this one but must not be answered with it."""
    asked: tuple[str, ...] = ()
    """What customers asked in past chats that this answered, as it is encoded; its words are not looked for."""


class KnowledgeSource(Protocol):
    """Where an index gets its entries from, and learns what changed."""

    def entries(self) -> Iterable[Entry]:
        """All that may be answered now: enabled, valid today."""
        ...

    def entry(self, passage_id: str) -> Entry | None:
        """One of them; None when it was deleted, disabled or is not valid today."""
        ...

    def version(self) -> int:
        """The sequence of the last change; 0 when nothing was ever written."""
        ...

    def changes_since(self, sequence: int) -> Sequence[tuple[int, str, str]]:
        """Changes after `sequence`, oldest first: (sequence, kind, item id); kinds as in `knowledge_changes`."""
        ...


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found for a query."""

    passage: Passage
    score: float
    """Calibrated P(passage answers the query), 0..1; before calibration the fused raw score."""
    rank: int
    """1 is best."""
    matched: str = ""
    """The wording that matched: the standard question, a similar question, or the passage's title."""
    features: Mapping[str, float] = field(default_factory=dict)
    """What the score was made of (cosine, bm25, margin, overlap ...), for calibration and for "why"."""


class Retriever(Protocol):
    """Finds what the company knows about a query."""

    @property
    def version(self) -> str:
        """Names the index that answers now, e.g. "12-3f9a0c"; a turn records it."""
        ...

    def search(
        self, query: str, k: int = 5, *, locale: str | None = None, read_as: str = ""
    ) -> Sequence[Hit]:
        """The best `k` hits, best first, at most one a passage.

        Args:
            query: Its words are looked for.
            k: How many.
            locale: Its language is preferred.
            read_as: What is encoded for the query: itself in its conversation, for an encoder that learned to
                read that; "" for the query itself.
        """
        ...


class Encoder(Protocol):
    """Turns texts into unit vectors whose dot product is their likeness."""

    @property
    def fingerprint(self) -> str:
        """Model digest + width + prefixes: two encoders with equal fingerprints are interchangeable."""
        ...

    @property
    def dimension(self) -> int:
        """Width of a vector."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> Matrix:
        """What customers ask; float32, shape (len(texts), dimension), L2 norm 1."""
        ...

    def encode_passages(self, texts: Sequence[str]) -> Matrix:
        """What the company wrote; float32, shape (len(texts), dimension), L2 norm 1."""
        ...
