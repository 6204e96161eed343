"""What `kefu calibrate` fitted, and the certificate that says for what it holds.

Raw scores mean nothing by themselves: cosines of E5-like encoders sit between 0.80 and 0.92 for right
and wrong alike. So a hit's features become a probability by a fitted logistic curve, and the policy
compares probabilities with operating points that were fitted for a stated risk.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from knowledge.errors import KefuError, first_problem
from knowledge.types import Hit, Retriever

IN_CHAT = " in chats"
"""Behind a language: the curve of messages that are read after what was said before."""


class CalibrationError(KefuError):
    """The calibration file is damaged, or there is too little to fit one from."""


@dataclass(frozen=True, slots=True)
class Curve:
    """P(answered | features) = 1 / (1 + exp(-(weights . features + bias)))."""

    weights: Mapping[str, float]
    bias: float

    def probability(self, features: Mapping[str, float]) -> float:
        """Probability in 0..1; a feature that is absent counts as 0."""
        return 1 / (1 + math.exp(-max(-40.0, min(40.0, self.logit(features)))))

    def logit(self, features: Mapping[str, float]) -> float:
        """What the probability is made of, and what options are weighed by."""
        return self.bias + sum(w * features.get(name, 0.0) for name, w in self.weights.items())


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Operating points, all fitted; probabilities in 0..1."""

    answer: float
    """A stored answer is given from here on: at most `risk` of those are wrong."""
    strict: float
    """The same when the certificate no longer fits: half the risk."""
    clarify: float
    """From here on, of the three best answers together, the right one is usually among them: it is worth asking which."""
    compose: float
    """A document passage is used from here on: out-of-scope questions stay below it."""
    intent: float
    """An intent is acted on from here on."""
    suggest: float = 1.0
    """From here on the best answer is more likely right than not: it is offered, not claimed."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """For what the calibration holds."""

    encoder: str
    entries: int
    """Entries of knowledge at fitting."""
    knowledge_version: int
    risk: float
    confidence: float
    questions: int
    coverage: float
    """Share of answerable held-out questions that are answered at `Thresholds.answer`."""
    wrong_rate: float
    wrong_rate_upper: float
    """Exact binomial (Clopper-Pearson) upper bound at `confidence`, over answered held-out questions."""
    unanswerable_answered: float
    fitted_at: str
    made_from: str
    """In words: where the questions came from."""
    seed: int


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What a stated risk costs, on the held-out questions."""

    risk: float
    language: str
    """"zh", "en" or "all"."""
    threshold: float
    coverage: float
    wrong_rate: float
    wrong_rate_upper: float
    unanswerable_answered: float

    @property
    def kept(self) -> bool:
        """Whether the bound stays within the risk."""
        return self.wrong_rate_upper <= self.risk


@dataclass(frozen=True, slots=True)
class Calibration:
    """Curves by language ("zh", "en", "zh in chats") and for documents ("document"), operating points, certificate."""

    curves: Mapping[str, Curve]
    thresholds: Thresholds
    certificate: Certificate
    points: tuple[OperatingPoint, ...] = ()
    """The trade-off of risk and coverage, for people to choose from."""
    choice: Mapping[str, Curve] = field(default_factory=dict)
    """How all that a message may mean is weighed (`decide.weighing`); empty where there were no chats to fit it on."""
    format: int = field(default=1)

    @property
    def version(self) -> str:
        """Short name that a turn records."""
        return f"{self.certificate.fitted_at}-{self.thresholds.answer:.3f}"

    def stale(self, *, encoder: str, entries: int) -> str:
        """Why the certificate no longer fits, in words; "" while it does."""
        if encoder != self.certificate.encoder:
            return "the encoder is another one"
        before = self.certificate.entries
        if abs(entries - before) > max(10, before // 5):
            return f"the knowledge has {entries} entries, {before} at calibration"
        return ""

    def apply(self, hits: Sequence[Hit], *, language: str, in_chat: bool = False) -> list[Hit]:
        """Hits with probabilities as scores, best first again; `in_chat`: of a message read in its conversation."""
        stored = self.curves.get(language) or next(iter(self.curves.values()))
        if in_chat:
            stored = self.curves.get(language + IN_CHAT, stored)
        curves = {"document": self.curves.get("document", stored)}
        scored = [
            replace(hit, score=curves.get(hit.passage.source, stored).probability(hit.features))
            for hit in hits
        ]
        scored.sort(key=lambda hit: -hit.score)
        return [replace(hit, rank=rank) for rank, hit in enumerate(scored, 1)]


_ADAPTER = TypeAdapter(Calibration)


def load_calibration(path: Path) -> Calibration | None:
    """The calibration at `path`; None when there is none.

    Raises:
        CalibrationError: The file is damaged.
    """
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        msg = f"{path} is not a calibration: {first_problem(error)}. Run 'kefu calibrate' to make a new one."
        raise CalibrationError(msg) from error


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Write it whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".tmp")
    partial.write_bytes(_ADAPTER.dump_json(calibration, indent=2))
    partial.replace(path)


@dataclass(frozen=True, slots=True)
class CalibratedRetriever:
    """A retriever whose scores are probabilities."""

    inner: Retriever
    calibration: Calibration

    @property
    def version(self) -> str:
        """The inner retriever's."""
        return self.inner.version

    def search(
        self, query: str, k: int = 5, *, locale: str | None = None, read_as: str = ""
    ) -> Sequence[Hit]:
        """As the inner one; scores become P(passage answers the query)."""
        hits = self.inner.search(query, k, locale=locale, read_as=read_as)
        return self.calibration.apply(hits, language=locale or "en", in_chat=bool(read_as))
