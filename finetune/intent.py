"""Fine-tune the encoder to tell intents apart: kefu train intent.

Read from top to bottom: settings, the run, its figures, its card. What is called `oos` is not learned from; the
threshold under which a text is taken for none of the intents is chosen on the validation part.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from chatbot.evaluate.files import read_columns
from chatbot.evaluate.intents import (
    LOSS,
    OUT_OF_SCOPE,
    Judged,
    Labelled,
    fit_intents,
    measure_intents,
    with_guessed,
)
from chatbot.understand.outside import choose_threshold
from finetune.classifier import Said, TaskPace, TaskTable, changed, fine_tune, names_of, open_classifier
from finetune.examples import DataTable, Example, Split, plain, split
from finetune.run import (
    Making,
    Run,
    described,
    digest,
    model_card,
    new_model,
    outcome,
    write_labels,
    write_model,
)
from knowledge.packaged.manifest import sha256_of
from knowledge.types import Encoder, Matrix, Progress

TASK = "intent"


class IntentData(DataTable):
    """[data]: as everywhere, and messages without a label."""

    unlabelled: Path | None = None
    """CSV with text: messages whose intents nobody told."""


class IntentRun(Run):
    """A run.toml of this task."""

    task: ClassVar[str] = TASK
    data: IntentData = IntentData()
    """CSV with text,intent; without it the project's own intents."""
    model: TaskTable = TaskTable()
    train: TaskPace = TaskPace()


def train_intent(
    examples: Split[Example],
    run: IntentRun,
    *,
    base: tuple[Path, tuple[str, str]],
    making: Making,
) -> Mapping[str, Any]:
    """Train a classifier of intents and put it among the project's models; its metrics.

    Args:
        examples: To learn from and be judged by.
        run: The settings.
        base: Folder of the encoder, and its prefixes of queries and passages.
        making: Where the model goes.

    Raises:
        KnowledgeError: Fewer than two intents.
        ModelError: The encoder cannot be trained, or the name is taken.
    """
    begun = time.monotonic()
    names = names_of(examples, besides=OUT_OF_SCOPE)
    about = described(TASK, examples.counts, examples.data, run)
    seed, belongs = run.train.seed, about["data_sha256"]
    with new_model(making, TASK, belongs=belongs, seed=seed) as (place, kept):
        network = open_classifier(base, run.model, classes=len(names), dropout=run.train.dropout)
        tuned = fine_tune(
            network, examples, names, run.train, place=place, checkpoints=kept, progress=making.progress
        )
        before, after = (_figures(said, examples, names) for said in (tuned.before, tuned.after))
        metrics = {**about, **outcome("accuracy", before, after, tuned.learned), "intents": len(names)}
        metrics["seconds"] = round(time.monotonic() - begun)
        metrics["changed"] = changed(tuned, examples, names)
        write_labels(place, names)
        write_model(place, run, metrics, _card(making.name, metrics))
    return metrics


def intents_of_project(examples: Mapping[tuple[str, str], Sequence[str]], *, seed: int) -> Split[Example]:
    """A split of the intents that were imported.

    Args:
        examples: (intent, locale) -> example messages.
        seed: Of what is held out.
    """
    every = [
        Example(text, intent) for (intent, _), texts in examples.items() for text in dict.fromkeys(texts)
    ]
    about = {
        "file": "intents of the project",
        "examples": len(every),
        "sha256": digest([[one.text, one.label] for one in every]),
    }
    return split(
        every, data={"train": about}, text=lambda one: one.text, label=lambda one: one.label, seed=seed
    )


def with_unlabelled(
    examples: Split[Example], path: Path, encoder: Encoder, *, seed: int, progress: Progress
) -> Split[Example]:
    """Learn from messages without a label, too: each that seems to belong to an intent, with its neighbours' one.

    Args:
        examples: A classifier over the encoder is fitted on their training part.
        path: CSV with text; what stands in the validation or test part is passed over.
        encoder: Tells which messages are near.
        seed: Of the classifier.
        progress: Told what is being done.

    Raises:
        KnowledgeError: The file is missing or wrong, or no example has an intent.
    """
    judged = {plain(one.text) for one in (*examples.valid, *examples.test)}
    texts = [row["text"] for row in read_columns(path, "text")]
    learn = Labelled(tuple(one.text for one in examples.learn), tuple(one.label for one in examples.learn))
    head = fit_intents(learn, None, encoder, seed=seed, progress=progress)
    more = with_guessed(head, learn, [text for text in texts if plain(text) not in judged])
    about = {"file": path.name, "examples": len(texts), "sha256": sha256_of(path)}
    return Split(
        tuple(map(Example, more.texts, more.intents)),
        examples.valid,
        examples.test,
        {**examples.data, "unlabelled": about, "guessed": len(more.texts) - len(learn.texts)},
    )


@dataclass(frozen=True, slots=True)
class _Judge:
    """What the network said of the test texts; implements chatbot.evaluate.intents.IntentModel for them."""

    names: Sequence[str]
    shares: Matrix
    threshold: float

    def judge(self, texts: Sequence[str]) -> Judged:  # noqa: ARG002 - they were judged already
        """The best intents, and how sure the network is of them."""
        return Judged(np.array(self.names)[self.shares.argmax(axis=1)], self.shares.max(axis=1))


def _figures(said: Said, examples: Split[Example], names: Sequence[str]) -> dict[str, Any]:
    inside = np.array([one.label in names for one in examples.valid], np.bool_)
    right = np.array(
        [
            names[best] == one.label
            for best, one in zip(said.valid.argmax(axis=1), examples.valid, strict=True)
        ],
        np.bool_,
    )
    threshold = choose_threshold(said.valid.max(axis=1)[inside], right[inside], loss=LOSS)
    test = Labelled(tuple(one.text for one in examples.test), tuple(one.label for one in examples.test))
    return measure_intents(_Judge(names, said.test, threshold), test)


def _card(name: str, metrics: Mapping[str, Any]) -> str:
    before, after, counts = metrics["test_before"], metrics["test"], metrics["examples"]
    points = [
        f"Accuracy on the test: {before['accuracy']:.1%} before (nearest centre, frozen encoder), {after['accuracy']:.1%} after.",
        f"Macro F1: {before['macro_f1']:.3f} before, {after['macro_f1']:.3f} after.",
    ]
    if after["oos_recall"] is not None:
        points.append(
            f"Texts that have no intent: {after['oos_recall']:.1%} are refused, AUROC {after['oos_auroc']:.3f}."
        )
    return model_card(
        f"Intent {name}",
        f"{metrics['intents']} intents, learned by the encoder from {counts['learn']} texts; {counts['valid']} chose "
        f"the epoch,\n{counts['test']} were kept for the figures.",
        points=points,
        metrics=metrics,
    )
