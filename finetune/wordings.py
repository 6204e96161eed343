"""What the retriever learns from: texts that mean the same, from the FAQ, the intents and past chats.

A group is one stored answer with all its wordings, or one intent with its examples; answers to the very same question
are one group, for none of them is wrong there. Where a question has few wordings, its answer stands beside them as one more
text. What customers asked in chats belongs to the group that
answered it, read after what was said before: so the encoder learns to read follow-ups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chatbot.chats import INTENT_PREFIX, Asked, Chat, asked_in, titles_of
from knowledge.errors import KnowledgeError
from knowledge.sources.intents import Intent
from knowledge.types import Entry

Rows = npt.NDArray[np.int64]

_ENOUGH = 3
"""Wordings from which a group learns without its answer, and gives one away to be judged by."""
_HELD_OUT = 0.2
"""Share of its wordings that a group gives away: thresholds can only be fitted on what was not learned."""
_MOST_CHATS_HELD_OUT = 1000
"""Enough to fit probabilities on; what is held out does not find answers."""
_FEWEST_GROUPS = 8


@dataclass(frozen=True, slots=True)
class Text:
    """One wording or answer."""

    text: str
    group: int
    stored: bool = False
    """Something the company wrote (an answer): encoded as a passage, not as a query."""
    asked: bool = False
    """Asked in a chat: it is looked for. What others asked finds it while learning; the held-out figure rests on
    wordings alone."""


@dataclass(frozen=True, slots=True)
class Wordings:
    """Texts in groups, and those held out of them."""

    learn: tuple[Text, ...]
    held_out: tuple[Text, ...]
    """Asked after each epoch; never learned from."""
    locales: tuple[str, ...]
    """Of each group: groups of other languages are never taken for wrong."""
    chats: tuple[Chat, ...] = ()
    """Held out whole; what they ask is in `held_out`."""
    chats_learned: tuple[Chat, ...] = ()
    """The others; what they ask is in `learn`."""

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
    intents: Iterable[Intent] = (),
    chats: Sequence[Chat] = (),
    *,
    hold_out: bool = True,
    seed: int = 0,
) -> Wordings:
    """Group the wordings and hold some out.

    Args:
        entries: Of the knowledge; documents are left out, they have no wordings.
        intents: Of the company.
        chats: Past ones, in which it is known what answered.
        hold_out: A fifth of the wordings of each group that has more than three; where hardly any has, the question
            of each tenth group, which must then find its answer; and a fifth of the chats, at most a thousand. False
            learns from everything.
        seed: Chooses which.

    Raises:
        KnowledgeError: Fewer than eight groups: nothing to tell apart.
    """
    stored, known = list(entries), list(intents)
    groups = _groups(stored, messages_of(known))
    if len(groups) < _FEWEST_GROUPS:
        raise KnowledgeError(
            f"There are only {len(groups)} questions with an answer or other wordings, but {_FEWEST_GROUPS} are "
            "the least that an encoder can learn to tell apart. Import an FAQ with 'kefu import faq'."
        )
    rng = np.random.default_rng(seed)
    learn, held_out = _divided(groups, rng, hold_out=hold_out)
    places = {(answer, group.locale): place for place, group in enumerate(groups) for answer in group.answers}
    titles = titles_of(stored, known)
    out = min(round(len(chats) * _HELD_OUT), _MOST_CHATS_HELD_OUT) if hold_out else 0
    kept = set(rng.permutation(len(chats))[:out].tolist())
    for number, chat in enumerate(chats):
        asked = [(one, _place(one, places)) for one in asked_in(chat, titles)]
        (held_out if number in kept else learn).extend(
            Text(one.read_as or one.text, place, asked=True) for one, place in asked if place is not None
        )
    return Wordings(
        tuple(learn),
        tuple(held_out),
        tuple(group.locale for group in groups),
        tuple(chat for number, chat in enumerate(chats) if number in kept),
        tuple(chat for number, chat in enumerate(chats) if number not in kept),
    )


def _divided(
    groups: Sequence[_Group], rng: np.random.Generator, *, hold_out: bool
) -> tuple[list[Text], list[Text]]:
    """What is learned of the wordings, and what is held out."""
    worded = [place for place, group in enumerate(groups) if len(group.texts) > _ENOUGH]
    by_wording = len(worded) * 4 >= len(groups)
    judged = worded if by_wording else rng.permutation(len(groups))[: max(1, len(groups) // 10)].tolist()
    chosen = set(judged) if hold_out else set()
    learn: list[Text] = []
    held_out: list[Text] = []
    for place, group in enumerate(groups):
        texts, out = group.texts, set[str]()
        if place in chosen:
            some = (
                rng.permutation(texts[1:])[: max(1, round(len(texts) * _HELD_OUT))]
                if by_wording
                else texts[:1]
            )
            out = {str(text) for text in some}
        held_out += [Text(text, place) for text in texts if text in out]
        learn += [Text(text, place) for text in texts if text not in out]
        if len(texts) <= _ENOUGH:
            learn += [Text(passage, place, stored=True) for passage in group.passages]
    return learn, held_out


@dataclass(frozen=True, slots=True)
class _Group:
    """What belongs together."""

    answers: tuple[str, ...]
    """Their ids, as chats name them."""
    locale: str
    texts: list[str]
    passages: tuple[str, ...]
    """The stored answers; none for an intent."""


def _groups(entries: Iterable[Entry], examples: Mapping[tuple[str, str], Sequence[str]]) -> list[_Group]:
    """Those that have two texts at least."""
    same: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        if entry.passage.source != "document":
            asks = entry.questions[0].strip().casefold()
            same.setdefault((entry.passage.locale, asks), []).append(entry)
    groups = [
        _Group(
            tuple(entry.passage.id for entry in ones),
            locale,
            _distinct(question for entry in ones for question in entry.questions),
            tuple(_distinct(entry.passage.text for entry in ones)),
        )
        for (locale, _), ones in same.items()
    ]
    groups += [
        _Group((INTENT_PREFIX + name,), locale, _distinct(texts), ())
        for (name, locale), texts in examples.items()
    ]
    return [group for group in groups if len(group.texts) + len(group.passages) > 1]


def _place(asked: Asked, places: Mapping[tuple[str, str], int]) -> int | None:
    return places.get((asked.answers[0], asked.locale)) if asked.answers else None


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(clean for text in texts if (clean := text.strip())))
