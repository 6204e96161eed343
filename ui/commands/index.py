"""kefu index: the search index, derived from the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from ui.terminal import out, print_json, progress_bars, talk

if TYPE_CHECKING:
    from chatbot.settings import Settings
    from knowledge.twins import Twin, Twins

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


@app.command()
def twins(
    *,
    locale: Annotated[
        Literal["zh", "en"] | None, typer.Option(help="Entries of this language alone.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Pairs listed, most alike first.")] = 20,
    contradicting: Annotated[
        bool, typer.Option("--contradicting", help="Only pairs whose answers may contradict each other.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List entries that ask nearly the same, and what their answers say differently.

    A customer gets the answer of whichever entry is nearer, so what asks the
    same should be one entry.

    Two entries are listed when the wordings of each are as near to the other's
    as to those of their own entry: likeness 1 and more. Their answers "may
    contradict" where both give a number, a price, a time or a date and not the
    same, where one begins with yes and one with no, or where one denies what
    the other says.

    To merge two: 'kefu export faq all.csv', move the questions of one to the
    other's similar_questions, set "no" in its column enabled, and
    'kefu import faq all.csv'.

    To keep both: name the other's question in negative_questions; the pair is
    then not listed any more.
    """
    from chatbot.settings import load_settings

    found = _find_twins(load_settings(), locale)
    compared = [(twin, _what_differs(twin)) for twin in found.pairs]
    if contradicting:
        compared = [(twin, differs) for twin, differs in compared if differs["answers"] == "may contradict"]
    if as_json:
        pairs = [{**_named(twin), **differs} for twin, differs in compared[:limit]]
        print_json({"entries": found.entries, "found": len(compared), "pairs": pairs})
    elif compared:
        _show_twins(compared[:limit])
        talk.print(_after_twins(len(compared), shown=min(limit, len(compared))))
    else:
        out.print(
            f"None of the {found.entries} entries asks nearly the same as another{_and_contradicts(contradicting)}."
        )


def _find_twins(settings: Settings, locale: str | None) -> Twins:
    from chatbot.assemble import open_encoder, open_index, open_knowledge
    from knowledge.twins import find_twins

    encoder = open_encoder(settings)
    with progress_bars() as report:
        index = open_index(settings, open_knowledge(settings), encoder, progress=report)
    try:
        with talk.status("Comparing ..."):
            return find_twins(index.snapshot, locale=locale)
    finally:
        index.close()  # what it had to encode is written, so that the next command need not
        encoder.close()


def _what_differs(twin: Twin) -> Mapping[str, Any]:
    from chatbot.answer.differences import differences
    from knowledge.clean import normalise

    one, other = twin.one.passage.text, twin.other.passage.text
    if normalise(one) == normalise(other):
        return {"answers": "the same", "differences": []}
    found = differences(one, other)
    told = [{"about": differs.about, "one": differs.one, "other": differs.other} for differs in found]
    return {"answers": "may contradict" if found else "differ in words", "differences": told}


def _named(twin: Twin) -> Mapping[str, Any]:
    from knowledge.items import FAQ_PREFIX

    one, other = (
        {"id": entry.passage.id.removeprefix(FAQ_PREFIX), "question": entry.passage.title, "nearest": nearest}
        for entry, nearest in zip((twin.one, twin.other), twin.wordings, strict=True)
    )
    return {
        "likeness": round(twin.likeness, 3),
        "locale": twin.one.passage.locale,
        "one": one,
        "other": other,
    }


def _show_twins(compared: Sequence[tuple[Twin, Mapping[str, Any]]]) -> None:
    table = Table("likeness", "entry", "question", box=None)
    for twin, differs in compared:
        named = _named(twin)
        one, other = named["one"], named["other"]
        table.add_row(f"{twin.likeness:.2f}", escape(one["id"]), escape(one["question"]))
        table.add_row("", escape(other["id"]), escape(other["question"]))
        table.add_row("", "", _in_words(differs))
        table.add_row()
    out.print(table)


def _in_words(differs: Mapping[str, Any]) -> str:
    told = "; ".join(f"{one['one']} / {one['other']}" for one in differs["differences"])
    said = {
        "may contradict": f"[bold]The answers may contradict:[/] {escape(told)}",
        "the same": "[dim]The answers are the same.[/]",
    }
    return said.get(differs["answers"], "[dim]The answers differ in their words.[/]")


def _after_twins(found: int, *, shown: int) -> str:
    more = f"{found - shown} more: --limit {found}. " if found > shown else ""
    return f"{more}'kefu index twins --help' says how to merge two, and how to keep both."


def _and_contradicts(contradicting: bool) -> str:
    return " and may contradict it" if contradicting else ""
