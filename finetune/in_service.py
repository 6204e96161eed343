"""A dialogue model before and after it learned, as it serves: behind search and guard, on companies that it never saw.

What `kefu train dialogue` counts while it learns are single tokens; customers see replies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import yaml
from langchain_core.language_models import BaseChatModel

from chatbot.evaluate.dialogue import Dialogue, Played, TimedModel, figures_of, play_dialogues
from chatbot.settings import GenerationSettings
from chatbot.understand.rewrite import Rewriter
from finetune.conversations import World
from knowledge.build import arrange
from knowledge.search import SnapshotRetriever
from knowledge.settings import RetrievalSettings
from knowledge.types import Encoder, Entry, Progress

SAFETY = Path(__file__).parent / "safety.yaml"
"""Messages that press a bot to promise, invent or obey."""
_NONE = "(none of them tells)"
_FIGURES = (
    "n",
    "rouge_l",
    "composed_rate",
    "declined_rate",
    "stopped_rate",
    "grounded_rate",
    "first_token_ms_p50",
    "tokens_per_second",
)
"""What the model has a share in: the search is the same before and after."""


@dataclass(frozen=True, slots=True)
class Service:
    """How dialogue models are put to use.

    Args:
        open: Opens the language model with an adapter; None: without one.
        encoder: Finds the passages.
        generation: Of the project.
        most: Messages that are played, and as many of `safety.yaml`; 0: none.
    """

    open: Callable[[Path | None], BaseChatModel]
    encoder: Encoder
    generation: GenerationSettings
    most: int


def in_service(
    worlds: Sequence[World], service: Service | None, *, before: Path | None, after: Path, progress: Progress
) -> dict[str, Any]:
    """`test_before`, `test` and `changed` for metrics.json, where anything is to be played.

    Args:
        worlds: Companies that were not learned from.
        service: How to play them; None: not at all.
        before: Folder of the model that learning began with; None: the untrained one.
        after: That of the new one, which need not be among the project's models yet.
        progress: Told how far it is.
    """
    if not service or not service.most or not any(world.examples for world in worlds):
        return {}
    played = [_played(worlds, service, adapter, progress=progress) for adapter in (before, after)]
    was, now = ([*asked, *pressed] for asked, pressed, _ in played)
    return {
        "test_before": played[0][2],
        "test": played[1][2],
        "changed": [
            {
                "text": " / ".join([*one.dialogue.spoken, one.dialogue.current]),
                "gold": one.dialogue.response or _NONE,
                "before": _shown(one),
                "after": _shown(other),
            }
            for one, other in zip(was, now, strict=True)
        ],
    }


def _played(
    worlds: Sequence[World], service: Service, adapter: Path | None, *, progress: Progress
) -> tuple[list[Played], list[Played], dict[str, Any]]:
    """Messages of the companies, those of the safety set, and the figures of both.

    Safe is who writes nothing that the guard has to stop: what customers see is grounded anyway.
    """
    clock = TimedModel(inner=service.open(adapter))
    asked, pressed = list[Played](), list[Played]()
    for world, (messages, pressing) in zip(worlds, _shares(worlds, service.most), strict=True):
        asked += _play(world, messages, service, clock, progress=progress)
        pressed += _play(world, pressing, service, clock, progress=progress)
    stopped = [bool(one.reply.stopped) for one in pressed]
    figures = {
        **{name: value for name, value in figures_of(asked, clock).items() if name in _FIGURES},
        "safe_rate": 1 - sum(stopped) / max(1, len(pressed)),
        "safety_declined_rate": sum(one.reply.declined for one in pressed) / max(1, len(pressed)),
    }
    return asked, pressed, figures


def _play(
    world: World, dialogues: Sequence[Dialogue], service: Service, clock: TimedModel, *, progress: Progress
) -> list[Played]:
    if not dialogues:
        return []
    entries = [Entry(replace(one, source="faq"), (one.title,)) for one in world.passages.values()]
    snapshot = arrange(entries, service.encoder, settings=RetrievalSettings())
    return play_dialogues(
        dialogues,
        SnapshotRetriever(snapshot, service.encoder),
        Rewriter([one.title for one in world.passages.values()]),
        clock=clock,
        encoder=service.encoder,
        generation=service.generation,
        progress=progress,
    )


def _shares(worlds: Sequence[World], most: int) -> list[tuple[list[Dialogue], list[Dialogue]]]:
    """For each company its messages and those of the safety set: `most` of each in all, dealt in turn."""
    messages = [[_dialogue(world, place) for place in range(len(world.examples))] for world in worlds]
    dealt = [one for row in zip_longest(*messages) for one in row if one is not None][:most]
    pressing = yaml.safe_load(SAFETY.read_text("utf-8"))
    languages = [world.locale for world in worlds]
    each = -(-most // len(set(languages)))
    shares = []
    for number, own in enumerate(messages):
        alike = [place for place, language in enumerate(languages) if language == languages[number]]
        lines = pressing.get(languages[number], [])[:each][alike.index(number) :: len(alike)]
        pressed = [Dialogue((), line, frozenset(), "") for line in lines]
        shares.append(([one for one in own if one in dealt], pressed))
    return shares


def _dialogue(world: World, place: int) -> Dialogue:
    said = world.examples[place]
    return Dialogue(said.chat, said.ask, frozenset(said.sources), said.answer or "")


def _shown(one: Played) -> str:
    """What the model makes of a message."""
    if one.reply.composed:
        return one.reply.text
    return _NONE if one.reply.declined else "(stopped by the guard)"
