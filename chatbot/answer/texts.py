"""What the bot says by itself: fixed sentences in texts.yaml, Chinese and English."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

from chatbot.answer.templates import fill, in_language


@lru_cache(maxsize=1)
def _texts() -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = yaml.safe_load(
        files("chatbot.answer").joinpath("texts.yaml").read_text("utf-8")
    )
    return loaded


def say(name: str, language: str, *, turn: str = "", **values: str) -> str:
    """The text `name` with its slots filled; of several wordings the one that `turn` chooses."""
    wordings = in_language(_texts()[name], language)
    chosen = [wordings] if isinstance(wordings, str) else list(wordings)
    return fill(str(chosen[zlib.crc32(turn.encode()) % len(chosen)]), values)


def known_names() -> tuple[str, ...]:
    """The names of all texts."""
    return tuple(_texts())
