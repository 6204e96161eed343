"""Fine-tune the encoder to make follow-ups standalone: kefu train rewriter.

Read from top to bottom: settings, the run, its card; the network stands in rewriting.py.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from chatbot.evaluate.likeness import exact_match
from chatbot.evaluate.rewrite import FollowUp, rewrite_figures
from chatbot.understand.rewrite import Rewriter
from finetune.classifier import SHOWN, TaskTable, open_encoder
from finetune.edits import edits_of, glue_of
from finetune.examples import DataTable, Split
from finetune.learning import Pace
from finetune.rewriting import EditPointer, train
from finetune.run import Making, Run, described, model_card, new_model, outcome, write_labels, write_model

TASK = "rewriter"


class RewriterTable(TaskTable):
    """[model]: which part of the encoder learns, and how."""

    longest: int = Field(128, ge=16, le=512)
    """Tokens of a conversation; what was said first is left out where it is longer."""


class RewriterPace(Pace):
    """[train]: how long and how fast to learn."""

    dropout: float = Field(0.1, ge=0, lt=1)


class RewriterRun(Run):
    """A run.toml of this task."""

    task: ClassVar[str] = TASK
    data: DataTable = DataTable()
    """JSON lines: {"context": [...], "current": "...", "rewrite": "..."}."""
    model: RewriterTable = RewriterTable()
    train: RewriterPace = RewriterPace()


def train_rewriter(
    follow_ups: Split[FollowUp],
    run: RewriterRun,
    *,
    base: tuple[Path, tuple[str, str]],
    making: Making,
) -> Mapping[str, Any]:
    """Train a rewriter of follow-ups and put it among the project's models; its metrics.

    What it is compared with is the rewriter without a model that Kefu comes with.

    Args:
        follow_ups: To learn from and be judged by.
        run: The settings.
        base: Folder of the encoder, and its prefixes of queries and passages.
        making: Where the model goes.

    Raises:
        ModelError: The encoder cannot be trained, or the name is taken.
    """
    begun = time.monotonic()
    about = described(TASK, follow_ups.counts, follow_ups.data, run)
    seed, belongs = run.train.seed, about["data_sha256"]
    glue = glue_of(follow_ups.learn)
    with new_model(making, TASK, belongs=belongs, seed=seed) as (place, kept):
        encoder = open_encoder(base, run.model, dropout=run.train.dropout)
        network = EditPointer(encoder, glue)
        learn, valid, test = (
            network.read(part, progress=making.progress)
            for part in (follow_ups.learn, follow_ups.valid, follow_ups.test)
        )
        learned = train(network, learn, valid, run.train, checkpoints=kept, progress=making.progress)
        network.save(place)
        network.load(place)
        was = _without_model(follow_ups.test)
        now = dict(zip((one.follow_up for one in test), network.rewrites(test), strict=True))
        said = [now.get(one, one.current) for one in follow_ups.test]
        before, after = (rewrite_figures(texts, follow_ups.test) for texts in (was, said))
        metrics = {**about, **outcome("exact_match", before, after, learned), "glue": glue}
        metrics["left_alone"] = _left_alone(follow_ups.learn)
        metrics["context"] = max(1, *(len(one.context) for one in follow_ups.learn))
        metrics["reachable"] = _reachable(follow_ups.test, glue)
        metrics["seconds"] = round(time.monotonic() - begun)
        metrics["changed"] = _changed(follow_ups.test, was, said)
        write_labels(place, glue)
        write_model(place, run, metrics, _card(making.name, metrics))
    return metrics


def _without_model(follow_ups: Sequence[FollowUp]) -> list[str]:
    rules = Rewriter([text for one in follow_ups for text in one.context])
    return [rules.after(one.current, one.context) for one in follow_ups]


def _reachable(follow_ups: Sequence[FollowUp], glue: Sequence[str]) -> float:
    """Share of persons' rewrites that edits can make at all."""
    return sum(edits_of(one, glue) is not None for one in follow_ups) / len(follow_ups)


def _left_alone(follow_ups: Sequence[FollowUp]) -> float:
    """Share of messages that people left as they were: without any, the model cannot know which to leave."""
    return sum(exact_match(one.current, one.rewrite) for one in follow_ups) / len(follow_ups)


def _changed(
    follow_ups: Sequence[FollowUp], before: Sequence[str], after: Sequence[str]
) -> list[dict[str, str]]:
    """Follow-ups side by side: what a person wrote, the rewriter without a model, and this one."""
    return [
        {"text": " / ".join((*one.context, one.current)), "gold": one.rewrite, "before": was, "after": now}
        for one, was, now in zip(follow_ups, before, after, strict=True)
        if was != now
    ][:SHOWN]


def _card(name: str, metrics: Mapping[str, Any]) -> str:
    before, after, counts = metrics["test_before"], metrics["test"], metrics["examples"]
    return model_card(
        f"Rewriter {name}",
        f"Makes follow-ups standalone by edits, learned by the encoder from {counts['learn']} rewrites of people; "
        f"{counts['valid']} chose the epoch,\n{counts['test']} were kept for the figures.",
        points=[
            f"Word for word as a person: {before['exact_match']:.1%} without a model, {after['exact_match']:.1%} with this one.",
            f"Edits can make {metrics['reachable']:.1%} of people's rewrites.",
            f"BLEU {before['bleu']:.1f} and {after['bleu']:.1f}, ROUGE-L {before['rouge_l']:.3f} and {after['rouge_l']:.3f}.",
            f"Words that it may put in though nobody said them: {' '.join(metrics['glue']) or 'none'}.",
        ],
        metrics=metrics,
    )
