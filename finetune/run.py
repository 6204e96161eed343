"""One fine-tuning run of the retriever: its settings, its data, its checkpoints, the model that comes out."""

from __future__ import annotations

import hashlib
import json
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from chatbot.registry import HELD_OUT, METRICS, Registry
from finetune.encoder import LearningEncoder, keep_memory
from finetune.retriever import Plan, Trained, train
from finetune.wordings import Wordings
from knowledge.errors import SettingsError
from knowledge.types import Progress

TASK = "retriever"


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelTable(_Table):
    """[model]: what learns."""

    first_layer: int = Field(6, ge=0)
    rank: int = Field(16, ge=1, le=256)
    longest: int = Field(64, ge=8, le=512)


class TrainTable(_Table):
    """[train]: how."""

    epochs: int = Field(3, ge=1, le=100)
    learning_rate: float = Field(5e-4, gt=0, lt=1)
    batch_size: int = Field(48, ge=2, le=1024)
    scale: float = Field(30.0, gt=0)
    warm_up: float = Field(0.1, gt=0, lt=1)
    weight_decay: float = Field(0.01, ge=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    neighbours: float = Field(0.5, ge=0, le=1)
    patience: int = Field(2, ge=1)
    seed: int = 0


class RunSettings(_Table):
    """A run.toml."""

    model: ModelTable = ModelTable()
    train: TrainTable = TrainTable()


def read_run(path: Path | None) -> RunSettings:
    """Read a run.toml; the defaults without one.

    Raises:
        SettingsError: Missing, no TOML, an unknown key, or a value out of range.
    """
    if path is None:
        return RunSettings()
    try:
        return RunSettings.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(
            f"{path} cannot be read ({error}). finetune/runs/retriever.toml is a sample."
        ) from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise SettingsError(
            f"'{where}' in {path} is wrong: {problem['msg']}. finetune/runs/retriever.toml shows what there is."
        ) from error


def train_retriever(
    wordings: Wordings,
    run: RunSettings,
    *,
    base: tuple[Path, tuple[str, str]],
    registry: Registry,
    name: str,
    work: Path,
    progress: Progress,
) -> Mapping[str, Any]:
    """Train an adapter and put it among the project's models; its metrics.

    Args:
        wordings: What to learn from and be judged by.
        run: The settings.
        base: Folder of the encoder, and its prefixes of queries and passages.
        registry: Gets the model.
        name: Of the model.
        work: Where checkpoints are kept until the run ends well; a stopped run of the same name goes on from there.
        progress: Told what is being done.

    Raises:
        ModelError: The encoder cannot be trained, or the name is taken.
    """
    keep_memory()
    begun = time.monotonic()
    torch.manual_seed(run.train.seed)
    folder, prefixes = base
    with registry.making(TASK, name) as place:
        options = run.train.model_dump()
        encoder = LearningEncoder(
            folder,
            prefixes,
            first=run.model.first_layer,
            rank=run.model.rank,
            longest=run.model.longest,
            dropout=options.pop("dropout"),
        )
        described = _describe(wordings, run)
        kept = _Kept(work / f"{name}.safetensors", described["data_sha256"])
        trained = train(encoder, wordings, Plan(**options), checkpoints=kept, progress=progress)
        encoder.save(place)
        metrics = {**described, **_metrics(trained), "seconds": round(time.monotonic() - begun)}
        (place / METRICS).write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
        held_out = [text.text for text in wordings.held_out]
        (place / HELD_OUT).write_text(json.dumps(held_out, ensure_ascii=False, indent=0) + "\n", "utf-8")
        (place / "README.md").write_text(_card(name, metrics), "utf-8")
    kept.path.unlink(missing_ok=True)
    return metrics


class _Kept:
    """The checkpoint file of a run; implements finetune.retriever.Checkpoints."""

    def __init__(self, path: Path, belongs: str) -> None:
        self.path = path
        self._belongs = belongs
        """Data and settings of the run: a checkpoint of others is left alone."""

    def last(self) -> tuple[dict[str, Tensor], list[dict[str, Any]]] | None:
        if not self.path.is_file():
            return None
        with safe_open(str(self.path), "pt") as file:
            about = file.metadata() or {}
            if about.get("belongs") != self._belongs:
                return None
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(about["epochs"])  # noqa: SIM118

    def save(self, tensors: dict[str, Tensor], epochs: list[dict[str, Any]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        save_file(tensors, str(fresh), {"belongs": self._belongs, "epochs": json.dumps(epochs)})
        fresh.replace(self.path)


def _describe(wordings: Wordings, run: RunSettings) -> dict[str, Any]:
    content = json.dumps(
        [[asdict(text) for text in (*wordings.learn, *wordings.held_out)], run.model_dump()], sort_keys=True
    )
    return {
        "task": TASK,
        "texts": len(wordings.learn),
        "groups": wordings.groups,
        "held_out": len(wordings.held_out),
        "locales": {locale: wordings.locales.count(locale) for locale in sorted(set(wordings.locales))},
        "data_sha256": hashlib.sha256(content.encode()).hexdigest(),
        "run": run.model_dump(),
    }


def _metrics(trained: Trained) -> dict[str, Any]:
    return {
        "p_at_1_before": round(trained.before, 4),
        "p_at_1": round(trained.after, 4),
        "epochs": [asdict(epoch) for epoch in trained.epochs],
    }


def _card(name: str, metrics: Mapping[str, Any]) -> str:
    rows: Sequence[Mapping[str, Any]] = metrics["epochs"]
    table = "\n".join(f"| {row['epoch']} | {row['loss']:.3f} | {row['held_out']:.1%} |" for row in rows)
    return f"""# Retriever {name}

A LoRA adapter over the encoder, trained on {metrics["texts"]} wordings of {metrics["groups"]} answers and intents
({", ".join(f"{count} {locale}" for locale, count in metrics["locales"].items())}); {metrics["held_out"]} wordings were held out.

* Right first among the held-out wordings, plain cosine: {metrics["p_at_1_before"]:.1%} before, {metrics["p_at_1"]:.1%} after.
* Data and settings: SHA-256 `{metrics["data_sha256"]}`; the settings stand in `metrics.json`.
* It holds what the FAQ and the intents say, so it has their licence; the encoder keeps its own.

| epoch | loss | held-out found |
|---|---|---|
{table}
"""
