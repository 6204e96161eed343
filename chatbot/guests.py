"""Further bots in the same process: each with knowledge and records of its own, all with the same models.

A bot is a project folder. What one knows, another cannot find: they share no database, no index and no
cache but that of the encoder, which turns the same words into the same numbers for everybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chatbot.assemble import Service
from chatbot.settings import Settings, load_settings
from knowledge.errors import SettingsError


def guest_settings(folder: Path, *, beside: Sequence[Service]) -> Settings:
    """The settings of a further bot, to be opened with the models of the first service.

    Args:
        folder: With a kefu.toml.
        beside: The services that are open; the first one owns the models.

    Raises:
        SettingsError: No such project, or one that cannot be kept apart from the others.
    """
    if not (folder / "kefu.toml").exists():
        msg = (
            f"There is no kefu.toml in {folder}, where a site's bot should be. Name its folder with "
            "'kefu site edit SITE --bot FOLDER', or make one with 'kefu init'."
        )
        raise SettingsError(msg)
    settings = load_settings(folder)
    _check(settings, folder, beside)
    return settings


def _check(settings: Settings, folder: Path, beside: Sequence[Service]) -> None:
    for other in beside:
        theirs = other.settings
        same = settings.database_url == theirs.database_url
        if same or settings.data_folder.resolve() == theirs.data_folder.resolve():
            msg = (
                f"The bot in {folder} would share its {'database' if same else 'data folder'} with the one in "
                f"{theirs.project.folder}. Give each its own storage.url and storage.folder, in its kefu.toml: "
                "a KEFU__STORAGE__ variable would be the same for all."
            )
            raise SettingsError(msg)
    owner = beside[0].settings
    for table, ours, theirs_ in (
        ("knowledge.encoder", settings.knowledge.encoder, owner.knowledge.encoder),
        ("generation.model", settings.generation.model, owner.generation.model),
    ):
        if ours != theirs_:
            msg = (
                f"The bot in {folder} names another {table} than the server, and a server's bots share one. "
                f"Make [{table}] the same in both kefu.toml, or run this bot with its own 'kefu serve'."
            )
            raise SettingsError(msg)
