"""Which settings of a run may be what: the search.toml of kefu train search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeAlias

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import Field, ValidationError, model_validator

from finetune.learning import Table
from finetune.run import Settings
from knowledge.errors import SettingsError, first_problem

Value: TypeAlias = bool | int | float | str
Chosen: TypeAlias = Mapping[str, Value]
"""Settings by table and key: {"train.learning_rate": 5e-4}."""


class Values(Table):
    """What a setting may be: a number from `low` to `high`, or one of `choices`."""

    low: float | None = None
    high: float | None = None
    log: bool = False
    """Draw 1e-4 to 1e-3 as often as 1e-3 to 1e-2."""
    choices: tuple[Value, ...] = ()

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        ends = [end for end in (self.low, self.high) if end is not None]
        if bool(self.choices) == bool(ends) or len(ends) == 1:
            raise ValueError("give either low and high, or choices")
        if ends and (ends[0] > ends[1] or (self.log and ends[0] <= 0)):
            raise ValueError("low must not be above high, and above 0 with log")
        return self


class Space(Table):
    """A search.toml: which settings of a run.toml may be what."""

    model: dict[str, Values] = Field(default_factory=dict)
    train: dict[str, Values] = Field(default_factory=dict)

    def values(self) -> dict[str, Values]:
        """By table and key."""
        tables = {"model": self.model, "train": self.train}
        return {f"{table}.{key}": values for table, keys in tables.items() for key, values in keys.items()}


def settled(run: Settings, chosen: Chosen) -> Settings:
    """The run with other settings.

    Raises:
        SettingsError: One is out of range.
    """
    tables = run.model_dump()
    for name, value in chosen.items():
        table, key = name.split(".")
        tables[table][key] = value
    try:
        return type(run).model_validate(tables)
    except ValidationError as error:
        raise SettingsError(
            f"The run cannot have what the search file allows: {first_problem(error)}. Narrow it there."
        ) from error


def drawn_from(space: Space, run: Table) -> dict[str, BaseDistribution]:
    """What Optuna draws from, checked against the run.

    Raises:
        SettingsError: A key that the run has not, or a value that is out of its range.
    """
    found = space.values()
    if not found:
        raise SettingsError(
            "The search file lets nothing vary. finetune/runs/search-intent.toml shows what it can hold."
        )
    for name, values in found.items():
        table, key = name.split(".", 1)
        known = [known for known in getattr(run, table).model_dump() if (table, known) != ("train", "seed")]
        if key not in known:
            raise SettingsError(f"'{name}' cannot be searched. What can be in [{table}]: {', '.join(known)}.")
        for end in values.choices or (values.low, values.high):
            settled(run, {name: _typed(end, _of(run, name))})
    return {name: _distribution(values, _of(run, name), name) for name, values in found.items()}


def inside(run: Table, drawn: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    """The settings that the run has now; empty where one lies outside of what may be drawn."""
    now = {name: _of(run, name) for name in drawn}
    for name, values in drawn.items():
        if isinstance(values, IntDistribution | FloatDistribution) and not (
            values.low <= now[name] <= values.high
        ):
            return {}
        if isinstance(values, CategoricalDistribution) and now[name] not in values.choices:
            return {}
    return now


def _distribution(values: Values, now: Any, name: str) -> BaseDistribution:
    if values.choices:
        return CategoricalDistribution(values.choices)
    low, high = float(values.low or 0), float(values.high or 0)
    if isinstance(now, int) and not isinstance(now, bool):
        return IntDistribution(int(low), int(high), log=values.log)
    if isinstance(now, float):
        return FloatDistribution(low, high, log=values.log)
    raise SettingsError(f"'{name}' is no number, so it has no low and high. Name its choices.")


def _typed(value: Any, now: Any) -> Any:
    """A whole number where the run has one: TOML's ends are read as fractions."""
    return int(value) if isinstance(now, int) and isinstance(value, float) and value.is_integer() else value


def _of(run: Table, name: str) -> Any:
    table, key = name.split(".", 1)
    return getattr(getattr(run, table), key)
