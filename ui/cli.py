"""The command line: noun and verb, one line of help each; results on stdout, talk on stderr.

Exit codes: 0 done, 1 a problem was found, 2 wrong usage or wrong settings.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from knowledge.errors import KefuError
from ui.commands import (
    bench,
    calibrate,
    chat,
    doctor,
    explain,
    exports,
    imports,
    index,
    init,
    models,
    replay,
    serve,
    site,
    train,
    train_data,
)
from ui.commands.eval import app as evaluations

app = typer.Typer(
    name="kefu",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Kefu (客服): a customer-service chatbot that you run yourself, in Chinese and English.

    Start with a new project:  [bold]kefu init shop[/] · [bold]cd shop[/] · [bold]kefu import faq faq.xlsx[/] ·
    [bold]kefu serve[/].  Or look at the demo company:  [bold]kefu demo[/].""",
)
app.add_typer(imports.app, name="import", rich_help_panel="Knowledge")
app.add_typer(exports.app, name="export", rich_help_panel="Knowledge")
app.add_typer(index.app, name="index", rich_help_panel="Knowledge")
app.add_typer(site.app, name="site", rich_help_panel="Set up")
app.add_typer(models.app, name="models", rich_help_panel="Set up")
app.command("init", rich_help_panel="Set up")(init.init)
app.command("doctor", rich_help_panel="Set up")(doctor.doctor)
app.command("calibrate", rich_help_panel="Knowledge")(calibrate.calibrate)
app.command("serve", rich_help_panel="Talk")(serve.serve)
app.command("demo", rich_help_panel="Talk")(serve.demo)
app.command("chat", rich_help_panel="Talk")(chat.chat)
train.app.add_typer(train_data.app, name="data")
app.add_typer(train.app, name="train", rich_help_panel="Learn")
app.add_typer(evaluations, name="eval", rich_help_panel="Measure")
app.add_typer(bench.app, name="bench", rich_help_panel="Measure")
app.command("replay", rich_help_panel="Measure")(replay.replay)
app.command("explain", rich_help_panel="Talk")(explain.explain)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    *,
    project: Annotated[
        Path | None,
        typer.Option(
            "--project", "-p", help="Folder with kefu.toml.", envvar="KEFU_PROJECT", show_default="."
        ),
    ] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"kefu {installed('kefu')}")
        raise typer.Exit
    if project is not None:
        if not project.is_dir() and context.invoked_subcommand not in {"init", "demo"}:
            msg = f"There is no folder {project}. Name a folder with a kefu.toml, or make one with 'kefu init {project}'."
            raise typer.BadParameter(msg)
        os.environ["KEFU_PROJECT"] = str(project)


def main() -> None:
    """Run the command line; errors that a person can act on are two sentences, not a traceback."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault(
        "PYPINYIN_NO_PHRASES", "true"
    )  # 0.4 s of a start; single characters are all we look up
    from ui.server.logs import configure_logs

    configure_logs(level=logging.WARNING)  # on stderr: stdout is for results; a server logs more
    try:
        app()
    except KefuError as error:
        typer.secho(f"kefu: {error}", err=True, fg="red")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
