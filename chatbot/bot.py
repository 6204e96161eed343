"""One customer message, start to end: the only page where the stages meet.

message -> understand -> search -> decide -> answer -> record (-> a person)
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import structlog

from chatbot.recall import best_of, recall
from chatbot.several import together
from chatbot.types import (
    Answerer,
    AnswerFrom,
    Decision,
    Decline,
    Delta,
    Desk,
    Handoff,
    Message,
    Policy,
    Reply,
    Turn,
    TurnStore,
    Understander,
    Understanding,
    Verdict,
)
from knowledge.errors import KefuError
from knowledge.types import Hit, Retriever

log = structlog.get_logger(__name__)


Weigh: TypeAlias = Callable[[Understanding, Sequence[Hit]], tuple[Understanding, Sequence[Hit]]]


def as_they_are(understanding: Understanding, hits: Sequence[Hit]) -> tuple[Understanding, Sequence[Hit]]:
    """Weighs nothing."""
    return understanding, hits


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages that answer now; replaced as a whole when knowledge or models change."""

    understander: Understander
    retriever: Retriever
    policy: Policy
    answerer: Answerer
    versions: Mapping[str, str]
    weigh: Weigh = as_they_are
    """Stored answers and the intent beside each other, before it is decided."""
    suggestions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Questions to start with, by language."""


@dataclass(slots=True)
class _Draft:
    """What is known of the turn so far; stays inside one call of `Bot.reply`."""

    understanding: Understanding
    hits: Sequence[Hit] = ()
    verdict: Verdict = field(
        default_factory=lambda: Verdict(Decline("no_answer"), "A stage failed; nothing is claimed.")
    )
    said: str = ""
    reply: Reply | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


@dataclass(frozen=True, slots=True)
class Bot:
    """Answers messages; safe to call from many threads.

    Args:
        stages: The stages in force; asked once a message, so that one turn sees one version.
        store: Orders and keeps the turns.
        desk: Told of a handoff after its turn is stored.
        k: How many passages are looked at.
        context_turns: How many earlier turns are read.
        language: Spoken when a stage fails before the language is known.
    """

    stages: Callable[[], Stages]
    store: TurnStore
    desk: Desk
    k: int = 5
    context_turns: int = 6
    language: Literal["zh", "en"] = "zh"

    def reply(self, message: Message) -> Iterator[Delta | Turn]:
        """Yield the reply's pieces, then the stored turn.

        The turn is on disk before it is yielded. A key that was answered before yields the stored reply
        again. Closing the iterator early stores what was said so far as interrupted.

        Raises:
            ConflictError: The key was used for another text, or is being answered right now.
            StoreError: The database is not there; nothing was acknowledged.
        """
        answered = self.store.begin(message)
        if answered is not None:
            yield Delta(answered.reply.text)
            yield answered
            return
        try:
            turn = yield from self._answer(message)
        except BaseException:
            self.store.abandon(message)
            raise
        yield turn

    def _answer(self, message: Message) -> Generator[Delta, None, Turn]:
        start = time.perf_counter()
        stages = self.stages()
        history = self.store.history(message.conversation_id, limit=self.context_turns)
        draft = self._decide(stages, message, history)
        try:
            yield from self._say(stages, draft, history)
        except GeneratorExit:
            draft.reply = Reply(draft.said, finish="interrupted")
            self._record(message, stages, draft, start)
            raise
        return self._record(message, stages, draft, start)

    def _decide(self, stages: Stages, message: Message, history: Sequence[Turn]) -> _Draft:
        language = history[-1].understanding.language if history else self.language
        draft = _Draft(Understanding(query=message.text, language=language))
        try:
            with draft.timed("understand"):
                draft.understanding = stages.understander.understand(message, history)
            understood = draft.understanding
            with draft.timed("search"):
                hits = recall(stages.retriever, understood, history, k=self.k)
                found = [recall(stages.retriever, part, history, k=self.k) for part in understood.parts]
            with draft.timed("decide"):
                draft.understanding, draft.hits = stages.weigh(understood, hits)
                verdict = stages.policy.decide(draft.understanding, draft.hits, history)
                parts = [stages.weigh(*part) for part in zip(understood.parts, found, strict=True)]
                verdicts = [stages.policy.decide(part, hits, history) for part, hits in parts]
                draft.verdict = together(verdict, verdicts) if verdicts else verdict
            draft.hits = best_of(draft.hits, *(hits for _, hits in parts))
        except Exception:
            # Customers never see an exception: they are told honestly that this one cannot be answered.
            log.exception("turn.stage_failed", conversation=message.conversation_id)
        return draft

    def _say(self, stages: Stages, draft: _Draft, history: Sequence[Turn]) -> Iterator[Delta]:
        with draft.timed("answer"):
            pieces = stages.answerer.answer(draft.verdict.decision, draft.understanding, draft.hits, history)
            for piece in pieces:
                if isinstance(piece, Reply):
                    draft.reply = piece
                else:
                    draft.said += piece.text
                    yield piece

    def _record(self, message: Message, stages: Stages, draft: _Draft, start: float) -> Turn:
        turn = Turn(
            id=uuid.uuid4().hex,
            message=message,
            understanding=draft.understanding,
            hits=draft.hits,
            decision=_done(draft),
            reply=draft.reply or Reply(draft.said, finish="cut"),
            seconds={**draft.seconds, "total": time.perf_counter() - start},
            versions={
                **stages.versions,
                "index": stages.retriever.version,
                "calibration": stages.policy.version,
            },
            reason=draft.verdict.reason,
        )
        stored = self.store.append(turn)
        if isinstance(turn.decision, Handoff):
            try:
                self.desk.open(stored)
            except KefuError:
                log.exception("handoff.failed", turn=stored.id)
        log.info(
            "turn.recorded",
            turn=stored.id,
            decision=stored.decision.kind,
            seconds=round(stored.seconds["total"], 4),
        )
        return stored


def _done(draft: _Draft) -> Decision:
    """What was done in the end: where the model found nothing in the passages, what was decided otherwise."""
    decided = draft.verdict.decision
    if draft.reply and draft.reply.otherwise and isinstance(decided, AnswerFrom) and decided.otherwise:
        return decided.otherwise
    return decided
