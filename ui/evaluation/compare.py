"""What changed since the last accepted report, and whether it is more than noise.

A share measured on n questions has the standard error sqrt(p (1 - p) / n), and the difference of two measured
shares the root of the sum of their squares; a change counts beyond twice that. Figures that are no shares of
questions (BLEU) have no such error: they count beyond 2 % of what they were. Times vary with the machine and
are never gated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

SIZES = {
    "wrong_rate": "answered",
    "coverage": "answerable",
    "unanswerable_answered": "unanswerable",
    "oos_recall": "out_of_scope",
    "recall": "spans",
    "precision": "masked",
}
"""Where the count of a share stands, if it is not n."""
RISING = (
    "accuracy", "macro_f1", "oos_recall", "oos_precision", "oos_auroc", "p_at_1", "recall_at_5", "mrr_at_10", "map",
    "ndcg_at_10", "coverage", "exact_match", "bleu", "rouge_l", "recovery", "grounded_rate", "acc", "nmi", "ari",
    "precision", "recall", "f1", "recall_promised",
)  # fmt: skip
FALLING = ("wrong_rate", "unanswerable_answered", "aurc")
"""The less the better."""
RELATIVE = 0.02
ERRORS = 2.0


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of one run, before and now."""

    run: str
    figure: str
    before: float
    now: float
    noise: float
    """A difference up to this says nothing."""
    worse: float
    """How much worse it is; negative: better."""

    @property
    def fell(self) -> bool:
        """Worse by more than the noise."""
        return self.worse > self.noise

    @property
    def rose(self) -> bool:
        """Better by more than the noise."""
        return -self.worse > self.noise

    def as_dict(self) -> dict[str, Any]:
        """For the report."""
        return {**asdict(self), "fell": self.fell, "rose": self.rose}

    def __str__(self) -> str:
        word = "worse" if self.fell else "better" if self.rose else "as before"
        return (
            f"{self.run}: {self.figure} {self.before:.4f} -> {self.now:.4f} ({word}; noise {self.noise:.4f})"
        )


def compare(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """The figures that both reports have, run by run."""
    changes = []
    for run, figures in now.items():
        old = before.get(run, {})
        for figure in (*RISING, *FALLING):
            if _is_number(old.get(figure)) and _is_number(figures.get(figure)):
                worse = old[figure] - figures[figure]
                changes.append(
                    Change(
                        run,
                        figure,
                        before=old[figure],
                        now=figures[figure],
                        noise=noise_of(figure, old, figures),
                        worse=-worse if figure in FALLING else worse,
                    )
                )
    return changes


def noise_of(figure: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> float:
    """How far a figure may move without meaning anything."""
    errors = [_error(figure, figures) for figures in (before, now)]
    if None in errors:
        return RELATIVE * abs(float(before[figure]))
    return ERRORS * math.sqrt(sum(error**2 for error in errors if error is not None))


def _error(figure: str, figures: Mapping[str, Any]) -> float | None:
    """Standard error of a share; None when it is none, or of an unknown number of questions.

    At 0 and 1 the share of one more or one less is taken, as nothing measured is certain.
    """
    share, count = float(figures[figure]), figures.get(SIZES.get(figure, "n"), figures.get("n"))
    if not _is_number(count) or count < 1 or not 0 <= share <= 1:
        return None
    held = min(max(share, 1 / (count + 1)), count / (count + 1))
    return math.sqrt(held * (1 - held) / count)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
