"""The data card: what a dataset holds, from where, divided how, and what was left out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from finetune.data.build import Built, Options
from finetune.data.values import SPLITS, Example, Row, Split
from knowledge.sources.places import excerpt

FORMAT = 1
"""Counts up when the files change their shape."""
_SHOWN = 2
_LONGEST = 300


def card_of(
    built: Built,
    options: Options,
    *,
    inputs: Mapping[str, str],
    files: Mapping[str, str],
    versions: Mapping[str, str],
) -> dict[str, Any]:
    """The card as JSON.

    Args:
        built: The datasets.
        options: How they were made.
        inputs: Log file -> SHA-256.
        files: Written file -> SHA-256.
        versions: Of the index and the program.
    """
    division = built.division
    return {
        "format": FORMAT,
        "options": asdict(options),
        "versions": dict(versions),
        "inputs": dict(inputs),
        "read": dict(sorted(built.read.items())),
        "masked": {mark.strip("[]"): count for mark, count in sorted(built.masked.items()) if count},
        "answers": dict(sorted(built.verdicts.items())),
        "split": {
            "valid_from": division.valid_from.isoformat() if division.valid_from else None,
            "test_from": division.test_from.isoformat() if division.test_from else None,
        },
        "datasets": {name: _counts(rows) for name, rows in built.rows.items()},
        "set_aside": dict(Counter(_reason(one.why) for one in built.aside).most_common()),
        "files": dict(files),
    }


def read_me(card: Mapping[str, Any], built: Built) -> str:
    """The card as a page for people."""
    options = card["options"]
    made = (
        "Made by `kefu train data build` from a company's own logs and knowledge. It holds what customers and staff "
        "wrote: treat it as you treat the logs. Personal numbers, addresses and secrets are masked; names are not."
    )
    told = (
        "What the passages say of the answers (agent: the agent's words pass the guard; stored: stored sentences say "
        "the same; untold: the passages do not tell; unclear: set aside)"
    )
    again = (
        f"Seed {options['seed']}, held out {options['held_out']:.0%} twice, least quality {options['least_quality']}, "
        f"varied copies {options['augment']:.0%}; index {card['versions'].get('index', '-')}. The same logs, knowledge "
        "and options give the same bytes again."
    )
    parts = [
        "# Data card",
        made,
        _table("Rows", ("dataset", *SPLITS, "languages of train", "sources of train"), _sizes(card)),
        _list("Read", card["read"]),
        _list("Masked before anything else", card["masked"]),
        _list(told, card["answers"]),
        _divided(card),
        _list("Set aside, each with file, line and reason in `set_aside.jsonl`", card["set_aside"]),
        _list("Logs (SHA-256)", card["inputs"]),
        _list("Files (SHA-256)", card["files"]),
        again,
        "## Examples",
        *(_example(row) for row in _examples(built)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _counts(rows: Sequence[tuple[Split, Row]]) -> dict[str, Any]:
    counts: dict[str, Any] = {}
    for split in SPLITS:
        own = [row for name, row in rows if name == split]
        counts[split] = {
            "rows": len(own),
            "locales": dict(sorted(Counter(row.locale for row in own).items())),
            "sources": dict(sorted(Counter(row.source for row in own).items())),
        }
        examples = [row for row in own if isinstance(row, Example)]
        if examples:
            counts[split]["tasks"] = dict(sorted(Counter(row.task for row in examples).items()))
            counts[split]["unanswered"] = sum(
                row.task == "compose" and row.answer is None for row in examples
            )
            counts[split]["with_context"] = sum(len(row.messages) > 1 for row in examples)
    return counts


def _reason(why: str) -> str:
    """A reason without what is particular to one line, so that like ones are counted together."""
    for start in (
        "Nearly the same question",
        "The customer was not served by the answer",
        "The line is not JSON",
        "The message is filed under",
    ):
        if why.startswith(start):
            return start
    return why


def _sizes(card: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            name,
            *(f"{counts[split]['rows']:,}" for split in SPLITS),
            _listed(counts["train"]["locales"]),
            _listed(_grouped(counts["train"]["sources"])),
        )
        for name, counts in card["datasets"].items()
    ]


def _grouped(sources: Mapping[str, int]) -> dict[str, int]:
    """Varied copies of all sources together, by how they were varied."""
    grouped: Counter[str] = Counter()
    for source, count in sources.items():
        _, varied, kind = source.partition("~")
        grouped[f"varied: {kind}" if varied else source] += count
    return dict(grouped)


def _divided(card: Mapping[str, Any]) -> str:
    split = card["split"]
    if not split["test_from"]:
        return "Nothing has a date, so conversations were divided by the seed. No near-duplicate is in two splits."
    return (
        f"Divided by conversation and time: what ended from {split['valid_from']} on is valid, from {split['test_from']} on test. "
        "What has no date was divided by the seed. Checked: no conversation and no near-duplicate (80 % of its character "
        "trigrams) is in two splits, and nothing is learned from that happened after the held-out ones began."
    )


def _examples(built: Built) -> list[Row]:
    chosen: list[Row] = []
    seen: Counter[tuple[str, ...]] = Counter()
    for name, rows in built.rows.items():
        for split, row in rows:
            kind = (
                name,
                row.locale,
                *((row.task, str(row.answer is None)) if isinstance(row, Example) else ()),
            )
            if split == "train" and "~" not in row.source and seen[kind] < _SHOWN:
                seen[kind] += 1
                chosen.append(row)
    return chosen


def _example(row: Row) -> str:
    shown = row.record("train")
    if isinstance(row, Example):
        shown["passages"] = [
            f"{passage.id}: {excerpt(passage.text, characters=80)}" for passage in row.passages
        ]
    lines = [
        f"{name}: {json.dumps(value, ensure_ascii=False)[:_LONGEST]}"
        for name, value in shown.items()
        if value
    ]
    return "```\n" + "\n".join(lines) + "\n```"


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
    return f"## {title}\n\n" + "\n".join(lines)


def _list(title: str, values: Mapping[str, Any]) -> str:
    if not values:
        return ""
    return f"{title}:\n\n" + "\n".join(
        f"* {name.rstrip('.')}: {_shown(value)}" for name, value in values.items()
    )


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else f"`{value}`"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "-"
