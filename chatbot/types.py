"""The values of a conversation, and the one-method seams between the stages of a turn.

    Message -> Understanding -> Hits -> Decision -> Reply; all of them together are a Turn.

Every value is frozen. `chatbot/bot.py` is the only place where the stages meet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from knowledge.types import Hit

Channel: TypeAlias = Literal["web", "widget", "api", "terminal"]
Finish: TypeAlias = Literal["complete", "cut", "withheld", "interrupted"]
"""complete; cut at the token limit; withheld by the guard; interrupted by the customer."""
HandoffReason: TypeAlias = Literal["requested", "intent", "no_answer", "unhappy", "urgent"]
DeclineReason: TypeAlias = Literal["out_of_scope", "no_answer", "nothing_more", "unhappy", "unsafe"]
Act: TypeAlias = Literal["ask", "inform", "correct", "cancel", "smalltalk", "human", "urgent"]
"""What the customer does: asks, gives a slot, corrects one, drops the task, chats, wants a person, is in danger."""


LIKELY = 0.5
"""More probable than not; probabilities are calibrated, so this is no knob."""
UNHAPPY = -0.4
"""Sentiment from which down a customer is displeased."""
VERY_UNHAPPY = -0.6
"""Sentiment from which down a customer is treated as angry."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a customer wrote."""

    conversation_id: str
    text: str
    sent_at: datetime
    channel: Channel = "web"
    locale: str | None = None
    """The language chosen on the page, if any; the text's own language wins when it is clear."""
    key: str = ""
    """Idempotency key made by the client; "" where the door makes one."""


@dataclass(frozen=True, slots=True)
class Understanding:
    """What the customer wants, as far as the words tell."""

    query: str
    """The message as a standalone question: context carried in, Traditional and full-width folded."""
    language: str
    """"zh" or "en": the language of the reply."""
    script: Literal["Hans", "Hant", "Latn"] = "Latn"
    """The script the customer writes in; a Traditional reader is answered in Traditional."""
    act: Act = "ask"
    intent: str | None = None
    """The best intent, also when `confidence` is too low to act on."""
    confidence: float = 0.0
    """Calibrated P(intent is right), 0..1."""
    slots: Mapping[str, str] = field(default_factory=dict)
    """Slots known for `intent`: from this message and, where they carry over, from earlier turns."""
    near: Mapping[str, float] = field(default_factory=dict)
    """How near the likeliest intents are, as hits have their `nearness`; empty where no chats are remembered."""
    stranger: float = 0.0
    """Cosine of the nearest sentence that no support bot should act on, as hits have theirs of stored questions."""
    unanswered: float = 0.0
    """How near what nothing answered in past chats is, as hits have their `nearness`; 0 where no chats are remembered."""
    remark: float = 0.0
    """The same of what asked nothing."""
    courteous: bool = False
    """It thanks or says good-bye, and neither asks nor wants anything by its form."""
    sentiment: float = 0.0
    """-1 angry .. +1 happy."""
    rewritten: bool = False
    """True when `query` is not what the customer wrote but was completed from the context."""
    other_reading: str = ""
    """Looked up as well: the message completed from the conversation where `query` stands alone, and the other way round."""
    read_as: str = ""
    """The message with what was said before it, for a retriever that learned to read that; "" for none."""
    new_words: Sequence[str] = ()
    """The content words of the message itself, without those that its context lent."""
    stays: bool = False
    """The message may ask more of what the last template was about; `intent` is then that template's."""
    parts: Sequence[Understanding] = ()
    """The questions of a message that asks several, each understood by itself; () for one question."""
    passage_id: str | None = None
    """The customer chose this passage from options (a clarification or a related question)."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """The best few intents with their probabilities, for "why this answer"."""


@dataclass(frozen=True, slots=True)
class UseTemplate:
    """Answer with an intent's template, its slots filled."""

    intent: str
    slots: Mapping[str, str] = field(default_factory=dict)
    kind: Literal["template"] = "template"


@dataclass(frozen=True, slots=True)
class AnswerFrom:
    """Answer from passages: the first one word for word, or composed from all of them."""

    passage_ids: Sequence[str]
    verbatim: bool
    sure: bool = True
    """False: the answer is offered under the question that it answers, with others to choose from."""
    otherwise: UseTemplate | AnswerFrom | Clarify | Decline | Handoff | None = None
    """Done instead where the dialogue model reads the passages and finds that none of them tells."""
    kind: Literal["answer"] = "answer"


@dataclass(frozen=True, slots=True)
class AskSlot:
    """Ask for the one slot that is missing next."""

    intent: str
    slot: str
    slots: Mapping[str, str] = field(default_factory=dict)
    """The slots already filled."""
    attempt: int = 1
    """2 when the same slot is asked again."""
    passage_id: str | None = None
    """A stored answer to the general question, given before the customer's own case is asked for."""
    kind: Literal["ask_slot"] = "ask_slot"


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a clarification."""

    label: str
    passage_id: str | None = None
    intent: str | None = None


@dataclass(frozen=True, slots=True)
class Clarify:
    """Ask which of two or three things was meant."""

    options: Sequence[Option]
    kind: Literal["clarify"] = "clarify"


@dataclass(frozen=True, slots=True)
class Decline:
    """Say honestly that the bot cannot answer this, and what it can do."""

    reason: DeclineReason
    kind: Literal["decline"] = "decline"


@dataclass(frozen=True, slots=True)
class Handoff:
    """Bring in a person."""

    reason: HandoffReason
    intent: str | None = None
    kind: Literal["handoff"] = "handoff"


@dataclass(frozen=True, slots=True)
class Several:
    """Answer the questions of one message one after the other; what has to be asked comes last."""

    decisions: Sequence[UseTemplate | AnswerFrom | AskSlot]
    kind: Literal["several"] = "several"


Decision: TypeAlias = UseTemplate | AnswerFrom | AskSlot | Clarify | Decline | Handoff | Several


def told_in(turn: Turn) -> frozenset[str]:
    """The passages that a turn's reply gave, without those that it only pointed to."""
    told: set[str] = set()
    for decision in each_of(turn.decision):
        if isinstance(decision, AnswerFrom) and not decision.verbatim and turn.reply.citations:
            told.update(citation.passage_id for citation in turn.reply.citations)
        elif isinstance(decision, AnswerFrom):
            told.update(decision.passage_ids[:1])
        elif isinstance(decision, AskSlot) and decision.passage_id:
            told.add(decision.passage_id)
    return frozenset(told)


def each_of(decision: Decision) -> Sequence[Decision]:
    """The decisions of a message that asked several things; else the decision alone."""
    return decision.decisions if isinstance(decision, Several) else (decision,)


@dataclass(frozen=True, slots=True)
class Citation:
    """A source that the reply rests on."""

    passage_id: str
    title: str
    text: str
    source: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the bot says."""

    text: str
    citations: Sequence[Citation] = ()
    quick_replies: Sequence[str] = ()
    finish: Finish = "complete"
    refused: Sequence[str] = ()
    """What the guard refused in a composed answer, and why; for "why this answer", never shown to customers."""
    otherwise: bool = False
    """The model found nothing in the passages, and what was decided otherwise was done."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message and its reply, with everything needed to explain it."""

    id: str
    message: Message
    understanding: Understanding
    hits: Sequence[Hit]
    decision: Decision
    reply: Reply
    seconds: Mapping[str, float]
    """Wall time of each stage: understand, search, decide, answer, total."""
    versions: Mapping[str, str]
    """index, intents, calibration, encoder, dialogue_model, kefu."""
    reason: str = ""
    """In words, for people: which rule of the policy decided."""
    sequence: int = 0
    """Position in the conversation, from 1; given by the store."""


@dataclass(frozen=True, slots=True)
class Rating:
    """What a customer thought of a reply."""

    turn_id: str
    value: Literal["up", "down"]
    reasons: Sequence[str] = ()
    comment: str = ""
    rated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision with the rule that made it, in words."""

    decision: Decision
    reason: str


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a person can take over now, and how to reach one otherwise."""

    open_now: bool
    hours: str
    """As people write them, e.g. "Mon-Fri 09:00-18:00 (Asia/Shanghai)"; "" when always open."""
    contact: str
    """E-mail or phone from the settings; "" when there is none."""


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a reply that is on its way."""

    text: str


class Understander(Protocol):
    """Reads a message in its context."""

    @property
    def version(self) -> str:
        """Changes when it understands differently."""
        ...

    def understand(self, message: Message, history: Sequence[Turn]) -> Understanding:
        """What the customer wants, given the earlier turns, oldest first."""
        ...


class Policy(Protocol):
    """Decides what to do; a pure function of its arguments."""

    @property
    def version(self) -> str:
        """The calibration in force."""
        ...

    def decide(self, understanding: Understanding, hits: Sequence[Hit], history: Sequence[Turn]) -> Verdict:
        """What to do, and by which rule."""
        ...


class Answerer(Protocol):
    """Says it: yields pieces as they become certain, then the whole reply, always last."""

    def answer(
        self,
        decision: Decision,
        understanding: Understanding,
        hits: Sequence[Hit],
        history: Sequence[Turn],
    ) -> Iterator[Delta | Reply]:
        """Pieces, then the reply whose text they are."""
        ...


class TurnStore(Protocol):
    """Keeps turns: what is acknowledged is stored."""

    def begin(self, message: Message) -> Turn | None:
        """Take the next place in the conversation; the stored turn if this key was answered before.

        Blocks until earlier turns of the conversation are over, in this and other processes.

        Raises:
            ConflictError: The key was used for another text, or its turn is still being answered.
            StoreError: The database did not answer in time.
        """
        ...

    def append(self, turn: Turn) -> Turn:
        """Store the turn durably and give it its sequence; returns only when it is on disk."""
        ...

    def abandon(self, message: Message) -> None:
        """Give back the place taken by `begin`, so that a retry can have it."""
        ...

    def history(self, conversation_id: str, *, limit: int = 12) -> Sequence[Turn]:
        """The last `limit` turns, oldest first."""
        ...

    def rate(self, rating: Rating) -> None:
        """Store a rating; the last one of a turn counts.

        Raises:
            StoreError: There is no such turn.
        """
        ...


class Desk(Protocol):
    """Where people take over."""

    def availability(self, at: datetime) -> Availability:
        """Whether somebody is there at that moment."""
        ...

    def open(self, turn: Turn) -> None:
        """Put the conversation before a person; called after the turn is stored, at most once a turn."""
        ...
