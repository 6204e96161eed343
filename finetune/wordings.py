"""What the retriever learns from: texts that mean the same, from the FAQ and the intents alone.

A group is one stored answer with all its wordings, or one intent with its examples. Where a question has few
wordings, its answer stands beside them as one more text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import KnowledgeError
from knowledge.sources.intents import Intent
from knowledge.types import Entry

Rows = npt.NDArray[np.int64]

_ENOUGH = 3
"""Wordings from which a group learns without its answer, and gives one away to be judged by."""
_HELD_OUT = 0.2
"""Share of its wordings that a group gives away: thresholds can only be fitted on what was not learned."""
_FEWEST_GROUPS = 8


@dataclass(frozen=True, slots=True)
class Text:
    """One wording or answer."""

    text: str
    group: int
    stored: bool = False
    """Something the company wrote (an answer): encoded as a passage, not as a query."""


@dataclass(frozen=True, slots=True)
class Wordings:
    """Texts in groups, and those held out of them."""

    learn: tuple[Text, ...]
    held_out: tuple[Text, ...]
    """Asked after each epoch; never learned from."""
    locales: tuple[str, ...]
    """Of each group: groups of other languages are never taken for wrong."""

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.locales)

    def rows(self) -> list[Rows]:
        """The places in `learn` of each group's texts."""
        owners = np.array([text.group for text in self.learn], np.int64)
        order = np.argsort(owners, kind="stable")
        return np.split(order, np.searchsorted(owners[order], np.arange(1, self.groups)))


def messages_of(intents: Iterable[Intent]) -> dict[tuple[str, str], Sequence[str]]:
    """(intent, locale) -> its example messages."""
    return {(intent.name, locale): texts for intent in intents for locale, texts in intent.examples.items()}


def gather(
    entries: Iterable[Entry],
    examples: Mapping[tuple[str, str], Sequence[str]] | None = None,
    *,
    hold_out: bool = True,
    seed: int = 0,
) -> Wordings:
    """Group the wordings and hold some out.

    Args:
        entries: Of the knowledge; documents are left out, they have no wordings.
        examples: (intent, locale) -> example messages.
        hold_out: A fifth of the wordings of each group that has more than three; where hardly any has, the question
            of each tenth group, which must then find its answer. False learns from everything.
        seed: Chooses which.

    Raises:
        KnowledgeError: Fewer than eight groups: nothing to tell apart.
    """
    groups = _groups(entries, examples or {})
    if len(groups) < _FEWEST_GROUPS:
        raise KnowledgeError(
            f"There are only {len(groups)} questions with an answer or other wordings, but {_FEWEST_GROUPS} are "
            "the least that an encoder can learn to tell apart. Import an FAQ with 'kefu import faq'."
        )
    rng = np.random.default_rng(seed)
    worded = [place for place, (_, texts, _) in enumerate(groups) if len(texts) > _ENOUGH]
    by_wording = len(worded) * 4 >= len(groups)
    judged = worded if by_wording else rng.permutation(len(groups))[: max(1, len(groups) // 10)].tolist()
    chosen = set(judged) if hold_out else set()
    learn: list[Text] = []
    held_out: list[Text] = []
    for place, (_, texts, answer) in enumerate(groups):
        out: set[str] = set()
        if place in chosen:
            some = (
                rng.permutation(texts[1:])[: max(1, round(len(texts) * _HELD_OUT))]
                if by_wording
                else texts[:1]
            )
            out = {str(text) for text in some}
        held_out += [Text(text, place) for text in texts if text in out]
        learn += [Text(text, place) for text in texts if text not in out]
        if answer and len(texts) <= _ENOUGH:
            learn.append(Text(answer, place, stored=True))
    return Wordings(tuple(learn), tuple(held_out), tuple(locale for locale, _, _ in groups))


def _groups(
    entries: Iterable[Entry], examples: Mapping[tuple[str, str], Sequence[str]]
) -> list[tuple[str, list[str], str]]:
    """Language, wordings and answer of each group that has two texts at least."""
    stored = [entry for entry in entries if entry.passage.source != "document"]
    groups = [(entry.passage.locale, _distinct(entry.questions), entry.passage.text) for entry in stored]
    groups += [(locale, _distinct(texts), "") for (_, locale), texts in examples.items()]
    return [group for group in groups if len(group[1]) + bool(group[2]) > 1]


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(clean for text in texts if (clean := text.strip())))
