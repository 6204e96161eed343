"""Fine-tune the encoder to read a question and an answer together: kefu train reranker.

Read from top to bottom: settings, the run, its figures, its card; the network stands in reranking.py, what it learns from
in candidates.py.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from finetune.candidates import Question, Questions
from finetune.classifier import SHOWN, TaskTable, open_encoder
from finetune.learning import Pace
from finetune.reranking import PairScorer, found_first, train
from finetune.run import Making, Run, described, digest, model_card, new_model, outcome, write_model
from knowledge.types import Matrix

TASK = "reranker"


class RerankerTable(TaskTable):
    """[model]: which part of the encoder learns, and how."""

    first_layer: int = Field(8, ge=1)
    """From which on question and answer are read together."""
    candidates: int = Field(5, ge=2, le=50)
    """Answers that are read with each question: as many as the bot looks at."""


class RerankerPace(Pace):
    """[train]: how long and how fast to learn."""

    epochs: int = Field(2, ge=1, le=100)
    batch_size: int = Field(16, ge=2, le=1024)
    """Questions, each with all of its candidates."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Of the LoRA inputs."""
    lead: float = 0.05
    """Questions whose answer leads by more, in cosine, are not learned from: they teach nothing."""
    most: int = Field(10_000, ge=1)
    """Questions that are learned from; of more, a sample."""


class RerankerRun(Run):
    """A run.toml of this task."""

    task: ClassVar[str] = TASK
    model: RerankerTable = RerankerTable()
    train: RerankerPace = RerankerPace()


def train_reranker(
    questions: Questions,
    run: RerankerRun,
    *,
    base: tuple[Path, tuple[str, str]],
    making: Making,
) -> Mapping[str, Any]:
    """Train a reranker and put it among the project's models; its metrics.

    What it is compared with is the retriever alone, in whose order the answers come.

    Args:
        questions: To learn from and be judged by.
        run: The settings.
        base: Folder of the encoder, and its prefixes of queries and passages.
        making: Where the model goes.

    Raises:
        ModelError: The encoder cannot be trained, or the name is taken.
    """
    begun = time.monotonic()
    hard = _hard(questions.learn, run.train)
    about = described(TASK, {**questions.counts, "learned_from": len(hard)}, _data(questions), run)
    seed, belongs = run.train.seed, about["data_sha256"]
    with new_model(making, TASK, belongs=belongs, seed=seed) as (place, kept):
        encoder = open_encoder(base, run.model, dropout=run.train.dropout)
        network = PairScorer(encoder, questions.passages, progress=making.progress)
        learned = train(network, hard, questions.valid, run.train, checkpoints=kept, progress=making.progress)
        network.save(place)
        network.load(place)
        scores = network.scores(network.read(questions.test, progress=making.progress), questions.test)
        before, after = (
            {"p_at_1": found_first(questions.test, order)}
            for order in ([one.near for one in questions.test], scores)
        )
        metrics = {**about, **outcome("p_at_1", before, after, learned)}
        metrics["reachable"] = _reachable(questions.test)
        metrics["seconds"] = round(time.monotonic() - begun)
        metrics["changed"] = _changed(questions, scores)
        write_model(place, run, metrics, _card(making.name, metrics))
    return metrics


def _hard(questions: Sequence[Question], pace: RerankerPace) -> list[Question]:
    """Those that the retriever is not sure of, at most so many."""
    hard = [one.with_right() for one in questions if one.lead <= pace.lead]
    chosen = np.random.default_rng(pace.seed).permutation(len(hard))[: pace.most]
    return [hard[place] for place in sorted(chosen)]


def _data(questions: Questions) -> Mapping[str, Any]:
    parts = (questions.learn, questions.valid, questions.test)
    texts = [(one.text, one.found, sorted(one.right)) for part in parts for one in part]
    about = {"file": "knowledge of the project", "examples": len(texts)}
    return {"train": {**about, "sha256": digest([texts, [asdict(one) for one in questions.passages]])}}


def _reachable(questions: Sequence[Question]) -> float:
    """Share of the questions that something answers of which the retriever finds a right answer at all."""
    found = [bool(one.right & set(one.found)) for one in questions if one.right]
    return sum(found) / max(1, len(found))


def _changed(questions: Questions, scores: Matrix) -> list[dict[str, str]]:
    """Test questions of which another answer comes first than before; a few, for people to look at."""
    titles = [passage.title for passage in questions.passages]
    rows = []
    for one, own in zip(questions.test, scores, strict=True):
        was, now = one.found[0], one.found[int(np.argmax(own))]
        if was != now:
            gold = titles[min(one.right)] if one.right else "(nothing)"
            rows.append({"text": one.text, "gold": gold, "before": titles[was], "after": titles[now]})
    return rows[:SHOWN]


def _card(name: str, metrics: Mapping[str, Any]) -> str:
    before, after, counts = metrics["test_before"], metrics["test"], metrics["examples"]
    return model_card(
        f"Reranker {name}",
        f"Reads a question together with each answer that was found, learned by the encoder from {counts['learned_from']} of "
        f"{counts['learn']} questions;\n{counts['valid']} chose the epoch, {counts['test']} were kept for the figures.",
        points=[
            (
                f"Right first: {before['p_at_1']:.1%} in the retriever's order, {after['p_at_1']:.1%} in the reranker's; "
                f"{metrics['reachable']:.1%} are found at all."
            ),
            "It holds what the FAQ says, so it has its licence; the encoder keeps its own.",
        ],
        metrics=metrics,
    )
