"""Guesses of intents for sentences that the classifier was not fitted on, for choosing its threshold."""

from __future__ import annotations

import random
from collections.abc import Sequence

from chatbot.understand.intent import IntentClassifier, out_of_scope
from knowledge.sources.intents import Intent
from knowledge.types import Encoder

FOLDS = 4


def held_out_guesses(
    intents: Sequence[Intent],
    encoder: Encoder,
    *,
    negatives: Sequence[str],
    seed: int,
    unseen: frozenset[str] | None = None,
) -> list[tuple[float, bool]]:
    """Confidence of each guess and whether it is right; every fair example and out-of-scope sentence once.

    Args:
        intents: With their examples; each fold is fitted without a quarter of them.
        encoder: Of the classifier.
        negatives: The company's FAQ questions, as in `IntentClassifier.fit`.
        seed: Of the folds.
        unseen: Examples that the encoder was not trained on: only they are asked. None: it was trained on none.
    """
    strangers = random.Random(seed).sample(out_of_scope(), len(out_of_scope()))
    guesses = []
    for fold in range(FOLDS):
        shown, asked = _split(intents, fold, seed)
        known = [text for at, text in enumerate(strangers) if at % FOLDS != fold]
        classifier = IntentClassifier.fit(shown, encoder, negatives=negatives, strangers=known, seed=seed)
        for name, text in asked:
            if unseen is not None and text not in unseen:
                continue
            guess = classifier.classify(text)
            guesses.append((guess.confidence, guess.intent == name))
        # The strangers of this fold were kept from the fit: acting on one of them is wrong.
        wild = [classifier.classify(text) for text in strangers[fold::FOLDS]]
        guesses += [(guess.confidence, False) for guess in wild if not guess.exact]
    return guesses


def _split(intents: Sequence[Intent], fold: int, seed: int) -> tuple[list[Intent], list[tuple[str, str]]]:
    shown, asked = [], []
    for intent in intents:
        kept: dict[str, list[str]] = {}
        for language, examples in intent.examples.items():
            order = random.Random(f"{seed}{intent.name}{language}").sample(examples, len(examples))
            # Small talk is answered by its own rule, whatever the threshold, and one kind passes for another.
            if "." not in intent.name:
                asked += [(intent.name, text) for text in order[fold::FOLDS]]
            kept[language] = [text for at, text in enumerate(order) if at % FOLDS != fold]
        shown.append(intent.model_copy(update={"examples": kept}))
    return shown, asked
