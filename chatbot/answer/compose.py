"""Compose an answer from passages: the model writes, the guard lets through what stands in them.

A sentence leaves here only after it passed; the first one that does not pass ends the composition.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeAlias, cast

import structlog
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, BaseMessageChunk, HumanMessage

from chatbot.answer.breaker import Breaker
from chatbot.answer.candidates import MOST, Candidates
from chatbot.answer.extract import pieces, relevance
from chatbot.answer.guard import examine
from chatbot.answer.prompt import GROUNDED, NONE, messages, reading
from chatbot.answer.sentences import arriving, split
from chatbot.settings import GenerationSettings
from knowledge.types import Encoder, Passage

log = structlog.get_logger(__name__)

_MOST_SENTENCES = 3
_CHARACTERS_PER_TOKEN = 8
"""No tokenizer writes longer tokens on average; more characters than this mean an endless stream."""
_CLOSE = 0.6
"""An answer shares at least this part of the words that the closest stored sentence shares with the question."""


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence that passed."""

    text: str
    passage_ids: tuple[str, ...]


@dataclass(slots=True)
class Outcome:
    """How a composition ended."""

    refused: list[str] = field(default_factory=list)
    """"sentence: why" for each that did not pass, and what else ended it."""
    cut: bool = False
    """The token limit or the deadline ended it."""
    none: bool = False
    """The model read the passages and finds that none of them tells."""


def reads_passages(model: BaseChatModel | None) -> bool:
    """Whether a model was fine-tuned to choose the sentence that tells, or none, and to quote it."""
    return getattr(model, "prompt", "") == GROUNDED


class Composer:
    """Writes answers with a chat model; safe to use from many threads.

    Args:
        model: The dialogue model.
        settings: Token limit, temperature, deadline, number of passages.
        encoder: Tells which sentences a model that was fine-tuned reads; without it such a model does not read.
        breaker: Remembers failures of the model.
    """

    def __init__(
        self,
        model: BaseChatModel,
        settings: GenerationSettings,
        *,
        encoder: Encoder | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        self._model, self._settings = model, settings
        self._encoder = encoder if reads_passages(model) else None
        self._breaker = breaker or Breaker()
        self.reads = self._encoder is not None
        """Whether the model can say which sentence tells, or none."""

    def compose(
        self, question: str, passages: Sequence[Passage], *, language: str, chat: Sequence[str] = ()
    ) -> Generator[Said, None, Outcome]:
        """Yield sentences as they pass; return how it ended. Never raises for the model's sake.

        Closing the generator stops the model.

        Args:
            question: The customer's message.
            passages: What the answer may say; as many as the settings allow are read.
            language: "zh" or "en".
            chat: What was said before: customer, bot, customer, bot.
        """
        outcome = Outcome()
        if not self._breaker.allows():
            outcome.refused.append("the dialogue model failed repeatedly and rests")
            return outcome
        passages = passages[: self._settings.passages]
        ends = time.monotonic() + self._settings.deadline_s
        try:
            asked = self._asked(question, passages, language, chat)
            stream = _bounded(lambda: self._pieces(asked), ends)
            if self.reads:
                outcome.none, stream = _declined(stream)
            if not outcome.none:
                yield from self._passing(question, passages, arriving(stream), outcome)
            self._breaker.worked()
        except _Ended as ended:
            outcome.cut = True
            outcome.refused.append(str(ended))
            self._breaker.failed() if ended.fault else self._breaker.worked()
        except Exception as error:
            # Whatever the model or its server does, the stored answer is at hand.
            self._breaker.failed()
            outcome.refused.append(f"the dialogue model failed: {type(error).__name__}")
            log.warning("compose.failed", error=type(error).__name__)
        return outcome

    def _passing(
        self, question: str, passages: Sequence[Passage], sentences: Iterator[str], outcome: Outcome
    ) -> Iterator[Said]:
        earlier: list[str] = []
        for sentence in sentences:
            finding = examine(sentence, passages)
            refusals = list(finding.refusals) or self._off_the_point(question, sentence, passages, earlier)
            if refusals:
                outcome.refused += [f"{sentence}: {refusal}" for refusal in refusals]
                return
            earlier.append(sentence)
            yield Said(sentence, finding.passage_ids)
            if len(earlier) == _MOST_SENTENCES:
                return

    def _off_the_point(
        self, question: str, sentence: str, passages: Sequence[Passage], earlier: list[str]
    ) -> list[str]:
        if self.reads:
            return ["it repeats itself"] if sentence in earlier else []
        return _beside(question, sentence, passages, earlier)

    def _asked(
        self, question: str, passages: Sequence[Passage], language: str, chat: Sequence[str]
    ) -> list[BaseMessage]:
        if self._encoder is None:
            return messages(question, passages, language)
        likeliest = Candidates(passages, self._encoder).nearest(question, chat)[:MOST]
        return [HumanMessage(reading(question, likeliest, chat))]

    def _pieces(self, asked: list[BaseMessage]) -> Iterator[str]:
        limit = self._settings.max_tokens
        room = limit * _CHARACTERS_PER_TOKEN
        stream = self._model.stream(asked, max_tokens=limit, temperature=self._settings.temperature)
        with contextlib.closing(cast("Generator[BaseMessageChunk]", stream)):  # hangs up on a server
            for chunk in stream:
                text = str(chunk.text)
                room -= len(text)
                if text:
                    yield text
                if room < 0 or chunk.response_metadata.get("finish_reason") == "length":
                    msg = "the token limit was reached"
                    raise _Ended(msg, fault=False)


def _declined(stream: Iterator[str]) -> tuple[bool, Iterator[str]]:
    """Whether a model that reads says that no passage tells; and all that it writes otherwise."""
    begun = ""
    for piece in stream:
        begun += piece
        if not NONE.startswith(begun.strip()):
            return False, chain([begun.lstrip()], stream)
    return True, iter(())


class _Ended(Exception):  # noqa: N818 - not an error: a limit
    """A limit was reached."""

    def __init__(self, message: str, *, fault: bool) -> None:
        super().__init__(message)
        self.fault = fault


def _beside(question: str, sentence: str, passages: Sequence[Passage], earlier: list[str]) -> list[str]:
    """Why a true sentence is no answer: it was said before, or another one is much closer to the question."""
    if sentence in earlier:
        return ["it repeats itself"]
    about = pieces(sentence) & pieces(question)
    if earlier:
        return [] if about else ["it leaves the question"]
    stored = [kept for passage in passages for kept in split(passage.text)]
    *others, own = relevance(question, (*stored, sentence))
    if own < _CLOSE * max(others, default=0):
        return ["another sentence of the passage is closer to the question"]
    return []


_Arrived: TypeAlias = "queue.SimpleQueue[str | BaseException | None]"


def _bounded(open_stream: Callable[[], Iterator[str]], ends: float) -> Iterator[str]:
    """The pieces of a stream up to the moment `ends`, however long it hangs between two of them.

    The stream runs in its own thread, which stops at the next piece after this generator is closed.
    """
    arrived: _Arrived = queue.SimpleQueue()
    closed = threading.Event()
    work = threading.Thread(target=_pump, args=(open_stream, arrived, closed), name="compose", daemon=True)
    work.start()
    try:
        while (piece := _next(arrived, ends - time.monotonic())) is not None:
            yield piece
    finally:
        closed.set()


def _pump(open_stream: Callable[[], Iterator[str]], arrived: _Arrived, closed: threading.Event) -> None:
    try:
        with contextlib.closing(cast("Generator[str]", open_stream())) as stream:
            for piece in stream:
                arrived.put(piece)
                if closed.is_set():
                    return
        arrived.put(None)
    except BaseException as error:
        arrived.put(error)


def _next(arrived: _Arrived, left_s: float) -> str | None:
    try:
        piece = arrived.get(timeout=left_s) if left_s > 0 else TimeoutError()
    except queue.Empty:
        piece = TimeoutError()
    if isinstance(piece, TimeoutError):
        msg = "the deadline passed"
        raise _Ended(msg, fault=True)
    if isinstance(piece, BaseException):
        raise piece
    return piece
