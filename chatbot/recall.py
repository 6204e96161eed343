"""What is found for a message: looked up alone and, where it may hang on the conversation, in its context."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from chatbot.types import LIKELY, Turn, Understanding, told_in
from knowledge.types import Hit, Retriever

ON_TOPIC = 5.0
"""How many times likelier an entry is meant when the last answer was of its category."""
BEHIND = 0.01
SURE_ALONE = 0.8
"""P(answers) from which the other reading of a message cannot be worth its time."""


def recall(
    retriever: Retriever, understanding: Understanding, history: Sequence[Turn], *, k: int
) -> list[Hit]:
    """The best `k` hits of both readings, each passage with its better probability.

    Where the retriever learned to read a message after what was said before it, that is the only reading.

    The other reading is the less likely one, so only what it makes more likely right than not counts.

    The passage that was said in the last turn is no news to the other reading: the words of the context find
    it in any case.
    """
    language = understanding.language
    if understanding.read_as:
        return list(retriever.search(understanding.query, k, locale=language, read_as=understanding.read_as))
    found = list(retriever.search(understanding.query, k, locale=language))
    if not understanding.other_reading or (found and found[0].score >= SURE_ALONE):
        return found
    told = told_in(history[-1]) if history else frozenset()
    topics = (
        {hit.passage.category for hit in history[-1].hits if hit.passage.id in told} if history else set()
    )
    others = _on_topic(
        retriever.search(understanding.other_reading, 2 * k, locale=language), topics - {None}, told
    )
    likely = [hit for hit in others if hit.score >= LIKELY and hit.passage.id not in told]
    if likely:
        # What was just said comes after what is likely and new: the context's words alone may have found it.
        most = max(hit.score for hit in likely) - BEHIND
        found = [replace(hit, score=min(hit.score, most)) if hit.passage.id in told else hit for hit in found]
    return best_of(found, likely)[:k]


def _on_topic(hits: Sequence[Hit], topics: Collection[str | None], told: Collection[str]) -> list[Hit]:
    """The hits, those of the category that was just spoken of with better odds.

    "Who pays the shipping?" after a question on returns means the return's.
    """
    return [
        replace(hit, score=ON_TOPIC * hit.score / (1 + (ON_TOPIC - 1) * hit.score))
        if hit.passage.category in topics and hit.passage.id not in told
        else hit
        for hit in hits
    ]


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
