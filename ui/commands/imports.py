"""kefu import: bring in what the company has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from ui.terminal import Report, out, print_json, progress_bars, talk

if TYPE_CHECKING:
    from chatbot.settings import Settings
    from knowledge.imports import ImportPlan
    from knowledge.store import KnowledgeStore

app = typer.Typer(
    no_args_is_help=True, help="Bring in FAQs, documents and intents; running it twice changes nothing."
)

Files = Annotated[list[Path], typer.Argument(help="Files, or folders of such files.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Report every row, write nothing.")]
Strict = Annotated[bool, typer.Option("--strict", help="Write nothing when a single row is invalid.")]
Partial = Annotated[bool, typer.Option("--allow-partial", help="Exit 0 although some rows were invalid.")]
OnConflict = Annotated[
    Literal["overwrite", "skip", "fail"], typer.Option(help="Rows that contradict what is stored.")
]
Locale = Annotated[
    Literal["zh", "en"] | None, typer.Option(help="Language of rows that do not say; else guessed.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
MOST_SHOWN = 40


@app.command()
def faq(
    files: Files,
    *,
    dry_run: DryRun = False,
    strict: Strict = False,
    allow_partial: Partial = False,
    on_conflict: OnConflict = "overwrite",
    locale: Locale = None,
    file_format: Annotated[
        str | None, typer.Option("--format", help="A vendor's shape, where the header does not tell.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Import questions and answers: CSV, TSV, XLSX, JSONL, JSON, in most vendors' columns."""
    from knowledge.import_faq import plan_import_faq

    _run(
        lambda store, _: plan_import_faq(
            store, spread(files, FAQ_FILES), format=file_format, locale=locale, on_conflict=on_conflict
        ),
        dry_run=dry_run,
        strict=strict,
        allow_partial=allow_partial,
        as_json=as_json,
        then="'kefu index twins' lists entries that ask nearly the same, and answers that may contradict.",
    )


@app.command()
def docs(
    files: Files,
    *,
    dry_run: DryRun = False,
    strict: Strict = False,
    allow_partial: Partial = False,
    on_conflict: OnConflict = "overwrite",
    locale: Locale = None,
    as_json: Json = False,
) -> None:
    """Import documents: Markdown, HTML, DOCX, PDF, or JSONL of {title, content}."""
    from knowledge.import_docs import plan_import_docs

    _run(
        lambda store, settings: plan_import_docs(
            store,
            spread(files, DOCUMENT_FILES),
            characters=settings.knowledge.passage_characters,
            locale=locale,
            on_conflict=on_conflict,
        ),
        dry_run=dry_run,
        strict=strict,
        allow_partial=allow_partial,
        as_json=as_json,
    )


@app.command()
def intents(
    files: Files,
    *,
    dry_run: DryRun = False,
    strict: Strict = False,
    allow_partial: Partial = False,
    on_conflict: OnConflict = "overwrite",
    as_json: Json = False,
) -> None:
    """Import intents from YAML: examples, slots, answer templates."""
    from knowledge.import_intents import plan_import_intents

    _run(
        lambda store, _: plan_import_intents(store, spread(files, INTENT_FILES), on_conflict=on_conflict),
        dry_run=dry_run,
        strict=strict,
        allow_partial=allow_partial,
        as_json=as_json,
    )


FAQ_FILES = {".csv", ".tsv", ".xlsx", ".jsonl", ".json"}
DOCUMENT_FILES = {".md", ".markdown", ".html", ".htm", ".docx", ".pdf", ".txt", ".jsonl"}
INTENT_FILES = {".yaml", ".yml"}


def spread(paths: list[Path], endings: set[str]) -> list[Path]:
    """The files named, and those with these endings in the folders named."""
    found: list[Path] = []
    for path in paths:
        inside = (
            (p for p in sorted(path.rglob("*")) if p.suffix.lower() in endings) if path.is_dir() else [path]
        )
        found += inside
    return found


def import_all(store: KnowledgeStore, folder: Path, *, settings: Settings, progress: Report) -> None:
    """All knowledge files of a project folder, as `kefu init` lays them out; any invalid row is an error."""
    from knowledge.import_docs import plan_import_docs
    from knowledge.import_faq import plan_import_faq
    from knowledge.import_intents import plan_import_intents
    from knowledge.imports import apply

    tables = sorted(
        path for path in folder.iterdir() if path.suffix in FAQ_FILES and path.stem.startswith("faq")
    )
    plans: list[ImportPlan[Any]] = [
        plan_import_faq(store, tables),
        plan_import_intents(store, sorted(folder.glob("intents*.yaml"))),
        plan_import_docs(
            store, spread([folder / "docs"], DOCUMENT_FILES), characters=settings.knowledge.passage_characters
        ),
    ]
    for step, plan in enumerate(plans, 1):
        apply(store, plan, strict=True)
        progress("Importing knowledge", step / len(plans))


def _run(
    plan_of: Callable[[KnowledgeStore, Settings], ImportPlan[Any]],
    *,
    dry_run: bool,
    strict: bool,
    allow_partial: bool,
    as_json: bool,
    then: str = "",
) -> None:
    from chatbot.assemble import open_knowledge
    from chatbot.settings import load_settings
    from knowledge.imports import apply

    settings = load_settings()
    store = open_knowledge(settings)
    with talk.status("Reading ..."):
        plan = plan_of(store, settings)
    if not dry_run:
        with progress_bars() as report:
            apply(
                store,
                plan,
                strict=strict,
                progress=lambda done, total: report("Importing", done / max(1, total)),
            )
    if as_json:
        print_json(
            {"counts": plan.counts, "rows": [asdict(row) for row in plan.rows], "remarks": plan.remarks}
        )
    else:
        _print(plan, dry_run=dry_run, then=then)
    if (plan.failed and not allow_partial) or not plan.rows:
        raise typer.Exit(1)


def _print(plan: ImportPlan[Any], *, dry_run: bool, then: str) -> None:
    for remark in plan.remarks:
        talk.print(f"[dim]{escape(remark)}[/]")
    rows = plan.rows if dry_run else plan.problems
    for row in rows[:MOST_SHOWN]:
        out.print(escape(str(row)))
    if len(rows) > MOST_SHOWN:
        out.print(f"... and {len(rows) - MOST_SHOWN} more; --json lists all.")
    out.print(_summary(plan, dry_run=dry_run))
    if not dry_run and plan.writes:
        talk.print(
            "A running server answers with it in a few seconds. After larger changes run 'kefu calibrate'."
        )
        if then:
            talk.print(then)


def _summary(plan: ImportPlan[Any], *, dry_run: bool) -> str:
    """What was done, in one line; a file without rows is named as what it is."""
    if not plan.rows:
        return "[bold]Nothing to import[/]: there are no rows in it. Is it the right file?"
    counts = ", ".join(f"{count} {outcome}" for outcome, count in plan.counts.items() if count)
    if not plan.writes:
        return f"[bold]Nothing to import[/]: {counts}."
    return f"[bold]{'Would import' if dry_run else 'Imported'}[/]: {counts}."
