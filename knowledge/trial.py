"""An index in memory over chosen entries: what calibration and evaluation ask held-out questions of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.index.snapshot import Snapshot, place, texts_of
from knowledge.index.texts import EncodedTexts, Progress, Text, noise_of
from knowledge.search import search
from knowledge.settings import RetrievalSettings
from knowledge.types import Encoder, Entry, Hit


@dataclass(frozen=True, slots=True)
class TrialIndex:
    """A retriever over a snapshot that is neither stored nor refreshed."""

    snapshot: Snapshot
    encoder: Encoder
    settings: RetrievalSettings

    @property
    def version(self) -> str:
        """Always "trial"."""
        return self.snapshot.version

    def search(self, query: str, k: int = 5, *, locale: str | None = None) -> Sequence[Hit]:
        """The best `k` hits, raw scores."""
        return search(self.snapshot, self.encoder, query, k=k, locale=locale, method=self.settings.method)


def trial_index(
    entries: Sequence[Entry],
    encoder: Encoder,
    settings: RetrievalSettings,
    *,
    known: Snapshot | None = None,
    progress: Progress | None = None,
) -> TrialIndex:
    """Index these entries in memory; texts that `known` has encoded are not encoded again."""
    wanted: list[Text] = []
    for entry in entries:
        questions, text, negatives = texts_of(entry)
        wanted += [*questions, text, *negatives]
    texts = EncodedTexts.build(
        wanted, encoder, settings=settings, progress=progress, known=known.texts if known else None
    )
    noise = known.noise if known else noise_of(encoder)
    placed = [place(entry, texts) for entry in entries]
    return TrialIndex(Snapshot(placed, texts, version="trial", noise=noise), encoder, settings)
