"""The page's words, by language."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@cache
def texts(language: str) -> dict[str, Any]:
    """All words of a language; English where it is not spoken."""
    spoken: dict[str, dict[str, Any]] = yaml.safe_load(
        (files("ui") / "page" / "texts.yaml").read_text("utf-8")
    )
    return spoken.get(language, spoken["en"])
