"""A turn as JSON, and back; rows of earlier versions of Kefu stay readable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from operator import is_
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from chatbot.types import Turn
from knowledge.errors import StoreError, first_problem

_TURN: TypeAdapter[Turn] = TypeAdapter(Turn)
_EMPTY: Mapping[str, Any] = {
    "hits": (),
    "decision": {"kind": "decline", "reason": "no_answer"},
    "reply": {"text": ""},
    "seconds": {},
    "versions": {},
}
"""What a row that lacks a part is read as; a part added later must have a default or stand here."""
_ATOMS = frozenset({str, float, int, bool, type(None), dict, datetime})
"""What has no lists in it, a turn's tables included."""


def encode_turn(turn: Turn) -> dict[str, Any]:
    """The turn as values that `json.dumps` takes; times as ISO 8601, a decision by its `kind`."""
    encoded: dict[str, Any] = _TURN.dump_python(turn, mode="json", warnings=False)
    return encoded


def write_turn(turn: Turn) -> str:
    """What `encode_turn` makes, as JSON; written in one go, as it is with every turn."""
    try:
        return _TURN.dump_json(turn, warnings=False).decode()
    except PydanticSerializationError:  # half an emoji: legal in a str, but not in UTF-8
        return json.dumps(encode_turn(turn))


def as_read(turn: Turn) -> Turn:
    """The turn as it will be read again, without writing and reading it: lists are tuples then."""
    settled: Turn = _settled(turn)
    return settled


def decode_turn(body: Mapping[str, Any]) -> Turn:
    """The turn that `encode_turn` wrote, now or in an earlier version.

    Parts that are missing take their defaults and parts that are unknown are left out; lists come back
    as tuples, so that a turn is as frozen as when it was stored.

    Raises:
        StoreError: It is no turn, or one with values that this version does not know.
    """
    whole = {**_EMPTY, **body}
    message = whole.get("message")
    if "understanding" not in whole and isinstance(message, Mapping):
        whole["understanding"] = {
            "query": message.get("text", ""),
            "language": message.get("locale") or "",
        }
    try:
        return _TURN.validate_python(_frozen(whole))
    except ValidationError as error:
        msg = (
            f"The stored turn {body.get('id', '?')!r} cannot be read: {first_problem(error)}. "
            "It was written by another version of Kefu; update Kefu, or delete that turn."
        )
        raise StoreError(msg) from error


def _settled(value: Any) -> Any:
    kind = type(value)
    if kind is list or kind is tuple:
        items = tuple([item if type(item) in _ATOMS else _settled(item) for item in value])
        return value if kind is tuple and all(map(is_, items, value)) else items
    changed = {}
    for name in getattr(kind, "__dataclass_fields__", ()):
        part = getattr(value, name)
        if type(part) not in _ATOMS and (new := _settled(part)) is not part:
            changed[name] = new
    return replace(value, **changed) if changed else value


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _frozen(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_frozen(item) for item in value)
    return value
