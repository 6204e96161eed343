"""kefu explain: why a reply was what it was, and what would have changed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from chatbot.types import Turn
from knowledge.errors import StoreError
from ui.terminal import out, print_json

if TYPE_CHECKING:
    from chatbot.decide.explain import Change


def explain(
    turn: Annotated[
        str, typer.Argument(help="Id of a turn, or the beginning of one; 'last' for the last one stored.")
    ] = "last",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say why a reply was given: what was understood and found, which rule decided, what would have changed it.

    The id of a turn stands in the chat page's panel, in the API's answers and in the log.
    """
    from chatbot.assemble import open_database, open_knowledge, open_policy, open_records
    from chatbot.decide.explain import what_would_change
    from chatbot.record.codec import encode_turn
    from chatbot.record.remarks import Remarks
    from chatbot.settings import load_settings

    settings = load_settings()
    knowledge, records = open_knowledge(settings), open_records(settings)
    try:
        found = records.find(turn)
        if found is None:
            msg = f"There is no turn '{turn}' in {settings.data_folder}. Take an id from the log or the chat page, or say 'last'."
            raise StoreError(msg)
        before = records.history(found.message.conversation_id, limit=10_000)
        before = [one for one in before if one.sequence < found.sequence]
        about = Remarks(open_database(settings)).about(found.message.conversation_id)
        entries = sum(1 for _ in knowledge.entries())
        policy = open_policy(settings, knowledge, entries=entries)
        changes = what_would_change(policy, found, before[-settings.understanding.context_turns :])
    finally:
        records.close()
    if as_json:
        told = [{"if": one.condition, "then": one.decision.kind, "because": one.reason} for one in changes]
        print_json({**encode_turn(found), "about": dict(about), "what_would_change": told})
        return
    out.print(f"[bold]{escape(found.message.text)}[/]\n[dim]{found.id}[/]\n")
    out.print(escape(found.reply.text) + "\n")
    for kind, fields in about.items():
        told_by = "the form before the chat" if kind == "prechat" else "the page around the chat"
        out.print(f"{told_by}: {escape(', '.join(f'{name} = {value}' for name, value in fields.items()))}")
    show(found)
    show_changes(changes)


def show(turn: Turn) -> None:
    """Why an answer was given, in words and numbers."""
    understood = turn.understanding
    out.print(f"[bold]{turn.decision.kind}[/]: {escape(turn.reason)}")
    out.print(
        f"query: {escape(understood.query)}"
        + (" (completed from the context)" if understood.rewritten else "")
    )
    if understood.other_reading:
        out.print(f"also looked up: {escape(understood.other_reading)}")
    if understood.read_as:
        out.print(f"read, with what was said before, as: {escape(understood.read_as)}")
    for number, part in enumerate(understood.parts, 1):
        out.print(
            f"question {number}: {escape(part.query)}, intent {part.intent or '-'} ({part.confidence:.2f})"
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


def show_changes(changes: list[Change]) -> None:
    """What would have led elsewhere."""
    if not changes:
        return
    out.print("\n[bold]What would have changed it[/]")
    for change in changes:
        about = getattr(change.decision, "intent", None) or "".join(
            getattr(change.decision, "passage_ids", ())[:1]
        )
        out.print(f"if {escape(change.condition)}: [bold]{change.decision.kind}[/] {escape(about)}")
