"""What every fine-tuning run has around its learning: settings, checkpoints, the model folder that comes out."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from pydantic import Field, ValidationError
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from chatbot.registry import LABELS, METRICS, Registry
from finetune.encoder import keep_memory
from finetune.learning import UNWATCHED, Learned, Observer, Table, watched
from finetune.processes import is_first
from knowledge.errors import SettingsError, first_problem
from knowledge.types import Progress

RUN = "run.toml"
CARD = "README.md"

Settings = TypeVar("Settings", bound=Table)


class LogTable(Table):
    """[log]: what a run tells while it learns."""

    tensorboard: bool = False
    """Loss, learning rate and held-out figure into the project's models/runs/tensorboard."""
    mlflow: str = ""
    """The same to an MLflow server or store: its URI."""


class Run(Table):
    """A run.toml; each task brings [model], [train] and mostly [data]."""

    task: ClassVar[str]
    log: LogTable = Field(LogTable(), exclude=True)
    """No part of what a model is known by: a run that was stopped goes on with another [log]."""


class EncoderTable(Table):
    """[model]: which part of the encoder learns, and how."""

    first_layer: int = Field(6, ge=0)
    """Those below stay as they are, and are computed once."""
    rank: int = Field(16, ge=1, le=256)
    """Of the LoRA matrices."""
    longest: int = Field(64, ge=8, le=512)
    """Tokens of a text; the rest is cut."""


def read_run(path: Path | None, kind: type[Settings], *, sample: str) -> Settings:
    """Read a run.toml; the defaults without one.

    Args:
        path: The file.
        kind: What it holds.
        sample: Name of the file in finetune/runs that shows what there is.

    Raises:
        SettingsError: Missing, no TOML, an unknown key, or a value out of range.
    """
    if path is None:
        return kind()
    try:
        return kind.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(
            f"{path} cannot be read ({error}). finetune/runs/{sample} is a sample."
        ) from error
    except ValidationError as error:
        raise SettingsError(
            f"{path} is wrong: {first_problem(error)}. finetune/runs/{sample} shows what there is."
        ) from error


@dataclass(frozen=True, slots=True)
class Making:
    """Where a run puts its model, and whom it tells how far it is."""

    registry: Registry
    """Gets the model."""
    name: str
    """Of the model."""
    work: Path
    """Where checkpoints are kept until the run ends well; a stopped run of the same name goes on from there."""
    progress: Progress
    observer: Observer = UNWATCHED
    """Sees the run learn."""


@contextmanager
def new_model(
    making: Making, task: str, *, belongs: str, seed: int
) -> Iterator[tuple[Path, KeptCheckpoints]]:
    """A folder that becomes the model when the block ends well, and the checkpoints of its making.

    What the block makes lies on the graphics card where there is one.

    Args:
        making: Of the run.
        task: Of the model.
        belongs: SHA-256 of data and settings: checkpoints of others are left alone.
        seed: Of the weights that begin by chance.

    Raises:
        ModelError: The name is taken.
    """
    keep_memory()
    torch.manual_seed(seed)
    kept = KeptCheckpoints(making.work / f"{task}-{making.name}.safetensors", belongs)
    graphics = torch.device("cuda") if torch.cuda.is_available() else nullcontext()
    with graphics, making.registry.making(task, making.name) as place, watched(making.observer):
        yield place, kept
    kept.drop()


class KeptCheckpoints:
    """The checkpoint file of a run; implements finetune.learning.Checkpoints."""

    def __init__(self, path: Path, belongs: str) -> None:
        self._path = path
        self._belongs = belongs

    def last(self) -> tuple[dict[str, Tensor], list[dict[str, Any]]] | None:
        """What was saved last by a run of the same data and settings."""
        if not self._path.is_file():
            return None
        with safe_open(str(self._path), "pt") as file:
            about = file.metadata() or {}
            if about.get("belongs") != self._belongs:
                return None
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(about["epochs"])  # noqa: SIM118

    def save(self, tensors: dict[str, Tensor], epochs: list[dict[str, Any]]) -> None:
        """Keep them, atomically."""
        if not is_first():
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        save_file(tensors, str(fresh), {"belongs": self._belongs, "epochs": json.dumps(epochs)})
        fresh.replace(self._path)

    def drop(self) -> None:
        """The run ended well: nobody goes on with it."""
        if is_first():
            self._path.unlink(missing_ok=True)


def digest(content: object) -> str:
    """SHA-256 of what JSON can say."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def described(task: str, counts: Mapping[str, int], data: Mapping[str, Any], run: Table) -> dict[str, Any]:
    """What a run learns from, for metrics.json.

    Args:
        task: Of the model.
        counts: Examples of each part.
        data: File and SHA-256 of each part.
        run: Its settings.
    """
    settings = run.model_dump(mode="json")
    return {
        "task": task,
        "examples": counts,
        "data": data,
        "data_sha256": digest([data, settings]),
        "run": settings,
    }


def outcome(
    measure: str, before: Mapping[str, Any], after: Mapping[str, Any], learned: Learned
) -> dict[str, Any]:
    """What came out, for metrics.json: the one figure that a model is known by, then all.

    Args:
        measure: Name of that figure.
        before: Figures on the test part, before learning.
        after: The same of the model as it was written.
        learned: How it went.
    """
    return {
        "measure": measure,
        f"{measure}_before": round(before[measure], 4),
        measure: round(after[measure], 4),
        "held_out_before": learned.before,
        "held_out_after": learned.after,
        "epochs": curve(learned),
        "test_before": before,
        "test": after,
    }


def curve(learned: Learned) -> list[dict[str, Any]]:
    """The epochs, for metrics.json."""
    return [asdict(epoch) for epoch in learned.epochs]


def write_model(place: Path, run: Table, metrics: Mapping[str, Any], card: str) -> None:
    """What stands beside the weights: metrics.json, the settings with every default, and the card."""
    (place / METRICS).write_text(json.dumps(metrics, indent=2, ensure_ascii=False) + "\n", "utf-8")
    (place / RUN).write_text(to_toml(run), "utf-8")
    (place / CARD).write_text(card, "utf-8")


def write_labels(place: Path, names: Sequence[str]) -> None:
    """The classes of a network, in the order of what it gives."""
    (place / LABELS).write_text(json.dumps(list(names), indent=0, ensure_ascii=False) + "\n", "utf-8")


def model_card(title: str, lead: str, *, points: Sequence[str], metrics: Mapping[str, Any]) -> str:
    """A model's README.md.

    Args:
        title: Task and name.
        lead: What it is, trained on what.
        points: What to know of it.
        metrics: With `epochs` and `data_sha256`.
    """
    points = [
        *points,
        f"Data and settings: SHA-256 `{metrics['data_sha256']}`; the settings stand in `{RUN}`.",
    ]
    rows = [f"| {row['epoch']} | {row['loss']:.3f} | {row['held_out']:.1%} |" for row in metrics["epochs"]]
    return "\n".join(
        [
            f"# {title}\n\n{lead}\n",
            *(f"* {point}" for point in points),
            "\n| epoch | loss | held out |\n|---|---|---|",
            *rows,
            "",
        ]
    )


def to_toml(run: Table) -> str:
    """The settings of a run with every default, as a run.toml."""
    tables = run.model_dump(mode="json")
    # JSON writes numbers, texts and truth values as TOML does.
    parts = [
        "\n".join(
            [
                f"[{name}]",
                *(f"{key} = {json.dumps(value)}" for key, value in table.items() if value is not None),
            ]
        )
        for name, table in tables.items()
        if table
    ]
    return "\n\n".join(parts) + "\n"
