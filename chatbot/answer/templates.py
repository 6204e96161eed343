"""Answers with plain named slots: `{order_id}` is replaced, everything else is text.

There is no template language, since texts that people edit must not be programs; and what a customer wrote
into a slot is only ever text: it is neither a template again nor markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from knowledge.sources.intents import PLACEHOLDER, Intent, Slot, Template

Value = TypeVar("Value")

_MARKUP = re.compile(r"[<>`\[\]{}|\\]|[\x00-\x08\x0b-\x1f\x7f]")
_LONGEST = 200
"""Characters of a slot that are shown; an order number or a product name is shorter."""


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace each `{name}` that has a value; one that has none is left out. One pass: values stay text."""
    return PLACEHOLDER.sub(lambda match: values.get(match.group(1), ""), text)


def plain(value: str) -> str:
    """A customer's words as they may be shown: one line, no markup characters, not endless."""
    folded = " ".join(_MARKUP.sub(" ", value).split())
    return folded if len(folded) <= _LONGEST else f"{folded[:_LONGEST]}…"


def in_language(texts: Mapping[str, Value], language: str) -> Value:
    """The text in `language`; else in English or Chinese, else in whatever there is."""
    for tag in (language, "en" if language == "en" else "zh", "zh", "en"):
        if tag in texts:
            return texts[tag]
    return next(iter(texts.values()))


def choose(intent: Intent, slots: Mapping[str, str], language: str) -> str | None:
    """The text of the first template whose conditions hold and whose slots are all known; not yet filled.

    None when there is no such template: half a sentence must not be said.
    """
    return next(_fitting(intent.templates, slots, language), None)


def more(intent: Intent, slots: Mapping[str, str], language: str) -> list[str]:
    """The lines of its details that can be said; not yet filled."""
    return list(_fitting(intent.details, slots, language))


def _fitting(templates: Iterable[Template], slots: Mapping[str, str], language: str) -> Iterator[str]:
    for template in templates:
        if not _holds(template, slots):
            continue
        text = in_language(template.text, language)
        if all(slots.get(name) for name in PLACEHOLDER.findall(text)):
            yield text


def _holds(template: Template, slots: Mapping[str, str]) -> bool:
    return all(slots.get(name, "").casefold() == value.casefold() for name, value in template.when.items())


def label(slot: Slot, value: str, language: str) -> str:
    """How a slot's value is shown: a choice by its label, anything else as plain text."""
    labels = slot.labels.get(value)
    return in_language(labels, language) if labels else plain(value)


def shown(intent: Intent, slots: Mapping[str, str], language: str) -> dict[str, str]:
    """The slots of an intent as a template may show them; unknown ones are plain text."""
    known = {slot.name: slot for slot in intent.slots}
    return {
        name: label(known[name], value, language) if name in known else plain(value)
        for name, value in slots.items()
    }


_PATTERN_PART = re.compile(r"(\\d|\[[^\]]+\]|[A-Za-z0-9_-])(?:\{(\d+)(?:,\d*)?\})?")


def example(pattern: str) -> str:
    r"""Something that a simple pattern matches ("LM\d{4}" -> "LM1234"); "" when the pattern is not simple."""
    made, at = "", 0
    for match in _PATTERN_PART.finditer(pattern):
        if match.start() != at:
            return ""
        at = match.end()
        part = match.group(1)
        for _ in range(int(match.group(2) or 1)):
            digit = part == "\\d" or "0-9" in part or "\\d" in part
            made += (
                str((sum(char.isdigit() for char in made) + 1) % 10)
                if digit and len(part) > 1
                else part.strip("[]")[0]
            )
    return made if at == len(pattern) and re.fullmatch(pattern, made) else ""
