"""Fine-tune the encoder to tag words: kefu train slots. Names, numbers, dates: token classification, BIO.

Read from top to bottom: settings, the run, its card; the network stands in tagging.py.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from chatbot.evaluate.files import TaggedSentence
from chatbot.evaluate.slots import measure_slots
from chatbot.understand.tags import OUTSIDE
from finetune.classifier import SHOWN, TaskTable
from finetune.examples import DataTable, Split
from finetune.run import Making, Run, described, model_card, new_model, outcome, write_labels, write_model
from finetune.tagging import SlotsPace, open_tagger, train
from knowledge.errors import KnowledgeError

TASK = "slots"


class SlotsTable(TaskTable):
    """[model]: which part of the encoder learns, and how."""

    longest: int = Field(128, ge=8, le=512)
    """Tokens of a sentence; words behind them are taken for O."""


class SlotsRun(Run):
    """A run.toml of this task."""

    task: ClassVar[str] = TASK
    data: DataTable = DataTable()
    """CoNLL columns: word first, BIO tag last, an empty line between sentences; Chinese by character."""
    model: SlotsTable = SlotsTable()
    train: SlotsPace = SlotsPace()


def train_slots(
    sentences: Split[TaggedSentence],
    run: SlotsRun,
    *,
    base: tuple[Path, tuple[str, str]],
    making: Making,
) -> Mapping[str, Any]:
    """Train a tagger and put it among the project's models; its metrics.

    Args:
        sentences: To learn from and be judged by.
        run: The settings.
        base: Folder of the encoder, and its prefixes of queries and passages.
        making: Where the model goes.

    Raises:
        KnowledgeError: No word of the training part has a tag.
        ModelError: The encoder cannot be trained, or the name is taken.
    """
    begun = time.monotonic()
    tags = _tags(sentences)
    about = described(TASK, sentences.counts, sentences.data, run)
    seed, belongs = run.train.seed, about["data_sha256"]
    with new_model(making, TASK, belongs=belongs, seed=seed) as (place, kept):
        tagger = open_tagger(base, run.model, tags=tags, dropout=run.train.dropout)
        learn, valid, test = (
            tagger.read(part, progress=making.progress)
            for part in (sentences.learn, sentences.valid, sentences.test)
        )
        tagger.start_from(learn)
        was = tagger.tag(test)
        before = measure_slots(sentences.test, was)
        learned = train(tagger, learn, valid, run.train, checkpoints=kept, progress=making.progress)
        tagger.save(place)
        tagger.load(place)
        now = tagger.tag(test)
        after = measure_slots(sentences.test, now)
        metrics = {**about, **outcome("f1", before, after, learned)}
        metrics["seconds"] = round(time.monotonic() - begun)
        metrics["changed"] = _changed(sentences.test, was, now)
        write_labels(place, tags)
        write_model(place, run, metrics, _card(making.name, metrics))
    return metrics


def _changed(
    sentences: Sequence[TaggedSentence], before: Sequence[Sequence[str]], after: Sequence[Sequence[str]]
) -> list[dict[str, str]]:
    """Sentences in which something else is found after learning than before; a few, for people to look at."""
    return [
        {
            "text": " ".join(one.words),
            "gold": _entities(one.words, one.tags),
            "before": _entities(one.words, was),
            "after": _entities(one.words, now),
        }
        for one, was, now in zip(sentences, before, after, strict=True)
        if list(was) != list(now)
    ][:SHOWN]


def _entities(words: Sequence[str], tags: Sequence[str]) -> str:
    """What is tagged, as a person reads it: "Paris (LOC), Marie Curie (PER)"."""
    found: list[tuple[str, list[str]]] = []
    for word, tag in zip(words, tags, strict=True):
        if tag.startswith("B-"):
            found.append((tag[2:], [word]))
        elif tag != OUTSIDE and found:
            found[-1][1].append(word)
    return ", ".join(f"{' '.join(inside)} ({kind})" for kind, inside in found) or "–"


def _tags(sentences: Split[TaggedSentence]) -> list[str]:
    """O first, then B-kind and I-kind of every kind, whether or not an example has it."""
    kinds = sorted({tag[2:] for one in sentences.learn for tag in one.tags if tag != OUTSIDE})
    if not kinds:
        raise KnowledgeError(
            "No word of the training file has a tag: all are O. Tag what is to be found as B-kind, I-kind."
        )
    return [OUTSIDE, *(f"{part}-{kind}" for kind in kinds for part in "BI")]


def _card(name: str, metrics: Mapping[str, Any]) -> str:
    before, after, counts = metrics["test_before"], metrics["test"], metrics["examples"]
    words = after["tokens"]
    lines = [
        f"| {kind} | {row['precision']:.3f} | {row['recall']:.3f} | {row['f1']:.3f} | {row['entities']} |"
        for kind, row in after["kinds"].items()
    ]
    tokens = [
        f"| {tag} | {row['precision']:.3f} | {row['recall']:.3f} | {row['f1-score']:.3f} | {row['support']:.0f} |"
        for tag, row in words.items()
    ]
    header = "| precision | recall | F1 | number |\n|---|---|---|---|---|"
    card = model_card(
        f"Slots {name}",
        f"A tagger of {len(after['kinds'])} kinds, learned by the encoder from {counts['learn']} sentences; "
        f"{counts['valid']} chose the epoch,\n{counts['test']} were kept for the figures.",
        points=[
            f"Entities found whole, F1: {before['f1']:.3f} before (linear head, frozen encoder), {after['f1']:.3f} after.",
            f"Words tagged right, O included: {before['token_accuracy']:.1%} before, {after['token_accuracy']:.1%} after.",
            f"Macro F1 of the tags, O included: {words['macro avg']['f1-score']:.3f}.",
        ],
        metrics=metrics,
    )
    entity_table = "\n".join([f"| entities {header}", *lines])
    return "\n".join([card, entity_table, "", "\n".join([f"| words {header}", *tokens]), ""])
