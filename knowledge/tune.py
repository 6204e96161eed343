"""Weights of the fused score, fitted to the knowledge at hand without anybody's labels.

Where entries have several wordings, one in three is held back and looked for. Weights are taken from a fixed
grid. They replace the shipped ones only if they find the held-back wordings better in a half of them that
they were not chosen on, by more than twice the standard error: a few lucky wordings are no reason.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from knowledge.build import arrange
from knowledge.fusion import FAQ, Weights, fuse
from knowledge.index.snapshot import Candidates, Query, Snapshot, read_query
from knowledge.settings import RetrievalSettings
from knowledge.types import Encoder, Entry, Progress

FEWEST = 60
MOST = 600
"""Held-back wordings that are looked for."""
HELD = 3
DEPTH = 50
GRID = tuple(
    Weights(question=round(1 - answer - words, 2), answer=answer, bm25=words)
    for answer in (0.0, 0.1, 0.2, 0.3, 0.4)
    for words in (0.0, 0.08, 0.16, 0.25, 0.35)
)


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A wording that the trial index is not shown, and the number of its passage there."""

    query: Query
    passage: int
    found: Candidates


def fit_weights(
    entries: Sequence[Entry],
    encoder: Encoder,
    *,
    settings: RetrievalSettings,
    seed: int,
    known: Snapshot | None = None,
    progress: Progress | None = None,
) -> tuple[Weights | None, str]:
    """Weights that find held-back wordings measurably better than the shipped ones, and why they were taken.

    Args:
        entries: The knowledge.
        encoder: Makes the vectors.
        settings: Of the trial index.
        seed: Which wordings are held back.
        known: An index of the same entries, whose vectors are used again.
        progress: Told how far encoding is.

    Returns:
        None where the shipped weights stay, and the reason in words.
    """
    shown, asked = _hold_back(entries, random.Random(seed))
    if len(asked) < FEWEST:
        return (
            None,
            f"shipped weights: {len(asked)} wordings can be held back, and fewer than {FEWEST} tell nothing",
        )
    snapshot = arrange(shown, encoder, settings=settings, progress=progress, known=known)
    held = _look_for(snapshot, asked, encoder)
    gains, chosen = _cross_validated(snapshot, held)
    mean, error = float(gains.mean()), float(gains.std() / np.sqrt(len(gains)))
    said = f"{mean:+.3f} MRR on {len(held)} held-back wordings, standard error {error:.3f}"
    if mean <= 2 * error or chosen == FAQ:
        return None, f"shipped weights: no measurable gain by others ({said})"
    return chosen, f"fitted weights: {said}"


def _hold_back(entries: Sequence[Entry], rng: random.Random) -> tuple[list[Entry], list[tuple[str, str]]]:
    """The entries as they are shown, and pairs of held-back wording and passage id."""
    shown, asked = [], []
    for entry in entries:
        held: list[str] = []
        if len(entry.questions) > 1:
            others = entry.questions[1:]
            held = rng.sample(others, max(1, len(others) // HELD))
        shown.append(replace(entry, questions=tuple(q for q in entry.questions if q not in held)))
        asked += [(wording, entry.passage.id) for wording in held]
    return shown, rng.sample(asked, min(MOST, len(asked)))


def _look_for(snapshot: Snapshot, asked: Sequence[tuple[str, str]], encoder: Encoder) -> list[HeldBack]:
    numbers = {entry.passage.id: number for number, entry in enumerate(snapshot.entries)}
    vectors = encoder.encode_queries([read_query(text).text for text, _ in asked])
    return [
        HeldBack(query := read_query(text), numbers[passage], snapshot.candidates(query, vector, depth=DEPTH))
        for (text, passage), vector in zip(asked, vectors, strict=True)
    ]


def _cross_validated(snapshot: Snapshot, held: Sequence[HeldBack]) -> tuple[npt.NDArray[np.float64], Weights]:
    """Gain of each wording by weights chosen on the other half, and the weights that all of them choose."""
    ranks = np.array([_reciprocal_ranks(snapshot, held, weights) for weights in GRID])  # (weights, wordings)
    shipped = _reciprocal_ranks(snapshot, held, FAQ)
    gains = np.zeros(len(held))
    for half in (0, 1):
        mine = np.arange(len(held)) % 2 == half
        gains[mine] = (ranks[ranks[:, ~mine].mean(1).argmax()] - shipped)[mine]
    return gains, GRID[int(ranks.mean(1).argmax())]


def _reciprocal_ranks(
    snapshot: Snapshot, held: Sequence[HeldBack], weights: Weights
) -> npt.NDArray[np.float64]:
    reciprocal = np.zeros(len(held))
    for number, one in enumerate(held):
        passages = one.found.passages
        scores = fuse(
            one.found,
            asked=snapshot.asked[passages],
            documents=snapshot.documents[passages],
            noise=snapshot.noise,
            method="hybrid",
            weights=weights,
        )
        groups = snapshot.groups[passages] == snapshot.groups[one.passage]
        if groups.any():
            reciprocal[number] = 1 / (1 + (scores[~groups] > scores[groups].max()).sum())
    return reciprocal
