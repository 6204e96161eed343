"""kefu eval: how good each part is, on files with known results; every figure can be measured again."""

from __future__ import annotations

import typer

from ui.commands.eval.answers import answers
from ui.commands.eval.chats import chats
from ui.commands.eval.dialogue import dialogue
from ui.commands.eval.faq import faq
from ui.commands.eval.intents import intents
from ui.commands.eval.redact import redact
from ui.commands.eval.rewrite import rewrite
from ui.commands.eval.sentiment import sentiment
from ui.commands.eval.slots import slots
from ui.commands.eval.suite import run_all

app = typer.Typer(
    no_args_is_help=True,
    help="Measure quality on files with known results; offline, with a seed, as JSON or a table.",
)


@app.callback()
def _root() -> None:
    """Keeps `eval` a group whatever the number of tasks."""


app.command("answers")(answers)
app.command("chats")(chats)
app.command("dialogue")(dialogue)
app.command("faq")(faq)
app.command("intents")(intents)
app.command("redact")(redact)
app.command("rewrite")(rewrite)
app.command("sentiment")(sentiment)
app.command("slots")(slots)
app.command("all")(run_all)
