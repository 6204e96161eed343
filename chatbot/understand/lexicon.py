"""The word lists of this stage, read once from lexicon.yaml."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml


def words(name: str) -> frozenset[str]:
    """The word list `name`."""
    return frozenset(_read()[name].split())


def weighted_words(name: str) -> dict[str, int]:
    """Word -> weight, for a list that is grouped by weight."""
    return {word: weight for weight, text in _read()[name].items() for word in text.split()}


@cache
def _read() -> dict[str, Any]:
    text = files("chatbot.understand").joinpath("lexicon.yaml").read_text("utf-8")
    return dict(yaml.safe_load(text))
