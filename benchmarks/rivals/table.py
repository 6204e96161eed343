"""The report: every system beside Kefu on every set, with ratios, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.rivals.judge import INTENTS, RANKING

KEFU = "Kefu"
ALWAYS = 1.96
"""Standard errors that make 95 %."""


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of one system on one set."""

    of: str
    system: str
    figures: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Timed:
    """Medians of a system's search times, one for each round."""

    system: str
    ms: tuple[float, ...]


def ratio(kefu: float | None, other: float | None) -> float | None:
    """How many times the other's figure Kefu's is; None where there is nothing to divide."""
    return kefu / other if kefu is not None and other else None


def half_width(share: float, n: int) -> float:
    """Half of the 95 % interval of a share that was measured on n questions."""
    return ALWAYS * math.sqrt(share * (1 - share) / n)


def ranking_table(rows: Sequence[Row]) -> list[str]:
    """P@1 with its interval, recall@5, MRR@10, MAP, and ratios; a better ratio is above 1."""
    lines = [
        "| set | system | P@1 | recall@5 | MRR@10 | MAP | Kefu's P@1 ÷ its | Kefu's MRR ÷ its | ms p50 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        kefu, own = _of_kefu(rows, row.of), row.figures
        cells = [
            f"{_share(own['p_at_1'])} ± {_share(half_width(own['p_at_1'] or 0.0, int(own['n'] or 1)))}",
            *(_share(own[name]) for name in ("recall_at_5", "mrr_at_10", "map")),
            *(_times(ratio(kefu[name], own[name]), row) for name in ("p_at_1", "mrr_at_10")),
            _number(own["ms_p50"]),
        ]
        lines.append(_line(row, cells))
    return lines


def intents_table(rows: Sequence[Row]) -> list[str]:
    """Accuracy in scope, AUROC against out-of-scope texts, and times."""
    lines = [
        "| set | system | accuracy in scope | Kefu's ÷ its | AUROC out of scope | learned in s | ms a text |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        kefu, own = _of_kefu(rows, row.of), row.figures
        cells = [
            _share(own["accuracy_best_intent"]),
            _times(ratio(kefu["accuracy_best_intent"], own["accuracy_best_intent"]), row),
            _share(own["oos_auroc"]),
            _number(own["train_seconds"]),
            _number(own["ms_per_query"]),
        ]
        lines.append(_line(row, cells))
    return lines


def times_table(timed: Sequence[Timed]) -> list[str]:
    """The median of each round, and how many times Kefu's time another takes."""
    kefu = next((median(one.ms) for one in timed if one.system == KEFU), None)
    lines = ["| system | ms p50 of each round | median | its time ÷ Kefu's |", "|---|---|---|---|"]
    for one in timed:
        middle = median(one.ms)
        times = ratio(middle, kefu)
        shown = "" if one.system == KEFU or times is None else f"{times:.2f}"
        lines.append(f"| {one.system} | {', '.join(map(_number, one.ms))} | {_number(middle)} | {shown} |")
    return lines


def best_rivals(rows: Sequence[Row], figure: str) -> dict[str, tuple[str, float | None]]:
    """The best rival of each set by a figure, and how many times its figure Kefu's is."""
    best: dict[str, tuple[str, float | None]] = {}
    for of in dict.fromkeys(row.of for row in rows):
        rivals = [row for row in rows if row.of == of and row.system != KEFU]
        if rivals:
            top = max(rivals, key=lambda row: row.figures[figure] or 0.0)
            best[of] = (top.system, ratio(_of_kefu(rows, of).get(figure), top.figures[figure]))
    return best


def report(
    about: Mapping[str, Any], ranking: Sequence[Row], intents: Sequence[Row], timed: Sequence[Timed]
) -> str:
    """The whole page."""
    parts = [*_heading(about), *_retrieval(about, ranking)]
    if timed:
        parts += [f"## Time of a search ({about['timed_on']}, {about['rounds']} rounds)", ""]
        parts += [*times_table(timed), ""]
    parts += _intents(about, intents)
    versions = ", ".join(f"{name} {number}" for name, number in sorted(about["versions"].items()))
    return "\n".join([*parts, f"Versions: {versions}.", ""])


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows with their ratios, for programs: `kefu_over_it` holds Kefu's figure divided by the row's."""
    shown = []
    for row in rows:
        kefu = _of_kefu(rows, row.of)
        names = [name for name in (*RANKING, *INTENTS) if name in row.figures and name != "n"]
        ratios = {name: ratio(kefu.get(name), row.figures[name]) for name in names}
        shown.append({"set": row.of, "system": row.system, **row.figures, "kefu_over_it": ratios})
    return shown


def _heading(about: Mapping[str, Any]) -> list[str]:
    machine = about["machine"]
    made = (
        f"Made by `{about['command']}` on {about['day']}: {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_gb']} GB, Python {machine['python']}, load {machine['load_before']} before and "
        f"{about['load_after']} after; {about['minutes']:.0f} minutes. Everything ran offline, in one process tree, "
        "one system after the other, over the same encoder folder (multilingual-e5-small), and what each found was "
        "judged by the same functions. Torch's threads wait without spinning, which suits rivals on shared cores. No system saw which entry a question belongs to. ± is half of the 95 % interval."
    )
    return ["# Kefu beside rivals", "", made, "", *([about["note"], ""] if about["note"] else [])]


def _retrieval(about: Mapping[str, Any], rows: Sequence[Row]) -> list[str]:
    how = (
        "* Kefu: `kefu eval faq` with its default method. Rivals are put together as their quick starts do, with E5's "
        'prefixes; "questions" and "questions and answers" are what each document holds.'
    )
    return [
        "## Finding the entry",
        "",
        *ranking_table(rows),
        "",
        *_summary(best_rivals(rows, "p_at_1"), "P@1"),
        "",
        *(f"* {name}: {note}." for name, note in about["sets"].items()),
        how,
        "",
    ]


def _intents(about: Mapping[str, Any], rows: Sequence[Row]) -> list[str]:
    how = ["* Kefu: `kefu eval intents --method head`."]
    if any(row.system == "SetFit" for row in rows):
        how.append(
            f"* SetFit: {about['setfit_steps']} steps of 16 pairs with the word table frozen, because all of its "
            "pairs, hundreds of thousands, take hours on two cores."
        )
    return [
        "## Naming the intent",
        "",
        *intents_table(rows),
        "",
        *_summary(best_rivals(rows, "accuracy_best_intent"), "accuracy"),
        "",
        *(f"* {name}: {note}." for name, note in about["intent_sets"].items()),
        *how,
        "* Accuracy is of the best intent, whatever a threshold; AUROC is of how sure each is that a text has one.",
        "",
    ]


def _of_kefu(rows: Sequence[Row], of: str) -> Mapping[str, float | None]:
    return next(row.figures for row in rows if row.of == of and row.system == KEFU)


def _summary(best: Mapping[str, tuple[str, float | None]], figure: str) -> list[str]:
    told = [f"{of} {times:.2f} × {system}" for of, (system, times) in best.items() if times is not None]
    return [f"{KEFU}'s {figure} beside the best rival of each set: {'; '.join(told)}."] if told else []


def _line(row: Row, cells: Sequence[str]) -> str:
    return f"| {row.of} | {row.system} | " + " | ".join(cells) + " |"


def _times(value: float | None, row: Row) -> str:
    return "" if row.system == KEFU or value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}".removeprefix("0")


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"
