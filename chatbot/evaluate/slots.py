"""How well names and values are found in sentences: entities found whole, as CoNLL counts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatbot.evaluate.files import TaggedSentence
from chatbot.understand.tags import OUTSIDE


def measure_slots(test: Sequence[TaggedSentence], said: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Entity precision, recall and F1 (right kind, both ends right), by kind too, and the report by token.

    The figures are those of seqeval and conlleval: nervaluate's "strict".

    Args:
        test: With the right tags.
        said: The tags that the model gave, a list for each sentence.
    """
    from nervaluate import Evaluator
    from sklearn.metrics import classification_report

    gold = [list(sentence.tags) for sentence in test]
    kinds = sorted({tag[2:] for tags in (*gold, *said) for tag in tags if tag != OUTSIDE})
    every = [tag for tags in gold for tag in tags]
    guessed = [tag for tags in said for tag in tags]
    tokens = classification_report(every, guessed, output_dict=True, zero_division=0)
    accuracy = sum(a == b for a, b in zip(every, guessed, strict=True)) / len(every)
    figures: dict[str, Any] = {"precision": 0.0, "recall": 0.0, "f1": 0.0, "kinds": {}}
    if kinds:
        found = Evaluator(gold, [list(tags) for tags in said], tags=kinds, loader="list").evaluate()
        figures = _entity_figures(found["overall"]["strict"])
        figures["kinds"] = {kind: _entity_figures(found["entities"][kind]["strict"]) for kind in kinds}
    return {
        **{name: figures[name] for name in ("precision", "recall", "f1")},
        "token_accuracy": accuracy,
        "kinds": figures["kinds"],
        "tokens": {name: row for name, row in tokens.items() if isinstance(row, dict)},
    }


def _entity_figures(result: Any) -> dict[str, Any]:
    return {
        "precision": float(result.precision),
        "recall": float(result.recall),
        "f1": float(result.f1),
        "entities": int(result.possible),
    }
