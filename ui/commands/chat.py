"""kefu chat: a conversation in the terminal."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from chatbot.types import Delta, Message, Rating, Turn
from ui.terminal import out, progress_bars, talk

HELP = "/why explains the last answer · /up and /down rate it · /new starts again · /quit or Ctrl-D leaves"


def chat(
    *,
    locale: Annotated[
        Literal["zh", "en"] | None, typer.Option(help="Else the language of each message.")
    ] = None,
) -> None:
    """Talk to the bot in the terminal; needs no running server."""
    from chatbot.assemble import open_service
    from chatbot.settings import load_settings

    with progress_bars() as report, talk.status("Opening the models and the index ..."):
        service = open_service(load_settings(), progress=report)
    talk.print(
        f"[bold]{escape(service.settings.project.bot_name)}[/] is an automated assistant. [dim]{HELP}[/]"
    )
    conversation, last = uuid.uuid4().hex, None
    try:
        while True:
            text = _typed()
            if text == "/quit":
                break
            if text == "/new":
                conversation, last = uuid.uuid4().hex, None
                talk.print("[dim]A new conversation.[/]")
            elif text == "/why":
                explain(last)
            elif text in ("/up", "/down"):
                if last is not None:
                    service.bot.store.rate(Rating(last.id, "up" if text == "/up" else "down"))
                    talk.print("[dim]Thank you.[/]")
            elif text.startswith("/"):
                talk.print(f"[dim]{HELP}[/]")
            elif text:
                message = Message(conversation, text, datetime.now(UTC), channel="terminal", locale=locale)
                last = say(service.bot.reply(message))
    except (EOFError, KeyboardInterrupt):
        talk.print()
    finally:
        service.close()


def _typed() -> str:
    """The next line; what comes from a file or a pipe is shown, as a transcript needs it."""
    text = out.input("[bold cyan]you ›[/] ").strip()
    if not sys.stdin.isatty():
        out.print(escape(text))
    return text


def say(pieces: Iterable[Delta | Turn]) -> Turn | None:
    """Print a reply while it arrives; the turn at its end."""
    turn = None
    out.print("[bold green]bot ›[/] ", end="")
    for piece in pieces:
        if isinstance(piece, Delta):
            out.print(escape(piece.text), end="")
        else:
            turn = piece
    out.print()
    if turn is None:
        return None
    for number, citation in enumerate(turn.reply.citations, 1):
        out.print(f"      [dim]\\[{number}] {escape(citation.title)}[/]")
    if turn.reply.quick_replies:
        out.print("      [dim]› " + escape(" · ".join(turn.reply.quick_replies)) + "[/]")
    return turn


def explain(turn: Turn | None) -> None:
    """Why the last answer was given, in words and numbers."""
    if turn is None:
        talk.print("[dim]Nothing was answered yet.[/]")
        return
    understood = turn.understanding
    out.print(f"[bold]{turn.decision.kind}[/]: {escape(turn.reason)}")
    out.print(
        f"query: {escape(understood.query)}"
        + (" (completed from the context)" if understood.rewritten else "")
    )
    out.print(
        f"language {understood.language}, act {understood.act}, intent {understood.intent or '-'} ({understood.confidence:.2f}), sentiment {understood.sentiment:+.1f}"
    )
    if understood.slots:
        out.print("slots: " + escape(", ".join(f"{k} = {v}" for k, v in understood.slots.items())))
    if turn.hits:
        table = Table("P", "passage", "matched wording", box=None)
        for hit in turn.hits:
            table.add_row(f"{hit.score:.2f}", escape(hit.passage.id), escape(hit.matched))
        out.print(table)
    for refusal in turn.reply.refused:
        out.print(f"guard refused: {escape(refusal)}")
    out.print("[dim]" + " · ".join(f"{k} {v * 1000:.1f} ms" for k, v in turn.seconds.items()) + "[/]")
    out.print("[dim]" + " · ".join(f"{k} {v}" for k, v in turn.versions.items()) + "[/]")
