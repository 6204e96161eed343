"""One fake for each seam: small, deterministic, no model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from chatbot.types import (
    AnswerFrom,
    Availability,
    Decision,
    Decline,
    Delta,
    Handoff,
    Message,
    Rating,
    Reply,
    Turn,
    Understanding,
    Verdict,
)
from knowledge.errors import StoreError
from knowledge.types import Encoder, Hit, Matrix, Passage


@dataclass(frozen=True, slots=True)
class OpenedEncoder:
    """Encoder settings whose encoder is open already."""

    encoder: Encoder
    adapter: Path | None = None

    def open(self, *, cache: Path, threads: int) -> Encoder:
        return self.encoder

    def model_copy(self, *, update: Mapping[str, Any]) -> OpenedEncoder:
        return replace(self, **update)


class FakeEncoder:
    """Bag of character bigrams and words hashed into a unit vector: texts that share words are near."""

    fingerprint = "fake-256"
    dimension = 256

    def encode_queries(self, texts: Sequence[str]) -> Matrix:
        return np.stack([self._encode(text) for text in texts]) if texts else np.zeros((0, 256), np.float32)

    encode_passages = encode_queries

    def _encode(self, text: str) -> Matrix:
        vector = np.zeros(self.dimension, np.float32)
        lowered = text.lower()
        for piece in [*lowered.split(), *(lowered[i : i + 2] for i in range(len(lowered) - 1)), lowered]:
            vector[int.from_bytes(hashlib.md5(piece.encode()).digest()[:4], "little") % self.dimension] += 1
        norm = float(np.linalg.norm(vector))
        return vector / norm if norm else vector


class FakeUnderstander:
    """Takes the words as they are; the first known intent name in the text is the intent."""

    version = "fake"

    def __init__(self, *intents: str) -> None:
        self.intents = intents

    def understand(self, message: Message, history: Sequence[Turn]) -> Understanding:
        intent = next((name for name in self.intents if name in message.text), None)
        return Understanding(
            query=message.text, language="en", intent=intent, confidence=0.99 if intent else 0.0
        )


class FakeRetriever:
    """Finds the passages whose title shares words with the query; the share is the score."""

    version = "fake-1"

    def __init__(self, *passages: Passage) -> None:
        self.passages = passages

    def search(
        self, query: str, k: int = 5, *, locale: str | None = None, read_as: str = ""
    ) -> Sequence[Hit]:
        words = set(query.lower().split())
        scored = [(len(words & set(p.title.lower().split())) / max(1, len(words)), p) for p in self.passages]
        best = sorted((pair for pair in scored if pair[0]), key=lambda pair: -pair[0])[:k]
        return [Hit(p, score, rank, matched=p.title) for rank, (score, p) in enumerate(best, 1)]


class FakePolicy:
    """Answers from the best hit, else declines."""

    version = "fake"

    def decide(self, understanding: Understanding, hits: Sequence[Hit], history: Sequence[Turn]) -> Verdict:
        if "person" in understanding.query:
            return Verdict(Handoff("requested"), "asked")
        if hits:
            return Verdict(AnswerFrom((hits[0].passage.id,), verbatim=True), "found")
        return Verdict(Decline("no_answer"), "nothing found")


class FakeAnswerer:
    """Says the passage in two pieces, or the name of the decision."""

    def answer(
        self,
        decision: Decision,
        understanding: Understanding,
        hits: Sequence[Hit],
        history: Sequence[Turn],
    ) -> Iterator[Delta | Reply]:
        text = hits[0].passage.text if isinstance(decision, AnswerFrom) else decision.kind
        middle = len(text) // 2
        yield Delta(text[:middle])
        yield Delta(text[middle:])
        yield Reply(text)


class FakeStore:
    """Turns in memory, in the order of a lock for each conversation."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.ratings: list[Rating] = []
        self.abandoned: list[Message] = []

    def begin(self, message: Message) -> Turn | None:
        for turn in self.turns:
            if message.key and (turn.message.conversation_id, turn.message.key) == (
                message.conversation_id,
                message.key,
            ):
                return turn
        return None

    def append(self, turn: Turn) -> Turn:
        sequence = 1 + sum(t.message.conversation_id == turn.message.conversation_id for t in self.turns)
        stored = replace(turn, sequence=sequence)
        self.turns.append(stored)
        return stored

    def abandon(self, message: Message) -> None:
        self.abandoned.append(message)

    def history(self, conversation_id: str, *, limit: int = 12) -> Sequence[Turn]:
        return [turn for turn in self.turns if turn.message.conversation_id == conversation_id][-limit:]

    def rate(self, rating: Rating) -> None:
        if not any(turn.id == rating.turn_id for turn in self.turns):
            msg = f"There is no turn {rating.turn_id}. Rate a turn that was answered."
            raise StoreError(msg)
        self.ratings.append(rating)


class FakeDesk:
    """Always open; remembers who was brought in."""

    def __init__(self) -> None:
        self.opened: list[Turn] = []

    def availability(self, at: datetime) -> Availability:
        return Availability(open_now=True, hours="", contact="")

    def open(self, turn: Turn) -> None:
        self.opened.append(turn)
