"""Questions for calibration, made from the knowledge itself by holding parts of it back.

similar      a wording of an FAQ that the index is not shown: its own answer should still be found
left_out     all wordings of an FAQ that the index is not shown at all: nothing answers them
document     a sentence cut out of a document's passage: the rest of that passage should be found
out_of_scope sentences that no shop's knowledge answers
chat         what customers asked in chats that were kept from training, where there are any

An FAQ with one wording is never asked for: a made-up variation would be so near to the stored wording that
the fit learns to trust near copies alone. Measured on 70 questions of customers to three such FAQs, the bot
answered 17 with thresholds fitted to variations, and 42 with the shipped ones; either claimed nothing wrong.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from chatbot.chats import INTENT_PREFIX, Asked
from knowledge.types import Entry

Origin: TypeAlias = Literal["similar", "left_out", "document", "out_of_scope", "chat"]

LEFT_OUT_SHARE = 0.2
MOST_HELD = 3
"""One of so many similar questions is held back."""
MOST_ENTRIES = 3000
"""Questions are made from at most so many entries; more would only take longer."""
_SENTENCE = re.compile(r"[^。！？.!?\n]+[。！？.!?]?")


@dataclass(frozen=True, slots=True)
class Question:
    """A question with what answers it."""

    text: str
    language: str
    answers: frozenset[str]
    """Ids of the passages that answer it; empty: nothing does."""
    origin: Origin
    read_as: str = ""
    """With what was said before it."""


def hold_out(
    entries: Sequence[Entry],
    *,
    out_of_scope: Sequence[tuple[str, str]],
    seed: int,
    unseen: frozenset[str] | None = None,
) -> tuple[list[Entry], list[Question]]:
    """Split the knowledge into what a trial index is shown, and questions about it and about the rest.

    Args:
        entries: Everything known.
        out_of_scope: Pairs of language and sentence.
        seed: Equal seeds make equal splits.
        unseen: Wordings that the encoder was not trained on: only they are asked, as it knows the others better
            than it will know a customer's. None: it was trained on none.
    """
    rng = random.Random(seed)
    asked = set(rng.sample(range(len(entries)), min(len(entries), MOST_ENTRIES)))
    same_answer = _by_answer(entries)
    kept: list[Entry] = []
    questions: list[Question] = []
    for position, entry in enumerate(entries):
        if position not in asked:
            kept.append(entry)
            continue
        shown, made = _split(entry, same_answer[entry.passage.text], rng, unseen)
        kept += shown
        questions += made
    languages = {entry.passage.locale for entry in entries}
    questions += [
        Question(text, language, frozenset(), "out_of_scope")
        for language, text in out_of_scope
        if language in languages
    ]
    return kept, questions


def asked_by_customers(chats: Iterable[Asked]) -> list[Question]:
    """Questions of chats. A stored answer is wrong where an intent was meant."""
    return [
        Question(
            one.text,
            one.locale,
            frozenset(answer for answer in one.answers or () if not answer.startswith(INTENT_PREFIX)),
            "chat",
            one.read_as,
        )
        for one in chats
    ]


def _by_answer(entries: Iterable[Entry]) -> dict[str, frozenset[str]]:
    groups: dict[str, set[str]] = {}
    for entry in entries:
        groups.setdefault(entry.passage.text, set()).add(entry.passage.id)
    return {text: frozenset(ids) for text, ids in groups.items()}


def _split(
    entry: Entry, answers: frozenset[str], rng: random.Random, unseen: frozenset[str] | None
) -> tuple[list[Entry], list[Question]]:
    language = entry.passage.locale
    if entry.passage.source == "document":
        return _cut_sentence(entry, answers, rng)
    fair = [question for question in entry.questions if unseen is None or question in unseen]
    if fair and len(answers) == 1 and rng.random() < LEFT_OUT_SHARE:
        return [], [Question(rng.choice(fair), language, frozenset(), "left_out")]
    if similar := [question for question in entry.questions[1:] if question in fair]:
        # Those few that an encoder was not trained on are all asked: the others stay to find them by.
        held = similar if unseen is not None else rng.sample(similar, max(1, len(similar) // MOST_HELD))
        rest = tuple(question for question in entry.questions if question not in held)
        return [replace(entry, questions=rest)], [
            Question(text, language, answers, "similar") for text in held
        ]
    return [entry], []


def _cut_sentence(
    entry: Entry, answers: frozenset[str], rng: random.Random
) -> tuple[list[Entry], list[Question]]:
    sentences = [s.strip() for s in _SENTENCE.findall(entry.passage.text) if 12 <= len(s.strip()) <= 200]
    if len(sentences) < 3:
        return [entry], []
    cut = rng.choice(sentences)
    rest = replace(entry.passage, text=entry.passage.text.replace(cut, " "))
    return [replace(entry, passage=rest)], [Question(cut, entry.passage.locale, answers, "document")]
