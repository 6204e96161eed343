"""kefu index: the search index, derived from the database."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from ui.terminal import out, print_json, progress_bars, talk

app = typer.Typer(
    no_args_is_help=True, help="The search index: derived from the database, rebuilt at any time."
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def build() -> None:
    """Build it anew beside the old one, then swap; a running server goes on answering."""
    from chatbot.assemble import build_index
    from chatbot.settings import load_settings

    with progress_bars() as report:
        line = build_index(load_settings(), progress=report)
    talk.print(line)


@app.command()
def verify(*, as_json: Json = False) -> None:
    """Check every file of the index against its SHA-256; exit 1 when one differs."""
    from chatbot.assemble import index_folder
    from chatbot.settings import load_settings
    from knowledge.build import verify as verify_index

    findings = verify_index(index_folder(load_settings()))
    if as_json:
        print_json([str(finding) for finding in findings])
    else:
        for finding in findings:
            out.print(escape(str(finding)))
        talk.print("The index is whole." if not findings else "Run 'kefu index build'.")
    if findings:
        raise typer.Exit(1)


@app.command()
def info(*, as_json: Json = False) -> None:
    """Say what the index holds and why it is of its kind."""
    from chatbot.assemble import index_folder
    from chatbot.settings import load_settings
    from knowledge.build import info as index_info

    about = index_info(index_folder(load_settings()))
    if as_json:
        print_json(about)
        return
    for name, value in about.items():
        out.print(f"[dim]{name}:[/] {escape(str(value))}")


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="What a customer might ask.")],
    *,
    k: Annotated[int, typer.Option("-k", min=1, max=50)] = 5,
    locale: Annotated[Literal["zh", "en"] | None, typer.Option(help="Else the query's own language.")] = None,
    as_json: Json = False,
) -> None:
    """Search as the bot does, and show what each hit's probability is made of."""
    from dataclasses import asdict

    from chatbot.assemble import open_retriever
    from chatbot.settings import load_settings
    from knowledge.clean import language_of

    with talk.status("Opening the index ..."):
        retriever = open_retriever(load_settings())
    hits = retriever.search(query, k, locale=locale or language_of(query))
    if as_json:
        print_json([asdict(hit) for hit in hits])
        return
    if not hits:
        out.print("Nothing found. 'kefu index info' says what is in the index.")
        return
    table = Table("#", "P", "passage", "matched wording", "features", box=None)
    for hit in hits:
        features = " ".join(f"{name}={value:.2f}" for name, value in hit.features.items() if value)
        table.add_row(
            str(hit.rank),
            f"{hit.score:.2f}",
            escape(hit.passage.id),
            escape(hit.matched),
            f"[dim]{features}[/]",
        )
    out.print(table)
