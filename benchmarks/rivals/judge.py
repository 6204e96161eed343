"""One judge for all: what a rival found is measured by the very functions that `kefu eval` uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from chatbot.evaluate.intents import Judged as JudgedIntents
from chatbot.evaluate.intents import Labelled, measure_intents
from knowledge.errors import KefuError
from knowledge.evaluate import Found, Judged, quality
from knowledge.items import FAQ_PREFIX

RANKING = ("p_at_1", "recall_at_5", "mrr_at_10", "map", "ndcg_at_10", "ms_p50", "ms_p99", "n")
INTENTS = ("accuracy_best_intent", "oos_auroc", "train_seconds", "ms_per_query")


class WrongAnswerError(KefuError):
    """A system did not answer every question once."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What a rival said of each text, as a model that never refuses."""

    intents: Sequence[str]
    sure: Sequence[float]
    threshold: float = 0.0

    def judge(self, texts: Sequence[str]) -> JudgedIntents:
        """The intents as they were said; `texts` are the ones that they were said of."""
        _whole(len(texts), len(self.intents))
        return JudgedIntents(np.array(self.intents, np.str_), np.array(self.sure, np.float32))


def judge_search(said: Mapping[str, Any], judged: Sequence[Judged]) -> dict[str, float]:
    """Figures of a ranking: `ids` for each question, best first, and `ms`.

    Raises:
        WrongAnswerError: There are more or fewer rankings than questions.
    """
    _whole(len(judged), len(said["ids"]))
    found = [
        Found(one, tuple(FAQ_PREFIX + name for name in ids), ms)
        for one, ids, ms in zip(judged, said["ids"], said["ms"], strict=True)
        if one.relevant
    ]
    return {name: value for name, value in asdict(quality(found)).items() if name in RANKING}


def judge_intents(said: Mapping[str, Any], test: Labelled) -> dict[str, float | None]:
    """Figures of named intents: `intents` and `sure` for each text; accuracy is of the in-scope texts.

    Raises:
        WrongAnswerError: There are more or fewer intents than texts.
    """
    figures = measure_intents(_Said(said["intents"], said["sure"]), test)
    figures |= {"train_seconds": said["train_seconds"], "ms_per_query": float(np.median(said["ms"]))}
    return {name: figures[name] for name in INTENTS}


def _whole(asked: int, answered: int) -> None:
    if asked != answered:
        raise WrongAnswerError(
            f"{asked} questions were asked and {answered} answered. Every system must answer each question once."
        )
