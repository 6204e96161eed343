"""Fine-tune the encoder to tell feelings apart: kefu train sentiment. Two classes, three, or as many as there are.

Read from top to bottom: settings, the run, its card.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from chatbot.evaluate.sentiment import sentiment_figures
from finetune.classifier import TaskPace, TaskTable, changed, fine_tune, names_of, open_classifier
from finetune.examples import DataTable, Example, Split
from finetune.run import Making, Run, described, model_card, new_model, outcome, write_labels, write_model
from knowledge.types import Matrix

TASK = "sentiment"


class SentimentRun(Run):
    """A run.toml of this task."""

    task: ClassVar[str] = TASK
    data: DataTable = DataTable()
    """CSV with text,label."""
    model: TaskTable = TaskTable()
    train: TaskPace = TaskPace()


def train_sentiment(
    examples: Split[Example],
    run: SentimentRun,
    *,
    base: tuple[Path, tuple[str, str]],
    making: Making,
) -> Mapping[str, Any]:
    """Train a classifier of feelings and put it among the project's models; its metrics.

    Args:
        examples: To learn from and be judged by.
        run: The settings.
        base: Folder of the encoder, and its prefixes of queries and passages.
        making: Where the model goes.

    Raises:
        KnowledgeError: Fewer than two labels.
        ModelError: The encoder cannot be trained, or the name is taken.
    """
    begun = time.monotonic()
    names = names_of(examples)
    about = described(TASK, examples.counts, examples.data, run)
    seed, belongs = run.train.seed, about["data_sha256"]
    with new_model(making, TASK, belongs=belongs, seed=seed) as (place, kept):
        network = open_classifier(base, run.model, classes=len(names), dropout=run.train.dropout)
        tuned = fine_tune(
            network, examples, names, run.train, place=place, checkpoints=kept, progress=making.progress
        )
        gold = [one.label for one in examples.test]

        def figures(shares: Matrix) -> dict[str, Any]:
            return sentiment_figures(gold, [names[best] for best in shares.argmax(axis=1)])

        before, after = figures(tuned.before.test), figures(tuned.after.test)
        metrics = {**about, **outcome("accuracy", before, after, tuned.learned)}
        metrics["seconds"] = round(time.monotonic() - begun)
        metrics["changed"] = changed(tuned, examples, names)
        write_labels(place, names)
        write_model(place, run, metrics, _card(making.name, metrics))
    return metrics


def _card(name: str, metrics: Mapping[str, Any]) -> str:
    before, after, counts = metrics["test_before"], metrics["test"], metrics["examples"]
    each = ", ".join(f"{label} {row['f1-score']:.3f}" for label, row in after["labels"].items())
    return model_card(
        f"Sentiment {name}",
        f"Feelings of a text, learned by the encoder from {counts['learn']} texts; {counts['valid']} chose the epoch,\n"
        f"{counts['test']} were kept for the figures.",
        points=[
            f"Accuracy on the test: {before['accuracy']:.1%} before (nearest centre, frozen encoder), {after['accuracy']:.1%} after.",
            f"Macro F1: {before['macro_f1']:.3f} before, {after['macro_f1']:.3f} after; F1 of {each}.",
        ],
        metrics=metrics,
    )
