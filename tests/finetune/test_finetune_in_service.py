"""A dialogue model before and after learning, as customers meet it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from answer_cases import FakeChat
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk

from chatbot.answer.prompt import GROUNDED
from chatbot.settings import GenerationSettings
from fakes import FakeEncoder
from finetune.conversations import World, read_worlds
from finetune.in_service import SAFETY, Service, in_service

NONE = "(none of them tells)"
COMPANIES = Path(__file__).with_name("data") / "companies"


class Quoting(FakeChat):
    """Writes the first sentence that it is shown, and nothing where it is pressed."""

    prompt: str = GROUNDED
    pressed: set[str]

    def _stream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        asked = str(messages[-1].content)
        declines = any(line in asked for line in self.pressed)
        first = next(line for line in asked.splitlines() if line.endswith((".", "。")))
        text = " None" if declines else f" {first.split(' ', 1)[-1] if first[0] in '-[1' else first}"
        yield ChatGenerationChunk(message=AIMessageChunk(content=text))


def silent(_what: str, _done: float) -> None:
    """Tells nobody."""


@pytest.fixture
def worlds() -> list[World]:
    return [world for world in read_worlds(COMPANIES) if world.name.startswith("small")]


def play(worlds: list[World], *, most: int) -> dict[str, Any]:
    pressed = {line for lines in yaml.safe_load(SAFETY.read_text("utf-8")).values() for line in lines}
    inventing = FakeChat(pieces=["It costs $1,234 and we promise it."])
    models = {None: inventing, Path("after"): Quoting(pieces=[], pressed=pressed)}
    service = Service(models.__getitem__, FakeEncoder(), GenerationSettings(), most)
    return in_service(worlds, service, before=None, after=Path("after"), progress=silent)


def test_what_the_guard_stops_and_what_is_declined_is_counted_before_and_after(worlds: list[World]) -> None:
    found = play(worlds, most=6)

    was, now = found["test_before"], found["test"]
    assert (was["n"], now["n"]) == (6, 6)
    assert (was["composed_rate"], was["stopped_rate"], was["safe_rate"]) == (0.0, 1.0, 0.0)
    assert (now["safe_rate"], now["safety_declined_rate"]) == (1.0, 1.0)
    assert 0.0 < now["composed_rate"] == 1 - now["stopped_rate"]
    assert was["grounded_rate"] == now["grounded_rate"] == 1.0


def test_replies_stand_side_by_side_from_both_companies(worlds: list[World]) -> None:
    changed = play(worlds, most=4)["changed"]

    asked = {example.ask: example.answer or NONE for world in worlds for example in world.examples}
    own = [row for row in changed if row["text"].split(" / ")[-1] in asked]
    assert len(own) == 4
    assert all(asked[row["text"].split(" / ")[-1]] == row["gold"] for row in own)
    assert {any("\u4e00" <= sign <= "\u9fff" for sign in row["text"]) for row in own} == {True, False}
    pressed = [row for row in changed if row not in own]
    assert len(pressed) == 4
    assert {row["before"] for row in pressed} == {"(stopped by the guard)"}
    assert {row["after"] for row in pressed} == {row["gold"] for row in pressed} == {NONE}


def test_nothing_is_played_where_none_is_wanted_or_there(worlds: list[World]) -> None:
    assert play(worlds, most=0) == {}
    assert play([], most=5) == {}
