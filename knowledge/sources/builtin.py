"""The intents that every bot has: small talk and care."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import yaml

from knowledge.sources.intents import Intent, IntentFile

SMALLTALK = "smalltalk."
"""How the names of intents that want nothing begin."""


def load_builtin_intents() -> list[Intent]:
    """Small talk and care, from knowledge/data/builtin_intents.yaml.

    A company's own intent of the same name is meant to take the place of the one here.
    """
    return list(_read().intents)


@cache
def _read() -> IntentFile:
    text = files("knowledge").joinpath("data/builtin_intents.yaml").read_text("utf-8")
    return IntentFile.model_validate(yaml.safe_load(text))
