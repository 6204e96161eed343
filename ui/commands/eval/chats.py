"""kefu eval chats: the project's whole bot on past chats with known answers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from ui.commands.eval.report import AsJson, OutFile, Seed, measuring


def chats(
    *,
    data: Annotated[
        Path,
        typer.Option(
            help='JSON lines: {"locale", "messages": [{"text", "answers": ["faq:ID", "intent:NAME"]}]}; [] where nothing answers, null for thanks.',
            dir_okay=False,
        ),
    ],
    limit: Annotated[int, typer.Option(min=0, help="Only the first so many chats; 0: all.")] = 0,
    seed: Seed = 0,
    as_json: AsJson = False,
    out: OutFile = None,
) -> None:
    """Chats: is each message answered by what answered it then? Plays them; the project's records stay as they are."""
    from chatbot.assemble import open_service
    from chatbot.chats import read_chats
    from chatbot.evaluate.chats import measure_chats
    from chatbot.settings import load_settings
    from ui.commands.replay import Script, play
    from ui.commands.serve import with_order_service

    known = read_chats(data)[: limit or None]
    scripts = [
        Script(str(number), "", chat.locale, tuple(line.text for line in chat.messages))
        for number, chat in enumerate(known)
    ]
    with (
        tempfile.TemporaryDirectory() as scratch,
        measuring("chats", seed=seed, as_json=as_json, out=out) as run,
        with_order_service(load_settings()) as settings,
    ):
        service = open_service(settings, progress=run.report, records=f"sqlite:///{scratch}/records.db")
        try:
            turns = [turns for _, turns in play(service.bot, scripts, progress=run.report)]
        finally:
            service.close()
        run.finish(measure_chats(list(zip(known, turns, strict=True))))
