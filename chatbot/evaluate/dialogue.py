"""Whole dialogues over stored knowledge: is the right entry found, is the reply grounded, how soon does it come.

The customer's last turn is completed by the words of the turns before it, as the bot does it; where it may be
read in two ways, the reading that finds the surer answer counts. The reply is composed by the dialogue model
from the best entries, sentence by sentence through the guard, or is the best stored answer, word for word:
without a model, and wherever nothing that the model writes passes. A reply is grounded when each of its
sentences stands in its sources, as the guard examines them.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import PrivateAttr

from chatbot.answer.compose import Composer, Outcome, Said
from chatbot.answer.guard import examine
from chatbot.answer.sentences import split
from chatbot.evaluate.answers import language_of
from chatbot.evaluate.likeness import rouge_l
from chatbot.settings import GenerationSettings
from chatbot.understand.rewrite import Rewriter
from knowledge.errors import KnowledgeError
from knowledge.evaluate import DEPTH, measure
from knowledge.items import FAQ_PREFIX
from knowledge.types import Encoder, Hit, Passage, Progress, Retriever


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What was said up to the customer's last turn, what answers it, and what a person replied."""

    spoken: tuple[str, ...]
    current: str
    relevant: frozenset[str]
    response: str


@dataclass(frozen=True, slots=True)
class Replied:
    """A reply, its sources, and whether the model wrote it."""

    text: str
    sources: tuple[Passage, ...]
    composed: bool
    first_token_ms: float | None = None
    declined: bool = False
    """The model read the passages and wrote that none of them tells."""
    stopped: tuple[str, ...] = ()
    """What the model wrote and the guard did not let through, with why."""


@dataclass(frozen=True, slots=True)
class Played:
    """A dialogue, what was found for its last turn, and the reply."""

    dialogue: Dialogue
    found: tuple[str, ...]
    bare: tuple[str, ...]
    """What is found for the last turn as it came, without what was said before."""
    reply: Replied
    search_ms: float


def dialogues_of(rows: Sequence[Mapping[str, Any]]) -> list[Dialogue]:
    """The rows `{"turns": [{"role", "text"}], "relevant_ids": [...], "response"}` of a file.

    Turns after the customer's last one are left out; one that stands before any customer's is an error.

    Raises:
        KnowledgeError: Turns without a customer's, or of another shape.
    """
    dialogues = []
    for number, row in enumerate(rows, 1):
        try:
            turns = [(str(turn["role"]), str(turn["text"])) for turn in row["turns"]]
        except (TypeError, KeyError) as error:
            msg = f'Row {number}: the turns are not a list of objects with role and text. Write them as [{{"role": "user", "text": "..."}}, ...].'
            raise KnowledgeError(msg) from error
        asked = [place for place, (role, _) in enumerate(turns) if role in ("user", "customer", "human")]
        if not asked:
            msg = f"Row {number}: no turn is the customer's. Give at least one turn the role 'user'."
            raise KnowledgeError(msg)
        relevant = frozenset(FAQ_PREFIX + str(faq) for faq in row["relevant_ids"])
        spoken = tuple(text for _, text in turns[: asked[-1]])
        dialogues.append(Dialogue(spoken, turns[asked[-1]][1], relevant, str(row["response"])))
    return dialogues


def measure_dialogues(
    dialogues: Sequence[Dialogue],
    retriever: Retriever,
    rewriter: Rewriter,
    *,
    model: BaseChatModel | None,
    encoder: Encoder,
    generation: GenerationSettings,
    progress: Progress,
) -> dict[str, Any]:
    """The figures over all dialogues; retrieval over those that an entry answers."""
    clock = TimedModel(inner=model) if model else None
    played = play_dialogues(
        dialogues,
        retriever,
        rewriter,
        clock=clock,
        encoder=encoder,
        generation=generation,
        progress=progress,
    )
    return figures_of(played, clock)


def play_dialogues(
    dialogues: Sequence[Dialogue],
    retriever: Retriever,
    rewriter: Rewriter,
    *,
    clock: TimedModel | None,
    encoder: Encoder,
    generation: GenerationSettings,
    progress: Progress,
) -> list[Played]:
    """What is found for each dialogue and replied, by the model within the clock; without one, what is stored."""
    composer = Composer(clock, generation, encoder=encoder) if clock else None
    played = []
    for done, one in enumerate(dialogues, 1):
        start = time.perf_counter()
        question, hits = look_up(one, retriever, rewriter)
        ms = 1000 * (time.perf_counter() - start)
        reply = _reply(
            one, question, hits, composer=composer, clock=clock, started=start, most=generation.passages
        )
        found, bare = (
            tuple(hit.passage.id for hit in some) for some in (hits, retriever.search(one.current, 1))
        )
        played.append(Played(one, found, bare, reply, ms))
        progress("Playing the dialogues", done / len(dialogues))
    return played


def figures_of(played: Sequence[Played], clock: TimedModel | None) -> dict[str, Any]:
    """The figures of what was played, which is something."""
    replies = [one.reply for one in played]
    judged = [(one.found, one.dialogue.relevant) for one in played if one.dialogue.relevant]
    alone = [(one.bare, one.dialogue.relevant) for one in played if one.dialogue.relevant]
    firsts = [reply.first_token_ms for reply in replies if reply.first_token_ms is not None]
    return {
        "n": len(played),
        **_retrieval(judged, alone),
        "grounded_rate": float(np.mean([is_grounded(reply) for reply in replies])),
        "rouge_l": float(np.mean([rouge_l(one.reply.text, one.dialogue.response) for one in played])),
        "search_ms_p50": float(np.percentile([one.search_ms for one in played], 50)),
        "first_token_ms_p50": float(np.percentile(firsts, 50)) if firsts else None,
        "tokens_per_second": clock.tokens_per_second if clock else None,
        "composed_rate": float(np.mean([reply.composed for reply in replies])),
        "declined_rate": float(np.mean([reply.declined for reply in replies])),
        "stopped_rate": float(np.mean([bool(reply.stopped) for reply in replies])),
    }


def look_up(one: Dialogue, retriever: Retriever, rewriter: Rewriter) -> tuple[str, list[Hit]]:
    """The reading of the last turn that finds the surer answer, and what it finds."""
    read = rewriter.after(one.current, one.spoken)
    completed = rewriter.complete(one.current, one.spoken) if one.spoken else one.current
    readings = list(dict.fromkeys([read, completed]))
    results = [(reading, list(retriever.search(reading, DEPTH))) for reading in readings]
    return max(results, key=lambda result: result[1][0].score if result[1] else 0.0)


def is_grounded(reply: Replied) -> bool:
    """Whether each sentence stands in the sources; a reply without one claims nothing and is grounded."""
    return all(not examine(sentence, reply.sources).refusals for sentence in split(reply.text))


class TimedModel(BaseChatModel):
    """A chat model that counts the tokens it streams (one a piece) and the time that they take."""

    inner: BaseChatModel
    _tokens: int = PrivateAttr(0)
    _seconds: float = PrivateAttr(0.0)
    _first_at: float | None = PrivateAttr(None)

    @property
    def _llm_type(self) -> str:
        return "timed"

    @property
    def prompt(self) -> str:
        """Form of prompt that the model inside was fine-tuned on."""
        return str(getattr(self.inner, "prompt", ""))

    @property
    def tokens_per_second(self) -> float | None:
        """After the first token of each answer, which waits for the prompt to be read."""
        return self._tokens / self._seconds if self._seconds else None

    def take_first(self) -> float | None:
        """When the first token since the last call came, by `time.perf_counter`; None when none did."""
        first, self._first_at = self._first_at, None
        return first

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self.inner._generate(messages, stop=stop, run_manager=run_manager, **kwargs)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        first = last = 0.0
        for chunk in self.inner._stream(messages, stop=stop, run_manager=run_manager, **kwargs):
            last = time.perf_counter()
            if not first and chunk.text:
                first = self._first_at = last
            elif first:
                self._tokens += 1
            yield chunk
        self._seconds += last - first if first else 0.0


def _reply(
    one: Dialogue,
    question: str,
    hits: Sequence[Hit],
    *,
    composer: Composer | None,
    clock: TimedModel | None,
    started: float,
    most: int,
) -> Replied:
    if not hits:
        return Replied("", (), composed=False)
    sources = tuple(hit.passage for hit in hits[:most])
    if not (composer and clock):
        return Replied(sources[0].text, sources[:1], composed=False)
    asked, chat = (one.current, one.spoken) if composer.reads else (question, ())
    said, outcome = _whole(composer.compose(asked, sources, language=language_of(question), chat=chat))
    first = clock.take_first()
    return Replied(
        " ".join(said) or sources[0].text,
        sources if said else sources[:1],
        composed=bool(said),
        first_token_ms=1000 * (first - started) if first else None,
        declined=outcome.none,
        stopped=tuple(outcome.refused),
    )


def _whole(composing: Generator[Said, None, Outcome]) -> tuple[list[str], Outcome]:
    """All sentences of a composition, and how it ended."""
    said = []
    while True:
        try:
            said.append(next(composing).text)
        except StopIteration as end:
            return said, end.value


def _retrieval(
    judged: Sequence[tuple[tuple[str, ...], frozenset[str]]],
    alone: Sequence[tuple[tuple[str, ...], frozenset[str]]],
) -> dict[str, float | None]:
    """Of the completed turns, and of the last turns as they came."""
    if not judged:
        return dict.fromkeys(("p_at_1", "recall_at_5", "mrr_at_10", "p_at_1_bare"))
    each, bare = measure(judged), measure(alone)
    return {
        "p_at_1": float(np.mean([one.p_at_1 for one in each])),
        "recall_at_5": float(np.mean([one.recall_at_5 for one in each])),
        "mrr_at_10": float(np.mean([one.mrr_at_10 for one in each])),
        "p_at_1_bare": float(np.mean([one.p_at_1 for one in bare])),
    }
