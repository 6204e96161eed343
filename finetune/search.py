"""Search the settings of a run: kefu train search.

Read from top to bottom: what may vary, the search, one trial, what came out. A trial is an ordinary run into a folder
that goes afterwards, judged by what it holds out after each epoch; the test part has no say. New settings are drawn
where the good ones lie (tree-structured Parzen estimators; Bergstra et al., 2011), and a trial that lies below the
median of the others after as many epochs is stopped (Golovin et al., 2017).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic

import optuna
from filelock import FileLock, Timeout
from optuna.distributions import BaseDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from chatbot.registry import Registry
from finetune.learning import Epoch, Observer, Step
from finetune.run import Making, Settings, digest, to_toml
from finetune.scalars import scalars_in
from finetune.space import Chosen, Space, Value, drawn_from, inside, settled
from knowledge.errors import ConflictError, KnowledgeError
from knowledge.types import Progress

WHAT = "Searching settings"
_BELONGS = "belongs"
_BY_CHANCE = 5
"""Trials before the first that looks at those before it."""
_COMPARED = 3
"""Whole trials from which the median is one."""
_EPOCHS = 2
"""After the first epoch, in which the rate rises, slow starters only look bad."""


@dataclass(frozen=True, slots=True)
class Job(Generic[Settings]):
    """A task with its data."""

    task: str
    run: Settings
    """The settings that the search starts from."""
    data: str
    """SHA-256."""
    held_out: int
    """Examples that judge an epoch."""
    train: Callable[[Settings, Making], Mapping[str, Any]]
    """Makes a model; its metrics."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to search."""

    trials: int
    """In all, with those of earlier calls."""
    minutes: float | None = None
    """Of this call; the trial that is under way then is finished."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Tried:
    """One trial."""

    number: int
    held_out: float
    """The figure of its best epoch."""
    settings: dict[str, Value]
    epochs: int
    stopped: bool
    """Because others were better after as many epochs."""
    seconds: float


def search(
    job: Job[Settings],
    space: Space,
    plan: Plan,
    *,
    place: Path,
    best: Path,
    progress: Progress,
    tensorboard: Path | None = None,
) -> list[Tried]:
    """Try settings; all that were tried, the best first, of equal ones the earlier.

    A search that was stopped goes on in the same place, and ends as an unbroken one: what a trial gets depends on
    those before it and the seed alone. The best settings so far are always written.

    Args:
        job: What is trained.
        space: What may vary.
        plan: How long.
        place: A folder for the journal.
        best: The run.toml that comes out.
        progress: Told what is being done.
        tensorboard: Folder for the curves of the trials.

    Raises:
        SettingsError: The space does not fit the run.
        KnowledgeError: Nothing is held out.
        ConflictError: The place is in use, or belongs to other data or settings.
    """
    drawn = drawn_from(space, job.run)
    if not job.held_out:
        raise KnowledgeError(
            f"Nothing is held out for the {job.task} task, so no settings are better than others. Add examples."
        )
    begun = time.monotonic()

    def far(done: float) -> float:
        spent = (time.monotonic() - begun) / 60
        return min(1.0, max(done / plan.trials, spent / plan.minutes if plan.minutes else 0.0))

    def told(done: int, share: float) -> None:
        progress(WHAT, far(done + share))

    place.mkdir(parents=True, exist_ok=True)
    with _alone(place):
        trials = _Trials(job, drawn, plan, place, tensorboard)
        while (done := trials.done()) < plan.trials and not (done and far(0) >= 1):
            last = trials.another(partial(told, done))
            progress(_line(last), 1.0)
            _write_best(job, trials.tried(), best)
        progress(WHAT, 1.0)
        return trials.tried()


class _Trials(Generic[Settings]):
    """The trials of a search, kept in a journal."""

    def __init__(
        self,
        job: Job[Settings],
        drawn: Mapping[str, BaseDistribution],
        plan: Plan,
        place: Path,
        tensorboard: Path | None,
    ) -> None:
        self._job, self._drawn, self._seed = job, drawn, plan.seed
        self._place, self._tensorboard = place, tensorboard
        described = {name: repr(values) for name, values in drawn.items()}
        settings = job.run.model_dump(mode="json", exclude={"data"})
        self._study = _opened(place, digest([job.task, settings, job.data, described, plan.seed]))

    def done(self) -> int:
        """How many came to an end."""
        return len(self._ended())

    def tried(self) -> list[Tried]:
        """What was tried, once each, the best first."""
        every = [_tried(trial) for trial in self._ended()]
        once = [
            one
            for place, one in enumerate(every)
            if one.settings not in [two.settings for two in every[:place]]
        ]
        return sorted(once, key=lambda one: (one.stopped, -one.held_out, one.number))

    def another(self, told: Callable[[float], None]) -> Tried:
        """Draw settings and try them; `told` hears the share that is done."""
        study, before = self._study, self._ended()
        study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=_BY_CHANCE, seed=self._seed * 1000 + len(before)
        )
        if not before and (as_it_is := inside(self._job.run, self._drawn)):
            study.enqueue_trial(as_it_is)  # so that the search ends no worse than it began
        trial = study.ask(dict(self._drawn))
        same = next((one for one in before if one.params == trial.params), None)
        try:
            study.tell(trial, _again(trial, same) if same else self._held_out(trial, told))
        except optuna.TrialPruned:
            study.tell(trial, state=TrialState.PRUNED)
        except BaseException:
            study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            raise
        return _tried(self._ended()[-1])

    def _held_out(self, trial: optuna.Trial, told: Callable[[float], None]) -> float:
        """Run it; the best figure of its epochs."""
        settings = settled(self._job.run, trial.params)
        shown = self._tensorboard / f"trial-{trial.number}" if self._tensorboard else None
        with _room(self._place) as room, scalars_in(shown) as inner:
            making = Making(Registry(room), "trial", room, _silent, _Watching(trial, inner, told))
            metrics = self._job.train(settings, making)
        return max(float(row["held_out"]) for row in metrics["epochs"])

    def _ended(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


class _Watching:
    """Tells the study of each epoch, and stops a trial that the study gives up; implements Observer."""

    def __init__(self, trial: optuna.Trial, inner: Observer, told: Callable[[float], None]) -> None:
        self._trial, self._inner, self._told = trial, inner, told
        self._share = 0.0

    def step(self, step: Step) -> None:
        """How far it is."""
        self._inner.step(step)
        self._share = step.number / step.planned
        self._told(self._share)

    def epoch(self, epoch: Epoch) -> None:
        """Whether to go on.

        Raises:
            TrialPruned: Not.
        """
        self._inner.epoch(epoch)
        self._trial.report(epoch.held_out, epoch.epoch)
        if self._share < 1 and self._trial.should_prune():
            raise optuna.TrialPruned


def _again(trial: optuna.Trial, same: FrozenTrial) -> float:
    """What a trial with the same settings came to; with the same seed it would again.

    Raises:
        TrialPruned: It was stopped.
    """
    for epoch, figure in same.intermediate_values.items():
        trial.report(figure, epoch)
    if same.value is None or same.state is TrialState.PRUNED:
        raise optuna.TrialPruned
    return same.value


def _opened(place: Path, belongs: str) -> optuna.Study:
    """The study in a folder, new or as it was left.

    Raises:
        ConflictError: It is one of other data or settings.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal = place / "journal.log"
    # A search that was killed while it wrote left its lock, or half a line. This one is alone here.
    journal.with_name("journal.log.lock").unlink(missing_ok=True)
    if journal.is_file() and not (written := journal.read_bytes()).endswith(b"\n"):
        journal.write_bytes(written[: written.rfind(b"\n") + 1])
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(journal))),
        study_name="search",
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_COMPARED, n_warmup_steps=_EPOCHS),
        load_if_exists=True,
    )
    if study.user_attrs.get(_BELONGS, belongs) != belongs:
        raise ConflictError(
            f"The search in {place} was begun with other data, settings or seed. Choose another --name, or remove it."
        )
    study.set_user_attr(_BELONGS, belongs)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    return study


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    try:
        with FileLock(place / "search.lock", blocking=False):
            yield
    except Timeout as error:
        raise ConflictError(
            f"Another search is under way in {place}. Wait for it, or choose another --name."
        ) from error


@contextmanager
def _room(place: Path) -> Iterator[Path]:
    """A folder for one trial."""
    room = place / "trial"
    shutil.rmtree(room, ignore_errors=True)
    try:
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _tried(trial: FrozenTrial) -> Tried:
    figures = trial.intermediate_values
    return Tried(
        trial.number,
        held_out=max(figures.values()),
        settings=dict(trial.params),
        epochs=len(figures),
        stopped=trial.state is TrialState.PRUNED,
        seconds=trial.duration.total_seconds() if trial.duration else 0.0,
    )


def _in_words(settings: Chosen) -> str:
    return ", ".join(
        f"{name.split('.')[1]} = {value:.3g}"
        if isinstance(value, float)
        else f"{name.split('.')[1]} = {value}"
        for name, value in settings.items()
    )


def _line(one: Tried) -> str:
    stopped = f", stopped after {one.epochs} epochs" if one.stopped else ""
    return f"Trial {one.number + 1}: {one.held_out:.1%} with {_in_words(one.settings)}{stopped} ({one.seconds:.0f} s)"


def _write_best(job: Job[Settings], tried: Sequence[Tried], path: Path) -> None:
    first = tried[0]
    run = settled(job.run, first.settings)
    lines = [
        f"# kefu train {job.task} --config {path.name}",
        f"# Found by kefu train search: {first.held_out:.1%} on what is held out, the best of {len(tried)} trials.",
        "",
        to_toml(run),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), "utf-8")


def _silent(what: str, done: float) -> None:
    """A trial's own bars would hide those of the search."""
