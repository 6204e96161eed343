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

from chatbot.answer.extract import pieces
from knowledge.errors import KnowledgeError, first_problem
from knowledge.packaged.manifest import sha256_of
from knowledge.types import Passage

SHIPPED = Path(__file__).parent / "companies"
"""What the default dialogue model learned from."""


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
    """Messages that are answered from the same few passages, in this order."""

    world: World
    passages: tuple[Passage, ...]
    examples: tuple[Example, ...]

    def choice(self, example: Example) -> int:
        """Number of the passage that answers, from 1; 0 where none of these does."""
        shown = [passage.id for passage in self.passages]
        if example.answer is None or not set(example.sources) <= set(shown):
            return 0
        return shown.index(example.sources[0]) + 1


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


def exams(world: World, *, seed: int, most: int = 10, absent: float = 0.1) -> Iterator[Exam]:
    """Every example once, each with its passages and others that are like them.

    Args:
        world: Whose.
        seed: Of the draw: another one gives other company to each passage.
        most: Examples of one exam.
        absent: Share of the examples whose passages are left out, so that nothing answers.
    """
    draw = random.Random(f"{world.name} {seed}")
    like = _likeness(world)
    waiting = list(world.examples)
    draw.shuffle(waiting)
    while waiting:
        shown = _company(waiting[0], world, like, draw)
        taken = [example for example in waiting if _fits(example, shown)][:most]
        waiting = [example for example in waiting if not any(example is one for one in taken)]
        others = [
            example
            for example in world.examples
            if example.answer and not set(example.sources) & set(shown) and not _told(example)
        ]
        count = sum(draw.random() < absent for _ in taken)
        taken += draw.sample(others, min(count, len(others)))
        draw.shuffle(shown)
        yield Exam(world, tuple(world.passages[name] for name in shown), tuple(taken))


def _company(
    example: Example, world: World, like: Mapping[str, Sequence[str]], draw: random.Random
) -> list[str]:
    """Two to four passages: those of the example, one that is like them, and any."""
    shown = list(dict.fromkeys((*example.sources, *example.near)))[:3]
    wanted = max(len(shown), draw.choice((2, 3, 3, 3, 4)))
    for name in (
        *like[shown[0]][: draw.choice((1, 2))],
        *draw.sample(sorted(world.passages), min(4, len(world.passages))),
    ):
        if len(shown) < wanted and name not in shown:
            shown.append(name)
    return shown


def _fits(example: Example, shown: Sequence[str]) -> bool:
    return {*example.sources, *example.near} <= set(shown)


def _told(example: Example) -> bool:
    """Whether the answer was said before already."""
    return any(example.answer is not None and example.answer in line for line in example.chat)


def _likeness(world: World) -> dict[str, list[str]]:
    """The other passages by the share of words in common, for each."""
    words = {name: pieces(f"{page.title} {page.text}") for name, page in world.passages.items()}

    def alike(one: str, other: str) -> float:
        return len(words[one] & words[other]) / max(1, len(words[one] | words[other]))

    return {
        name: sorted((other for other in words if other != name), key=lambda other: -alike(name, other))
        for name in words
    }


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
