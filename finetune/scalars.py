"""What TensorBoard shows of a run: loss and learning rate of each step, the held-out figure of each epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from finetune.learning import UNWATCHED, Epoch, Observer, Step
from knowledge.errors import SettingsError


@contextmanager
def scalars_in(folder: Path | None) -> Iterator[Observer]:
    """An observer that writes there; one that writes nothing without a folder.

    Args:
        folder: Of this run; those of several runs beside each other are shown as curves of one picture.

    Raises:
        SettingsError: The package tensorboard is not installed.
    """
    if folder is None:
        yield UNWATCHED
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise SettingsError(
            "TensorBoard is asked for, but the package tensorboard is not installed. Run pip install "
            "'kefu[tensorboard]', or leave out --tensorboard and [log] tensorboard."
        ) from error
    scalars = Scalars(lambda first: SummaryWriter(str(folder), purge_step=first))
    try:
        yield scalars
    finally:
        scalars.close()


class Scalars:
    """Implements finetune.learning.Observer.

    Args:
        opens: Makes the writer, told the first step that it gets: a run that goes on after a kill does some steps
            again, and what was written of them is not to be shown twice.
    """

    def __init__(self, opens: Callable[[int], Any]) -> None:
        self._opens = opens
        self._writer: Any = None

    def step(self, step: Step) -> None:
        """Loss and learning rate."""
        if self._writer is None:
            self._writer = self._opens(step.number)
        self._writer.add_scalar("loss", step.loss, step.number)
        self._writer.add_scalar("learning_rate", step.rate, step.number)

    def epoch(self, epoch: Epoch) -> None:
        """Mean loss and held-out figure; can be read at once, without waiting for more."""
        self._writer.add_scalar("epoch/loss", epoch.loss, epoch.epoch)
        self._writer.add_scalar("epoch/held_out", epoch.held_out, epoch.epoch)
        self._writer.flush()

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()
