"""What TensorBoard and MLflow show of a run is what happened in it, once, also when the run was killed in between."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mlflow import MlflowClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_bert import write_tiny_bert
from tiny_texts import FRAMES
from tiny_texts import TEN as THINGS
from typer.testing import CliRunner

from chatbot.registry import Registry
from finetune.classifier import TaskPace, TaskTable
from finetune.examples import Example, split
from finetune.intent import IntentRun, train_intent
from finetune.learning import UNWATCHED, Observer
from finetune.run import LogTable, Making
from finetune.scalars import scalars_in
from finetune.tracking import tracked_in
from knowledge.errors import SettingsError
from ui.cli import app

TEXTS = [Example(frame.format(thing), name) for name, frame in FRAMES.items() for thing in THINGS]
EPOCHS, STEPS = 4, 3
RUN = IntentRun(
    model=TaskTable(first_layer=1, rank=4),
    train=TaskPace(epochs=EPOCHS, learning_rate=1e-2, batch_size=8, patience=EPOCHS),
)


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # of a network this small, two threads mostly wait for each other
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = [word for one in TEXTS for word in one.text.split()]
    return write_tiny_bert(tmp_path_factory.mktemp("tiny"), words, layers=2)


def silent(what: str, done: float) -> None: ...


def learn(
    bert: Path, folder: Path, observer: Observer, progress: Callable[[str, float], None] = silent
) -> Any:
    parts = split(TEXTS, data={}, text=lambda one: one.text, label=lambda one: one.label, seed=0)
    making = Making(Registry(folder / "models"), "a", folder / "work", progress, observer)
    return train_intent(parts, RUN, base=(bert, ("", "")), making=making)


def told(uri: str) -> tuple[Any, dict[str, list[int]]]:
    """The only run of a store, and the steps of each of its figures."""
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("kefu intent")
    assert experiment
    (run,) = client.search_runs([experiment.experiment_id])
    history = {
        key: [one.step for one in client.get_metric_history(run.info.run_id, key)] for key in run.data.metrics
    }
    return run, {key: sorted(steps) for key, steps in history.items()}


def shown(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder))
    events.Reload()
    tags = events.Tags()["scalars"]
    return {tag: [(one.step, one.value) for one in events.Scalars(tag)] for tag in tags}


def test_every_step_and_every_epoch_is_shown(bert: Path, tmp_path: Path) -> None:
    with scalars_in(tmp_path / "curves") as observer:
        metrics = learn(bert, tmp_path, observer)

    curves = shown(tmp_path / "curves")
    assert set(curves) == {"loss", "learning_rate", "epoch/loss", "epoch/held_out"}
    assert [step for step, _ in curves["loss"]] == list(range(1, EPOCHS * STEPS + 1))
    rates = [rate for _, rate in curves["learning_rate"]]
    assert max(rates) == rates[2] > rates[-1] > 0
    told = [(row["epoch"], row["held_out"]) for row in metrics["epochs"]]
    assert curves["epoch/held_out"] == [(epoch, pytest.approx(figure)) for epoch, figure in told]
    mean = sum(loss for _, loss in curves["loss"][:STEPS]) / STEPS
    assert curves["epoch/loss"][0] == (1, pytest.approx(mean))


def test_a_run_that_goes_on_after_a_kill_shows_no_step_twice(bert: Path, tmp_path: Path) -> None:
    def kill(what: str, done: float) -> None:
        if what == "Fine-tuning the encoder" and done > 0.7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), scalars_in(tmp_path / "curves") as observer:
        learn(bert, tmp_path, observer, kill)
    with scalars_in(tmp_path / "curves") as observer:
        learn(bert, tmp_path, observer)

    curves = shown(tmp_path / "curves")
    assert [step for step, _ in curves["loss"]] == list(range(1, EPOCHS * STEPS + 1))
    assert [epoch for epoch, _ in curves["epoch/held_out"]] == list(range(1, EPOCHS + 1))


def test_watching_changes_nothing_and_ends_with_the_run(bert: Path, tmp_path: Path) -> None:
    with scalars_in(tmp_path / "curves") as observer:
        seen = learn(bert, tmp_path / "seen", observer)
        before = shown(tmp_path / "curves")["epoch/loss"]
        unseen = learn(bert, tmp_path / "unseen", UNWATCHED)

    assert {**seen, "seconds": 0} == {**unseen, "seconds": 0}
    assert shown(tmp_path / "curves")["epoch/loss"] == before


def test_what_is_told_is_no_part_of_what_the_model_is(bert: Path) -> None:
    told = RUN.model_copy(update={"log": LogTable(tensorboard=True)})

    assert told.model_dump() == RUN.model_dump()


def test_without_the_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)

    with pytest.raises(SettingsError, match=r"pip install 'kefu\[tensorboard\]'"), scalars_in(tmp_path):
        pass


@pytest.mark.parametrize("asked", ["in the run", "with the option"])
def test_a_run_is_shown_where_it_was_asked_for(bert: Path, tmp_path: Path, asked: str) -> None:
    (tmp_path / "kefu.toml").write_text(
        f'[knowledge.encoder]\nkind = "sentence_transformers"\nmodel = {json.dumps(str(bert))}\n'
    )
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"{one.text},{one.label}\n" for one in TEXTS))
    log = "[log]\ntensorboard = true\n" if asked == "in the run" else ""
    (tmp_path / "run.toml").write_text(f'{log}[data]\ntrain = "a.csv"\n[train]\nepochs = 1\n')
    option = (
        []
        if log
        else ["--tensorboard", str(tmp_path / "curves"), "--mlflow", f"sqlite:///{tmp_path}/runs.db"]
    )
    run = ["--config", str(tmp_path / "run.toml"), "--name", "a", "--threads", "1"]

    done = CliRunner().invoke(app, ["--project", str(tmp_path), "train", "sentiment", *run, *option])

    assert done.exit_code == 0, done.output
    folder = tmp_path / "models" / "runs" / "tensorboard" if log else tmp_path / "curves"
    assert len(shown(folder / "sentiment-a")["epoch/held_out"]) == 1
    assert f"tensorboard --logdir {folder}" in done.stderr
    assert (tmp_path / "runs.db").exists() == bool(option)


def test_mlflow_keeps_settings_and_every_step(bert: Path, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'runs.db'}"
    with tracked_in(uri, task="intent", name="a", settings=RUN.model_dump(mode="json")) as observer:
        metrics = learn(bert, tmp_path, observer)

    run, steps = told(uri)
    assert (run.info.run_name, run.info.status) == ("a", "FINISHED")
    assert (run.data.params["model.rank"], run.data.params["train.epochs"]) == ("4", str(EPOCHS))
    assert steps["loss"] == steps["learning_rate"] == list(range(1, EPOCHS * STEPS + 1))
    assert steps["epoch_loss"] == list(range(1, EPOCHS + 1))
    assert run.data.metrics["epoch_held_out"] == pytest.approx(metrics["epochs"][-1]["held_out"])


def test_mlflow_goes_on_with_a_run_that_was_killed(bert: Path, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'runs.db'}"

    def kill(what: str, done: float) -> None:
        if what == "Fine-tuning the encoder" and done > 0.7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), tracked_in(uri, task="intent", name="a", settings={}) as observer:
        learn(bert, tmp_path, observer, kill)
    assert told(uri)[0].info.status == "KILLED"
    with tracked_in(uri, task="intent", name="a", settings={}) as observer:
        learn(bert, tmp_path, observer)

    run, steps = told(uri)
    assert run.info.status == "FINISHED"
    assert steps["loss"] == list(range(1, EPOCHS * STEPS + 1))
    assert steps["epoch_held_out"] == list(range(1, EPOCHS + 1))


def test_without_mlflow_or_its_store_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match="Name a server"), tracked_in("ftp://nowhere", task="intent", name="a", settings={}):  # fmt: skip
        pass
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(SettingsError, match=r"pip install 'kefu\[mlflow\]'"), tracked_in(f"sqlite:///{tmp_path}/a.db", task="intent", name="a", settings={}):  # fmt: skip
        pass
