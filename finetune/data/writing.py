"""Write datasets: JSON lines and CSV, a list of what was set aside, and the card; all of it or nothing.

OUT/dialogue/train.jsonl valid.jsonl test.jsonl     messages with passages and answers
OUT/retriever/train.csv …, passages.jsonl           question,answer_id,negative_ids,…
OUT/intents/train.csv …                             text,intent,…
OUT/chats/train.jsonl …                             messages with what answered each, for the retriever
OUT/set_aside.jsonl  README.md  card.json
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from finetune.data.build import Built, Options
from finetune.data.card import card_of, read_me
from finetune.data.values import SPLITS, DataError

CARD = "card.json"
_COLUMNS = {
    "retriever": ("question", "answer_id", "negative_ids", "locale", "split", "source"),
    "intents": ("text", "intent", "locale", "split", "source"),
}


def write(
    built: Built, options: Options, out: Path, *, inputs: Mapping[str, str], versions: Mapping[str, str]
) -> dict[str, Any]:
    """Write the folder; the card.

    The folder appears whole or not at all. One that this command wrote before is replaced.

    Raises:
        DataError: The folder holds something else, or cannot be written.
    """
    check_free(out)
    files = contents(built)
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    card = card_of(built, options, inputs=inputs, files=hashes, versions=versions)
    files[CARD] = (json.dumps(card, ensure_ascii=False, indent=2) + "\n").encode()
    files["README.md"] = read_me(card, built).encode()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(
            tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent)
        )  # 0700: conversations are private
        for name, data in files.items():
            path = fresh / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
        _put(fresh, out)
    except OSError as error:
        raise DataError(
            f"The folder '{out}' cannot be written: {error.strerror}. Name another one with --out, or free some space."
        ) from error
    return card


def check_free(out: Path) -> None:
    """Make sure that the folder may be written.

    Raises:
        DataError: It holds something that this command did not write.
    """
    if out.exists() and not (out / CARD).is_file() and not (out.is_dir() and not any(out.iterdir())):
        raise DataError(f"'{out}' is there and holds no dataset ({CARD}). Name another folder with --out.")


def contents(built: Built) -> dict[str, bytes]:
    """File name -> bytes; the same for the same datasets."""
    files: dict[str, bytes] = {}
    for name, rows in built.rows.items():
        for split in SPLITS:
            records = [row.record(split) for chosen, row in rows if chosen == split]
            if columns := _COLUMNS.get(name):
                files[f"{name}/{split}.csv"] = _csv(columns, records)
            else:
                files[f"{name}/{split}.jsonl"] = _lines(records)
    files["retriever/passages.jsonl"] = _lines(
        {"id": passage.id, "locale": passage.locale, "title": passage.title, "text": passage.text}
        for passage in built.passages.values()
    )
    for split, chats in built.chats.items():
        files[f"chats/{split}.jsonl"] = _lines(chat.model_dump(mode="json") for chat in chats)
    files["set_aside.jsonl"] = _lines(one.record() for one in built.aside)
    return files


def sha256_of(path: Path) -> str:
    """Of the bytes of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lines(records: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode(
        "utf-8", "replace"
    )


def _csv(columns: tuple[str, ...], records: Iterable[Mapping[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode("utf-8", "replace")


def _put(fresh: Path, out: Path) -> None:
    if not out.exists():
        fresh.replace(out)
        return
    old = out.with_name(f".{out.name}-{os.getpid()}.old")
    out.replace(old)
    fresh.replace(out)
    shutil.rmtree(old)
