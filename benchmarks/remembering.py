"""How often the right answer or intent is nearest to a message of a chat, step by step: what remembering chats adds.

    .venv/bin/python benchmarks/remembering.py .demo

The encoder alone, without words, probabilities or rules; `kefu eval chats` measures the whole bot on the same chats.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from chatbot.assemble import all_intents, open_encoder, open_knowledge
from chatbot.chats import INTENT_PREFIX, Asked, asked_in, read_chats, titles_of
from chatbot.registry import remembered_by
from chatbot.settings import load_settings
from knowledge.index.pooling import nearness
from knowledge.search import read_vectors
from knowledge.types import Encoder, Matrix

CHATS = Path(__file__).parent / "conversations" / "chats.jsonl"
Owner = tuple[str, str]
"""Answer or intent, and language."""


def main(folder: Path) -> None:
    """Print the table for the retriever in force in a project."""
    settings = load_settings(folder)
    settings = settings.with_retriever(settings.retriever)
    knowledge, encoder = open_knowledge(settings), open_encoder(settings)
    entries, intents = list(knowledge.entries()), list(all_intents(knowledge).values())
    texts = [
        (question, (entry.passage.id, entry.passage.locale))
        for entry in entries
        if entry.passage.source != "document"
        for question in entry.questions
    ]
    texts += [
        (text, (INTENT_PREFIX + intent.name, locale))
        for intent in intents
        for locale, examples in intent.examples.items()
        for text in examples
    ]
    remembered = remembered_by(settings.retriever, entries, intents)
    chats = [(one.read_as or one.text, (one.answers[0], one.locale)) for one in remembered if one.answers]
    titles = titles_of(entries, intents)
    asked = [one for chat in read_chats(CHATS) for one in asked_in(chat, titles) if one.answers]
    vectors = encoder.encode_queries([text for text, _ in [*texts, *chats]])
    owners = [owner for _, owner in [*texts, *chats]]
    wordings = len(texts)
    said = _read(encoder, asked, alone=False)
    print(
        f"{len(asked)} messages, {wordings:,} wordings, {len(chats):,} remembered messages; right first, among five"
    )
    rows = [
        ("the nearest wording", said, wordings, np.maximum),
        ("many near wordings count", said, wordings, np.add),
        ("and what is remembered", said, len(owners), np.add),
        ("read a little alone, too", _read(encoder, asked, alone=True), len(owners), np.add),
    ]
    for name, queries, known, together in rows:
        first, five = _found(queries, asked, vectors[:known], owners[:known], together)
        print(f"{name:28} {first:.1%} {five:.1%}")
    encoder.close()


def _read(encoder: Encoder, asked: Sequence[Asked], *, alone: bool) -> Matrix:
    """Vectors of messages in their conversations, and `alone` a little, as the bot reads them."""
    said = [one.read_as for one in asked]
    texts = [one.text for one in asked]
    if alone:
        return read_vectors(encoder, texts, said)
    return encoder.encode_queries([reading or text for reading, text in zip(said, texts, strict=True)])


def _found(
    queries: Matrix, asked: Sequence[Asked], vectors: Matrix, owners: Sequence[Owner], together: np.ufunc
) -> tuple[float, float]:
    """Shares of messages whose answer is first, and among the first five."""
    names = sorted(set(owners))
    numbers = {name: number for number, name in enumerate(names)}
    own = np.array([numbers[owner] for owner in owners])
    order = np.argsort(own, kind="stable")
    near = nearness(queries @ vectors[order].T)
    scores = together.reduceat(near, np.searchsorted(own[order], np.arange(len(names))), axis=1)
    locales = np.array([locale for _, locale in names])
    scores[locales[None, :] != np.array([one.locale for one in asked])[:, None]] = -1
    best = np.argsort(-scores, axis=1)[:, :5]
    right = np.array(
        [
            [names[number][0] in one.answers for number in row]
            for row, one in zip(best.tolist(), asked, strict=True)
        ]
    )
    return float(right[:, 0].mean()), float(right.any(axis=1).mean())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
