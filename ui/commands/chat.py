"""kefu chat: a conversation in the terminal."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from chatbot.types import Delta, Message, Rating, Turn
from ui.commands.explain import show
from ui.terminal import out, progress_bars, talk

if TYPE_CHECKING:
    from chatbot.assemble import Service

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
    from ui.commands.serve import with_order_service

    with with_order_service(load_settings(), today=datetime.now(UTC).date()) as settings:
        with progress_bars() as report, talk.status("Opening the models and the index ..."):
            service = open_service(settings, progress=report)
        talk.print(f"[bold]{escape(settings.project.bot_name)}[/] is an automated assistant. [dim]{HELP}[/]")
        try:
            _converse(service, locale)
        except (EOFError, KeyboardInterrupt):
            talk.print()
        finally:
            service.close()


def _converse(service: Service, locale: Literal["zh", "en"] | None) -> None:
    """Until the customer leaves."""
    conversation, last = uuid.uuid4().hex, None
    while True:
        text = _typed()
        if text == "/quit":
            break
        if text == "/new":
            conversation, last = uuid.uuid4().hex, None
            talk.print("[dim]A new conversation.[/]")
        elif text == "/why":
            _why(last)
        elif text in ("/up", "/down"):
            if last is not None:
                service.bot.store.rate(Rating(last.id, "up" if text == "/up" else "down"))
                talk.print("[dim]Thank you.[/]")
        elif text.startswith("/"):
            talk.print(f"[dim]{HELP}[/]")
        elif text:
            message = Message(conversation, text, datetime.now(UTC), channel="terminal", locale=locale)
            last = say(service.bot.reply(message))


def _why(last: Turn | None) -> None:
    if last is None:
        talk.print("[dim]Nothing was answered yet.[/]")
    else:
        show(last)


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
