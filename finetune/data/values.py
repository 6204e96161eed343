"""The values between the stages of a dataset: what was read, what can be learned from it, what was set aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from knowledge.errors import KefuError
from knowledge.sources.places import Place
from knowledge.types import Passage

Speaker: TypeAlias = Literal["customer", "agent"]
Split: TypeAlias = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")


class DataError(KefuError):
    """A dataset cannot be made from what is there."""


class LeakError(DataError):
    """What is held out would be learned from."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a conversation."""

    speaker: Speaker
    text: str
    at: datetime | None = None
    thumb: float | None = None
    """What the customer thought of this very message: 1 up, 0 down."""
    passage_ids: tuple[str, ...] = ()
    """What it was made from, where the bot said it."""
    standalone: str = ""
    """The message as the bot completed it from its context, where it did."""
    intent: str = ""
    """The intent that the bot acted on, where it did."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation, in order."""

    id: str
    place: Place
    messages: tuple[Said, ...]
    source: str = "log"
    locale: str | None = None
    resolved: bool | None = None
    satisfaction: float | None = None
    """0 as bad as can be, 1 as good as can be."""
    topic: str = ""

    @property
    def at(self) -> datetime | None:
        """When it was over: what is learned from it was not known before."""
        return max((said.at for said in self.messages if said.at), default=None)


@dataclass(frozen=True, slots=True)
class Completion:
    """A follow-up with the standalone question that a person wrote for it."""

    place: Place
    context: tuple[str, ...]
    question: str
    standalone: str


@dataclass(frozen=True, slots=True)
class SetAside:
    """Something that was not taken: where it stands, and why."""

    place: Place
    why: str
    text: str = ""
    conversation_id: str = ""

    def record(self) -> dict[str, Any]:
        """As it is written; the text has been through the redactor."""
        return {
            "file": self.place.file,
            "line": self.place.line,
            "conversation_id": self.conversation_id or None,
            "why": self.why,
            "text": self.text or None,
        }


@dataclass(frozen=True, slots=True)
class Example:
    """One line of the dialogue dataset: messages that end with the one to be answered, and what to say."""

    id: str
    locale: str
    task: Literal["compose", "rewrite"]
    messages: tuple[tuple[str, str], ...]
    """(role, content), roles "user" and "assistant"; the last is the user's."""
    answer: str | None
    """None: the passages do not tell."""
    unit: str
    """What must not be torn apart by a split: the conversation, or the stored answer."""
    source: str
    passages: tuple[Passage, ...] = ()
    cites: tuple[str, ...] = ()
    standalone: str | None = None
    conversation_id: str | None = None
    at: datetime | None = None
    quality: float = 0.5
    place: Place = field(default_factory=lambda: Place(""))

    @property
    def question(self) -> str:
        """The message to be answered."""
        return self.messages[-1][1]

    @property
    def key(self) -> str:
        """By which two examples are the same: the question with the two messages before it."""
        return "\n".join([self.task, *(content for _, content in self.messages[-3:])])

    def record(self, split: Split) -> dict[str, Any]:
        """As it is written."""
        return {
            "id": self.id,
            "locale": self.locale,
            "split": split,
            "task": self.task,
            "passages": [{"id": p.id, "title": p.title, "text": p.text} for p in self.passages],
            "messages": [{"role": role, "content": content} for role, content in self.messages],
            "answer": self.answer,
            "cites": list(self.cites),
            "standalone": self.standalone,
            "source": self.source,
            "conversation_id": self.conversation_id,
            "at": self.at.isoformat() if self.at else None,
        }


@dataclass(frozen=True, slots=True)
class Pair:
    """A question with the passage that answers it, and some that look like it but do not."""

    question: str
    answer_id: str
    locale: str
    unit: str
    source: str
    negative_ids: tuple[str, ...] = ()
    conversation_id: str | None = None
    at: datetime | None = None

    @property
    def key(self) -> str:
        """By which two pairs are the same."""
        return self.question

    def record(self, split: Split) -> dict[str, Any]:
        """As it is written."""
        return {
            "question": self.question,
            "answer_id": self.answer_id,
            "negative_ids": " ".join(self.negative_ids),
            "locale": self.locale,
            "split": split,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class Labelled:
    """A message with its intent."""

    text: str
    intent: str
    locale: str
    unit: str
    source: str
    conversation_id: str | None = None
    at: datetime | None = None

    @property
    def key(self) -> str:
        """By which two messages are the same."""
        return self.text

    def record(self, split: Split) -> dict[str, Any]:
        """As it is written."""
        return {
            "text": self.text,
            "intent": self.intent,
            "locale": self.locale,
            "split": split,
            "source": self.source,
        }


Row: TypeAlias = Example | Pair | Labelled
Divided: TypeAlias = Mapping[str, Sequence[tuple[Split, Row]]]
"""Dataset ("dialogue", "retriever", "intents") -> its rows with their splits."""
