"""What is found for a message: looked up alone and, where it may hang on the conversation, in its context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chatbot.types import Turn, Understanding, told_in
from knowledge.types import Hit, Retriever

LIKELY = 0.5
SURE_ALONE = 0.8
"""P(answers) from which the other reading of a message cannot be worth its time."""


def recall(
    retriever: Retriever, understanding: Understanding, history: Sequence[Turn], *, k: int
) -> list[Hit]:
    """The best `k` hits of both readings, each passage with its better probability.

    The other reading is the less likely one, so only what it makes more likely right than not counts.

    The passage that was said in the last turn is no news to the other reading: the words of the context find
    it in any case.
    """
    language = understanding.language
    found = list(retriever.search(understanding.query, k, locale=language))
    if not understanding.other_reading or (found and found[0].score >= SURE_ALONE):
        return found
    told = told_in(history[-1]) if history else frozenset()
    others = retriever.search(understanding.other_reading, k, locale=language)
    return best_of(found, [hit for hit in others if hit.score >= LIKELY and hit.passage.id not in told])[:k]


def best_of(*found: Sequence[Hit]) -> list[Hit]:
    """Hits of several searches, each passage once with its best probability, best first."""
    if len(found) == 1:
        return list(found[0])
    best: dict[str, Hit] = {}
    for hit in (hit for hits in found for hit in hits):
        if hit.passage.id not in best or best[hit.passage.id].score < hit.score:
            best[hit.passage.id] = hit
    ordered = sorted(best.values(), key=lambda hit: -hit.score)
    return [replace(hit, rank=rank) for rank, hit in enumerate(ordered, 1)]
