"""What an MLflow server or store keeps of a run: settings, loss and learning rate of each step, the held-out figure of each epoch."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from finetune.learning import UNWATCHED, Epoch, Observer, Step
from knowledge.errors import SettingsError

if TYPE_CHECKING:
    from mlflow import MlflowClient

_AT_ONCE = 50
"""Figures that are sent together: a write takes longer than a small step."""


@contextmanager
def tracked_in(uri: str | None, *, task: str, name: str, settings: Mapping[str, Any]) -> Iterator[Observer]:
    """An observer that tells an MLflow run; one that tells nobody without a URI.

    The run belongs to the experiment "kefu TASK". One that was killed goes on where its model does, and steps that are
    done again are not told twice.

    Args:
        uri: Of a tracking server or store: "http://host:5000", "sqlite:///runs.db".
        task: Of the model.
        name: Of the model, and of the run.
        settings: Tables of the run.toml, told as parameters.

    Raises:
        SettingsError: MLflow is not installed, or cannot be reached there.
    """
    if not uri:
        yield UNWATCHED
        return
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing goes anywhere but to that URI
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise SettingsError(
            "MLflow is asked for, but it is not installed. Run pip install 'kefu[mlflow]', or leave out --mlflow and "
            "[log] mlflow."
        ) from error
    try:
        run = TrackedRun(MlflowClient(tracking_uri=uri), task=task, name=name, settings=settings)
    except MlflowException as error:
        raise SettingsError(
            f"MLflow cannot keep runs in {uri}: {error}. Name a server (http://host:5000) or a file (sqlite:///runs.db)."
        ) from error
    try:
        yield run
    except BaseException as error:
        run.close("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise
    run.close("FINISHED")


class TrackedRun:
    """Implements finetune.learning.Observer.

    Args:
        client: Of the store.
        task: Of the model.
        name: Of the model.
        settings: Tables of the run.toml.
    """

    def __init__(self, client: MlflowClient, *, task: str, name: str, settings: Mapping[str, Any]) -> None:
        self._client, self._waiting = client, list[tuple[str, float, int]]()
        about = f"kefu {task}"
        known = client.get_experiment_by_name(about)
        experiment = known.experiment_id if known else client.create_experiment(about)
        self._run = self._unfinished(experiment, name) or self._begun(experiment, name, settings)
        told = client.get_run(self._run).data.metrics
        self._seen = {key: max(one.step for one in client.get_metric_history(self._run, key)) for key in told}
        client.update_run(self._run, status="RUNNING")

    def _unfinished(self, experiment: str, name: str) -> str:
        """The last run of that name, if it did not end well; else an empty text."""
        runs = self._client.search_runs([experiment], f"attributes.run_name = '{name}'", max_results=1)
        return str(runs[0].info.run_id) if runs and runs[0].info.status != "FINISHED" else ""

    def _begun(self, experiment: str, name: str, settings: Mapping[str, Any]) -> str:
        run = str(self._client.create_run(experiment, run_name=name).info.run_id)
        for table, values in settings.items():
            for key, value in values.items():
                self._client.log_param(run, f"{table}.{key}", value)
        return run

    def step(self, step: Step) -> None:
        """Loss and learning rate."""
        self._tell("loss", step.loss, step.number)
        self._tell("learning_rate", step.rate, step.number)
        if len(self._waiting) >= _AT_ONCE:
            self._send()

    def epoch(self, epoch: Epoch) -> None:
        """Mean loss and held-out figure; can be read at once."""
        self._tell("epoch_loss", epoch.loss, epoch.epoch)
        self._tell("epoch_held_out", epoch.held_out, epoch.epoch)
        self._send()

    def close(self, status: str) -> None:
        """Tell what is left, and how it ended."""
        self._send()
        self._client.set_terminated(self._run, status=status)

    def _tell(self, key: str, value: float, step: int) -> None:
        if step > self._seen.get(key, 0):
            self._waiting.append((key, value, step))

    def _send(self) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        told = [Metric(key, value, now, step) for key, value, step in self._waiting]
        self._client.log_batch(self._run, metrics=told)
        self._waiting.clear()
