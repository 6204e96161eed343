"""Train, valid and test: by conversation and by time, and a check that fails loudly when something leaks.

What belongs together stays together: a conversation, and whatever is nearly the same in another one. The newest
conversations are the test, those before them the validation: a model is judged on what came after all that it
learned from. What has no date (FAQ wordings, examples of intents) is divided by the seed.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from finetune.data.values import DataError, LeakError, Row, Split
from knowledge.clean import duplicate_groups, near_duplicates

LIKENESS = 0.8
"""Share of character trigrams from which two texts are nearly the same."""
_KINDS = frozenset({"faq", "wording", "intent", "context"})
"""Prefixes of units that are no conversations."""
_EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Division:
    """Where each unit went, and from when on the held-out ones are."""

    splits: Mapping[str, Split]
    valid_from: datetime | None
    test_from: datetime | None

    def of(self, row: Row) -> Split:
        """The split of a row."""
        return self.splits[row.unit]


def divide(datasets: Mapping[str, Sequence[Row]], *, held_out: float, seed: int) -> Division:
    """Divide all datasets at once, so that no conversation is in two splits of any of them.

    Args:
        datasets: Name -> rows.
        held_out: Share of the rows for valid, and again for test.
        seed: Divides what has no date.

    Raises:
        DataError: The share leaves nothing to learn from.
    """
    if not 0 < held_out < 0.5:
        raise DataError(f"A share of {held_out} cannot be held out twice. Choose one above 0 and below 0.5.")
    components = _components(datasets)
    sizes: dict[str, int] = defaultdict(int)
    newest: dict[str, datetime] = {}
    for row in (row for rows in datasets.values() for row in rows):
        sizes[components[row.unit]] += 1
        if row.at:
            newest[components[row.unit]] = max(row.at, newest.get(components[row.unit], _EARLIEST))
    dated = sorted(newest, key=lambda name: (newest[name], name), reverse=True)
    chosen, valid_from, test_from = _by_time(dated, sizes, newest, held_out)
    chosen |= _by_seed([name for name in sizes if name not in newest], sizes, held_out, seed)
    return Division({unit: chosen[name] for unit, name in components.items()}, valid_from, test_from)


def check_leaks(datasets: Mapping[str, Sequence[Row]], division: Division) -> None:
    """Make sure that nothing held out can be learned from.

    Raises:
        LeakError: A conversation is in two splits; two rows of different splits are nearly the same; or something
            that is learned from happened after what is held out began.
    """
    homes: dict[str, Split] = {}
    for name, rows in datasets.items():
        for row in rows:
            split = division.of(row)
            for home in filter(None, (row.conversation_id, row.unit)):
                if homes.setdefault(home, split) != split:
                    raise _leak(f"'{home}' is in {homes[home]} and in {split} of {name}")
            _check_time(name, row, split, division)
        keys = [row.key for row in rows]
        for pair in near_duplicates(keys, likeness=LIKENESS):
            first, second = rows[pair.first], rows[pair.second]
            if division.of(first) != division.of(second):
                raise _leak(
                    f"{name}: '{first.key[:60]}' in {division.of(first)} is nearly '{second.key[:60]}' in {division.of(second)}"
                )


def _check_time(name: str, row: Row, split: Split, division: Division) -> None:
    limits: dict[Split, datetime | None] = {
        "train": division.valid_from,
        "valid": division.test_from,
        "test": None,
    }
    limit = limits[split]
    if row.at and limit and row.at >= limit:
        raise _leak(
            f"{name}: '{row.key[:60]}' in {split} is of {row.at:%Y-%m-%d %H:%M}, after {limit:%Y-%m-%d %H:%M}"
        )


def _leak(what: str) -> LeakError:
    return LeakError(
        f"The split leaks: {what}. Nothing was written; please report this with the command you ran."
    )


def _components(datasets: Mapping[str, Sequence[Row]]) -> dict[str, str]:
    """Unit -> name of the group of units that are held together by near-duplicates."""
    parent: dict[str, str] = {row.unit: row.unit for rows in datasets.values() for row in rows}

    def root(unit: str) -> str:
        while parent[unit] != unit:
            parent[unit] = parent[parent[unit]]
            unit = parent[unit]
        return unit

    for rows in datasets.values():
        for group in duplicate_groups([row.key for row in rows], likeness=LIKENESS):
            names = sorted({root(rows[place].unit) for place in group})
            for name in names[1:]:
                parent[name] = names[0]
    return {unit: root(unit) for unit in parent}


def _by_time(
    names: Sequence[str], sizes: Mapping[str, int], newest: Mapping[str, datetime], held_out: float
) -> tuple[dict[str, Split], datetime | None, datetime | None]:
    """Newest first: test, valid, train; equal moments stay together."""
    room = held_out * sum(sizes[name] for name in names)
    chosen: dict[str, Split] = {}
    began: dict[Split, datetime] = {}
    filled = 0.0
    before: datetime | None = None
    split: Split = "test"
    for name in names:
        if newest[name] != before:
            split = "test" if filled < room else "valid" if filled < 2 * room else "train"
        chosen[name], before = split, newest[name]
        began[split] = newest[name]
        filled += sizes[name]
    return chosen, began.get("valid") or began.get("test"), began.get("test")


def _by_seed(names: Iterable[str], sizes: Mapping[str, int], held_out: float, seed: int) -> dict[str, Split]:
    """By kinds of units, so that each kind is held out in the same share."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for name in names:
        prefix = name.partition(":")[0]
        kinds[prefix if prefix in _KINDS else "conversation"].append(name)
    order: Callable[[str], bytes] = lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest()  # noqa: E731
    chosen: dict[str, Split] = {}
    for kind in kinds.values():
        room, filled = held_out * sum(sizes[name] for name in kind), 0.0
        for name in sorted(kind, key=order):
            # One large group must not fill what is held out.
            fits = filled + sizes[name] <= 2 * room + 1
            chosen[name] = (
                "train"
                if not fits
                else "test"
                if filled < room
                else "valid"
                if filled < 2 * room
                else "train"
            )
            filled += sizes[name] if fits else 0
    return chosen
