"""Conversations to learn answering from: what was said, what a search would show, and the sentences that answer.

A file holds an invented company's help pages and what customers ask about them; `finetune/companies/README.md`
describes it. An answer is quoted, so that a model that learns from it quotes; None: the passages do not tell.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chatbot.answer.candidates import MOST, Candidates
from chatbot.answer.sentences import split
from knowledge.errors import KnowledgeError, first_problem
from knowledge.packaged.manifest import sha256_of
from knowledge.types import Encoder, Passage, Progress

SHIPPED = Path(__file__).parent / "companies"
"""What the default dialogue model learned from."""


_LOOKED_AT = 12
"""Sentences that are kept of each message; those that answer and do not rank among them are not looked for."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Example(_Table):
    """One message of a customer, and how it is to be answered."""

    chat: tuple[str, ...] = ()
    """What was said before: customer, bot, customer, bot."""
    ask: str
    means: str | None = None
    """The message as a question that stands alone; None where it does."""
    sources: tuple[str, ...] = Field(alias="from")
    """Ids of the passages that answer, the best first; none where nothing does."""
    near: tuple[str, ...] = ()
    answer: str | None

    @model_validator(mode="after")
    def _answers_from_somewhere(self) -> Example:
        if (self.answer is None) == bool(self.sources):
            msg = "an answer needs 'from', and 'answer: null' needs 'from: []'"
            raise ValueError(msg)
        if len(self.chat) % 2:
            msg = "'chat' holds a customer's line and the bot's, in turn"
            raise ValueError(msg)
        return self


class _Page(_Table):
    id: str
    title: str
    text: str


class _File(_Table):
    company: str
    locale: str
    passages: tuple[_Page, ...]
    examples: tuple[Example, ...]

    @model_validator(mode="after")
    def _passages_are_there(self) -> _File:
        known = {page.id for page in self.passages}
        for number, example in enumerate(self.examples, 1):
            if missing := {*example.sources, *example.near} - known:
                msg = f"example {number} ({example.ask[:40]}) names the passage '{min(missing)}', which is not there"
                raise ValueError(msg)
        return self


@dataclass(frozen=True, slots=True)
class World:
    """A company's help pages and what was asked about them."""

    name: str
    locale: str
    passages: Mapping[str, Passage]
    examples: tuple[Example, ...]
    sha256: str
    """Of its file."""
    follow_ups: tuple[Example, ...] = ()
    """Messages that are only to be made stand alone."""
    held_out: bool = False
    """Kept for judging."""


@dataclass(frozen=True, slots=True)
class Exam:
    """A message, and the sentences that it is answered from."""

    sentences: tuple[Passage, ...]
    """The likeliest first, each as a passage with its own id."""
    example: Example

    @property
    def answer(self) -> str | None:
        """The sentences that answer; None where not all of them are shown."""
        shown = {line(one.text) for one in self.sentences}
        wanted = self.example.answer
        return wanted if wanted and shown.issuperset(split(wanted)) else None


def read_worlds(folder: Path) -> list[World]:
    """The worlds of a folder, by name.

    Raises:
        KnowledgeError: There are none, or one is no YAML of this form.
    """
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise KnowledgeError(f"There are no conversations (*.yaml) in {folder}. Name another folder.")
    return [_read(path) for path in paths]


def _read(path: Path) -> World:
    try:
        file = _File.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise KnowledgeError(
            f"{path} cannot be read ({error}). Correct it, or take it out of the folder."
        ) from error
    except ValidationError as error:
        raise KnowledgeError(
            f"{path}: {first_problem(error)}. finetune/companies/README.md describes the form."
        ) from error
    pages = {
        page.id: Passage(page.id, line(page.text), line(page.title), "document", file.locale)
        for page in file.passages
    }
    return World(
        path.stem, file.locale, pages, tuple(_plain(example) for example in file.examples), sha256_of(path)
    )


class Examiner:
    """Draws what messages are answered from.

    Args:
        encoder: Tells which sentences a message is near to.
        most: Sentences that are shown.
        absent: Share of the messages with an answer that are shown sentences without it.
    """

    def __init__(self, encoder: Encoder, *, most: int = MOST, absent: float = 0.1) -> None:
        self._encoder, self._most, self._absent = encoder, most, absent
        self._ranked: dict[str, list[tuple[Example, list[Passage]]]] = {}

    def look_up(self, worlds: Sequence[World], *, progress: Progress) -> None:
        """Find the sentences that each message is near to, which takes a minute or two for many companies."""
        for done, world in enumerate(worlds, 1):
            self._likeliest(world)
            progress("Looking up sentences", done / len(worlds))

    def exams(self, world: World, *, seed: int | None = None) -> Iterator[Exam]:
        """Every message once.

        Args:
            world: Whose.
            seed: Of the draw. The answer is among the sentences of each message, but for the share that is shown others.
                None: those that are likeliest are shown, as in service.
        """
        draw = random.Random(f"{world.name} {seed}")
        for example, ranked in self._likeliest(world):
            shown = ranked[: self._most]
            if seed is not None and example.answer:
                wanted = [one for one in ranked if _answers(one, example)]
                others = [one for one in ranked if one not in wanted]
                if draw.random() < self._absent:
                    shown = others[: self._most]
                else:
                    shown = _with(wanted, shown, others, draw, most=self._most)
            yield Exam(tuple(shown), example)

    def _likeliest(self, world: World) -> list[tuple[Example, list[Passage]]]:
        """Its messages with the sentences that are near them; looked up once."""
        if world.name not in self._ranked:
            every = Candidates(list(world.passages.values()), self._encoder)
            self._ranked[world.name] = [
                (one, every.nearest(one.ask, one.chat)[:_LOOKED_AT]) for one in world.examples
            ]
        return self._ranked[world.name]


def _with(
    wanted: Sequence[Passage],
    shown: Sequence[Passage],
    others: Sequence[Passage],
    draw: random.Random,
    *,
    most: int,
) -> list[Passage]:
    """The sentences that answer where they rank, or at any place where they do not rank among those shown."""
    if all(one in shown for one in wanted):
        return list(shown)
    kept = list(others[: max(0, most - len(wanted))])
    for one in wanted:
        kept.insert(draw.randint(0, len(kept)), one)
    return kept


def _answers(sentence: Passage, example: Example) -> bool:
    return sentence.id in example.sources and line(sentence.text) in split(example.answer or "")


def _plain(example: Example) -> Example:
    changed: dict[str, Any] = {
        "chat": tuple(line(text) for text in example.chat),
        "ask": line(example.ask),
        "answer": line(example.answer) if example.answer else None,
        "means": line(example.means) if example.means else None,
    }
    return example.model_copy(update=changed)


def line(text: str) -> str:
    """A text as one line."""
    return " ".join(text.split())
