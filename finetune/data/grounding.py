"""Which passages belong to a question, and whether they say what was answered.

An agent's sentence that the guard lets through is kept in the agent's words. One that says the same in other
words is replaced by the stored sentences that hold all its facts, so that nothing is learned that the guard
would refuse later. An answer of which the passages tell nothing teaches the model to say so. All between is
for a person to look at: it goes beyond the passages, or against them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from chatbot.answer.extract import pieces
from chatbot.answer.facts import FACTS, atoms
from chatbot.answer.guard import examine
from chatbot.answer.sentences import split
from chatbot.types import LIKELY
from chatbot.understand.rewrite import Rewriter
from finetune.data.cleaning import joined
from finetune.data.exchanges import does_not_know
from knowledge.clean import normalise
from knowledge.items import FAQ_PREFIX
from knowledge.types import Entry, Hit, Passage, Retriever

Verdict: TypeAlias = Literal["agent", "stored", "untold", "unclear"]
"""The agent's words pass; stored sentences say the same; the passages do not tell; none of them."""

_SAME = 0.5
"""Share of an answer's pieces that stored sentences hold before they say the same. Read off the demo's dialogues:
above it the stored sentences answer what was asked, below they are often only about the same thing."""
_SAME_WITH_FACTS = 0.35
"""The same where the answer names numbers, and the stored sentences have all of them."""
_NOTHING = 0.25
"""Share below which a passage says nothing of an answer."""
_LOOKED_AT = 20


@dataclass(frozen=True, slots=True)
class Grounded:
    """A question with what was found for it."""

    query: str
    passages: tuple[Passage, ...]
    verdict: Verdict
    answer: str | None
    cites: tuple[str, ...] = ()


class Grounder:
    """Searches as the bot does and holds answers against what it finds."""

    def __init__(self, retriever: Retriever, entries: Sequence[Entry], *, passages: int) -> None:
        """Search in `retriever`, which holds the `entries`; so many `passages` go with a question."""
        self._retriever = retriever
        self._rewriter = Rewriter(question for entry in entries for question in entry.questions)
        self._entries = {entry.passage.id: entry.passage for entry in entries}
        self.passages = passages
        self._search = lru_cache(maxsize=50_000)(self._searched)

    def query(self, question: str, context: Sequence[tuple[str, str]]) -> str:
        """The question as it is looked up: completed from the context where it hangs on it."""
        return self._rewriter.after(" ".join(question.split()), [text for _, text in context])

    def named(self, ids: Sequence[str]) -> list[Passage]:
        """The passages of these ids, with or without the prefix of stored answers."""
        found = (self._entries.get(id_) or self._entries.get(FAQ_PREFIX + id_) for id_ in ids)
        return [passage for passage in found if passage]

    def hits(self, query: str, locale: str) -> tuple[Hit, ...]:
        """What search finds, best first."""
        return self._search(query, locale)

    def _searched(self, query: str, locale: str) -> tuple[Hit, ...]:
        return tuple(self._retriever.search(query, _LOOKED_AT, locale=locale))

    def ground(
        self,
        question: str,
        answer: str,
        locale: str,
        *,
        context: Sequence[tuple[str, str]] = (),
        known: Sequence[str] = (),
    ) -> Grounded:
        """Hold an answer against the passages found for its question.

        Args:
            question: The customer's words.
            answer: The agent's words.
            locale: Of the conversation.
            context: What was said before.
            known: Ids of passages that the answer is known to come from, where it was recorded.
        """
        query = self.query(question, context)
        hits = self.hits(query, locale)
        # What an agent answers finds its source where a customer's words miss it.
        sources = [hit for hit in self.hits(answer, locale)[: self.passages] if hit.score >= LIKELY]
        told = [Hit(passage, 1.0, 0) for passage in self.named(known)]
        wanted = [hit.passage.id for hit in (*told, *sources)]
        passages = first_passages([*hits, *told, *sources], self.passages, wanted)
        if does_not_know(answer):
            return Grounded(query, passages, "untold" if _low(hits) and not told else "unclear", None)
        said, cites = _passing(answer, passages)
        if said:
            return Grounded(query, passages, "agent", said, cites)
        stored, cites, shared = _stored(answer, passages)
        if stored:
            return Grounded(query, passages, "stored", stored, cites)
        untold = shared < _NOTHING and _low(hits) and not sources and not told
        return Grounded(query, passages, "untold" if untold else "unclear", None)


def _low(hits: Sequence[Hit]) -> bool:
    return not hits or hits[0].score < LIKELY


def first_passages(hits: Sequence[Hit], count: int, known: Sequence[str] = ()) -> tuple[Passage, ...]:
    """The best passages, the known ones among them even where search puts them lower."""
    found = list({hit.passage.id: hit.passage for hit in hits}.values())
    best = found[:count]
    missing = [passage for passage in found[count:] if passage.id in known]
    kept = [passage for passage in best if passage.id in known or not missing]
    rest = [passage for passage in best if passage not in kept]
    return tuple((kept + missing + rest)[:count])


def share_told(answer: str, text: str) -> float:
    """Share of what an answer is about that a text holds, 0..1."""
    about = pieces(answer)
    return len(about & pieces(text)) / len(about) if about else 0.0


def _passing(answer: str, passages: Sequence[Passage]) -> tuple[str, tuple[str, ...]]:
    """The answer where the guard lets all of it through, with the passages it rests on."""
    cites: list[str] = []
    for sentence in split(answer):
        finding = examine(sentence, passages)
        if finding.refusals:
            return "", ()
        cites += finding.passage_ids
    return (answer, tuple(dict.fromkeys(cites))) if cites else ("", ())


def _stored(answer: str, passages: Sequence[Passage]) -> tuple[str, tuple[str, ...], float]:
    """Stored sentences of one passage that say what the answer says; the share of it that the best passage holds."""
    best: tuple[float, str, tuple[str, ...]] = (0.0, "", ())
    shared = 0.0
    for passage in passages:
        shared = max(shared, share_told(answer, f"{passage.title} {passage.text}"))
        sentences = [
            sentence
            for sentence in split(passage.text)
            if any(share_told(part, sentence) >= _SAME for part in split(answer))
            or _facts(answer) & _facts(sentence)
        ]
        text, facts = joined(sentences), _facts(answer)
        held = share_told(answer, text)
        enough = _SAME_WITH_FACTS if facts else _SAME
        if held >= enough and held > best[0] and facts <= _facts(f"{passage.title} {text}"):
            best = (held, text, (passage.id,))
    return best[1], best[2], shared


@lru_cache(maxsize=4096)
def _facts(text: str) -> frozenset[str]:
    """Numbers, prices, dates, names and links of a text, each in one form."""
    return frozenset(normalise(atom.key) for atom in atoms(text) if atom.kind in FACTS)
