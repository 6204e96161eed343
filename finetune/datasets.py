"""Datasets that `kefu train data build` wrote, as the dialogue model reads them: each line its own few passages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.conversations import SHIPPED, Example, World, line, read_worlds
from knowledge.errors import KnowledgeError
from knowledge.packaged.manifest import sha256_of
from knowledge.types import Passage

LEARN, JUDGE = "train.jsonl", "valid.jsonl"


def material(folder: Path | None, *, replay: float) -> list[World]:
    """What to learn from: the companies that Kefu comes with, or one's own data and some of those beside it.

    Args:
        folder: Companies (*.yaml), or what `kefu train data build` wrote; None: nothing of one's own.
        replay: Share of the companies that Kefu comes with that is read beside one's own data.
    """
    shipped = read_worlds(SHIPPED)
    if folder is None:
        return shipped
    own = read_dataset(folder) if (folder / LEARN).is_file() else read_worlds(folder)
    again = shipped[:: round(1 / replay)] if replay else []
    names = {world.name for world in own}
    return [*own, *(world for world in again if world.name not in names)]


def earlier(metrics: Mapping[str, Any]) -> list[World]:
    """The companies that judged a dialogue model, of those that Kefu comes with."""
    names = set(metrics.get("run", {}).get("data", {}).get("held_out", ()))
    return [world for world in read_worlds(SHIPPED) if world.name in names]


def read_dataset(folder: Path) -> list[World]:
    """What `train.jsonl` and `valid.jsonl` of a folder hold; what stands in the latter is held out.

    Raises:
        KnowledgeError: A file is missing, or a line is of another form; it is named.
    """
    worlds = []
    for name in (LEARN, JUDGE):
        path = folder / name
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise KnowledgeError(
                f"{path} cannot be read ({error}). 'kefu train data build' writes such a folder."
            ) from error
        digest = sha256_of(path)
        for number, text in enumerate(lines, 1):
            try:
                row = json.loads(text)
                worlds.append(_world(row, held_out=name == JUDGE, sha256=digest))
            except (ValueError, KeyError, TypeError, IndexError) as error:
                raise KnowledgeError(
                    f"{path}, line {number}: {error!r}. 'kefu train data build' writes the lines that are read here."
                ) from error
    return worlds


def _world(row: Mapping[str, Any], *, held_out: bool, sha256: str) -> World:
    locale = str(row["locale"])
    *chat, asked = (line(str(message["content"])) for message in row["messages"])
    # A conversation that begins with the agent has nobody's question before its first line.
    chat = chat[len(chat) % 2 :]
    passages = {
        one["id"]: Passage(one["id"], line(one["text"]), line(one["title"]), "document", locale)
        for one in row["passages"]
    }
    cites = tuple(name for name in row.get("cites") or () if name in passages) if row["answer"] else ()
    means = row.get("standalone")
    example = Example.model_validate(
        {
            "chat": tuple(chat),
            "ask": asked,
            "means": line(means) if means and chat else None,
            "from": cites,
            "near": tuple(name for name in passages if name not in cites),
            "answer": line(row["answer"]) if cites else None,
        }
    )
    answered = row["task"] == "compose" and bool(passages)
    return World(
        str(row["id"]),
        locale,
        passages,
        (example,) if answered else (),
        sha256,
        follow_ups=() if answered else (example,),
        held_out=held_out,
    )
