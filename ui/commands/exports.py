"""kefu export: write what import reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ui.terminal import progress_bars, talk

app = typer.Typer(no_args_is_help=True, help="Write knowledge and conversations to files.")


@app.command()
def faq(file: Annotated[Path, typer.Argument(help="To write: .csv, .xlsx or .jsonl.")]) -> None:
    """Write all FAQs; importing the file again changes nothing."""
    from chatbot.assemble import open_knowledge
    from chatbot.settings import load_settings
    from knowledge.export import export_faq

    talk.print(f"{export_faq(open_knowledge(load_settings()), file)} FAQs are in {file}.")


@app.command()
def docs(file: Annotated[Path, typer.Argument(help="To write: .jsonl.")]) -> None:
    """Write all documents, as JSONL."""
    from chatbot.assemble import open_knowledge
    from chatbot.settings import load_settings
    from knowledge.export import export_documents

    talk.print(f"{export_documents(open_knowledge(load_settings()), file)} documents are in {file}.")


@app.command()
def intents(file: Annotated[Path, typer.Argument(help="To write: .yaml.")]) -> None:
    """Write all intents, as YAML."""
    from chatbot.assemble import open_knowledge
    from chatbot.settings import load_settings
    from knowledge.export import export_intents

    talk.print(f"{export_intents(open_knowledge(load_settings()), file)} intents are in {file}.")


@app.command()
def chats(
    file: Annotated[Path, typer.Argument(help="To write: .jsonl.")],
    *,
    since: Annotated[datetime | None, typer.Option(help="Only turns from then on (UTC).")] = None,
    messages: Annotated[
        bool, typer.Option("--messages", help="One conversation a line, in OpenAI-messages form.")
    ] = False,
) -> None:
    """Write recorded conversations with ratings, forms and what their pages told; personal numbers masked."""
    from chatbot.assemble import open_database, open_records
    from chatbot.record.export import export_turns
    from chatbot.record.remarks import Remarks
    from chatbot.settings import load_settings

    settings = load_settings()
    store, remarks = open_records(settings), Remarks(open_database(settings))
    with progress_bars() as report:
        count = export_turns(
            store,
            file,
            since=since,
            form="messages" if messages else "turns",
            about=lambda conversation: _masked(remarks.about(conversation)),
            progress=lambda done, total: report("Exporting", done / total if total else 1.0),
        )
    talk.print(f"{count} turns are in {file}.")


def _masked(about: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """A form's address and number are for whoever takes over, not for a file that goes round."""
    from chatbot.record.redaction import redact

    return {kind: {name: redact(value) for name, value in fields.items()} for kind, fields in about.items()}
