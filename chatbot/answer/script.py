"""Chinese in the script that the customer writes."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import opencc


@lru_cache(maxsize=1)
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("s2twp")


def in_script(text: str, script: Literal["Hans", "Hant", "Latn"]) -> str:
    """The text in Traditional characters (with Taiwan's words) for a Traditional reader; else as it is."""
    return str(_converter().convert(text)) if script == "Hant" else text
