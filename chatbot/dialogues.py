"""The dialogue model in force: that of the settings, perhaps with a fine-tuned adapter."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import structlog

from chatbot.settings import NoModel, Settings

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

log = structlog.get_logger(__name__)


def open_chat_model(settings: Settings) -> BaseChatModel | None:
    """The dialogue model with the adapter in force; None where the settings want none."""
    model = settings.dialogue_model
    if isinstance(model, NoModel):
        return None
    return model.open(cache=settings.project.models_cache, threads=settings.project.threads)


class Dialogues:
    """Opens another dialogue model when another is promoted; turns that began with the one before finish with it.

    The first is opened in a thread, while its maker opens what else is needed.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened = settings.dialogue_model
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="dialogue-model")
        self._model = self._aside.submit(open_chat_model, settings)

    def follow(self) -> BaseChatModel | None:
        """The one that should be in force, opened where it is not.

        Raises:
            ModelError: It cannot be opened; the one before stays in force.
        """
        wanted = self._settings.dialogue_model
        if wanted != self._opened:
            other = self._aside.submit(open_chat_model, self._settings)
            log.info("dialogue_model.changed", model=str(getattr(other.result(), "model", "none")))
            self._model, self._opened = other, wanted
        return self._model.result()
