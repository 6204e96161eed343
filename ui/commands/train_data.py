"""kefu train data: datasets from what was said and what is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ui.terminal import Report, out, print_json, progress_bars, talk

if TYPE_CHECKING:
    from chatbot.settings import Settings
    from finetune.data.build import Built, Company, Options
    from finetune.data.logs import Read

app = typer.Typer(no_args_is_help=True, help="Datasets for fine-tuning, from your logs and your knowledge.")

FOLDER = "datasets"
_MOST_REASONS = 12


@app.callback()
def _data() -> None:
    """Datasets for fine-tuning, from your logs and your knowledge."""


Out = Annotated[
    Path | None, typer.Option("--out", help="Folder to write.", show_default=f"{FOLDER} in the project")
]
Logs = Annotated[
    list[Path] | None,
    typer.Option(
        help="Chat log, or a folder of them: .jsonl, .json, .csv, .tsv; may be repeated.", show_default="none"
    ),
]
NoRecords = Annotated[
    bool, typer.Option("--no-records", help="Leave out the turns that this project recorded.")
]
Augment = Annotated[
    bool, typer.Option("--augment", help="Add varied copies of training questions: typos, pinyin, …")
]
Share = Annotated[float, typer.Option(min=0.01, max=1.0, help="Of the training rows, that get a copy.")]
HeldOut = Annotated[float, typer.Option(min=0.01, max=0.4, help="Share for valid, and again for test.")]
Quality = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="Answers that served customers less are not learned from.")
]
Seed = Annotated[int, typer.Option(help="Decides all that is drawn; the same seed gives the same files.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count everything, write nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the data card as JSON.")]


@app.command()
def build(
    *,
    destination: Out = None,
    logs: Logs = None,
    no_records: NoRecords = False,
    augment: Augment = False,
    augment_share: Share = 0.5,
    held_out: HeldOut = 0.1,
    least_quality: Quality = 0.5,
    seed: Seed = 0,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make datasets from chat logs, recorded turns, FAQs and intents.

    Try it first:  [bold]kefu train data build --logs chats.jsonl --dry-run[/]

    A log may be what 'kefu export chats' writes, OpenAI messages, ShareGPT, Alpaca, or a table with one message a \
row (conversation_id, role, text, created_at; 会话id, 角色, 内容, 时间 and many other names are understood). \
Ratings, "resolved" and what customers say next tell which answers are good.

    What happens: personal data is masked first; greetings, system lines and signatures go; each question gets the \
passages that search finds; answers that the passages do not bear out are set aside for you to look at, with file, \
line and reason; near-duplicates go; the newest conversations are held out.

    Read README.md and set_aside.jsonl in the folder before you train on it.
    """
    from chatbot.settings import load_settings
    from finetune.data.build import Options
    from finetune.data.writing import check_free, sha256_of, write

    settings = load_settings()
    folder = destination or settings.project.folder / FOLDER
    options = Options(held_out, least_quality, augment_share if augment else 0.0, seed)
    files = _files(logs or [])
    if not dry_run:
        check_free(folder)
    with progress_bars() as report:
        built, versions = _built(settings, files, options, records=not no_records, report=report)
    if dry_run:
        from finetune.data.card import card_of

        card = card_of(built, options, inputs={}, files={}, versions=versions)
    else:
        inputs = {file.name: sha256_of(file) for file in files}
        card = write(built, options, folder, inputs=inputs, versions=versions)
    if as_json:
        print_json(card)
        return
    _show(card)
    for one in [one for one in built.aside if one.place.line and not one.conversation_id][:_MOST_REASONS]:
        talk.print(f"{one.place}: {one.why}", markup=False)
    where = "Nothing was written." if dry_run else f"The datasets are in {folder}. Read its README.md first."
    talk.print(f"{len(built.aside):,} set aside. {where}")


def _files(paths: list[Path]) -> list[Path]:
    from finetune.data.logs import ENDINGS
    from ui.commands.imports import spread

    return list(dict.fromkeys(spread(paths, set(ENDINGS))))


def _built(
    settings: Settings, files: list[Path], options: Options, *, records: bool, report: Report
) -> tuple[Built, dict[str, str]]:
    from importlib.metadata import version

    from chatbot.assemble import all_intents, open_knowledge, open_retriever
    from finetune.data.build import Company, build

    knowledge = open_knowledge(settings)
    report("Opening the index", 0.0)
    retriever = open_retriever(settings)
    report("Opening the index", 1.0)
    company = Company(
        list(knowledge.entries()), all_intents(knowledge), retriever, passages=settings.generation.passages
    )
    built = build(
        _reads(settings, files, records=records, report=report),
        company,
        mask=_redactor(settings, company),
        options=options,
        progress=report,
    )
    return built, {"index": retriever.version, "kefu": version("kefu")}


def _reads(settings: Settings, files: list[Path], *, records: bool, report: Report) -> Iterator[Read]:
    from finetune.data.logs import read_logs

    if records:
        from chatbot.assemble import open_database, open_records
        from chatbot.record.remarks import Remarks
        from finetune.data.records import recorded

        yield from recorded(open_records(settings), Remarks(open_database(settings)))
    yield from read_logs(files, progress=report)


def _redactor(settings: Settings, company: Company) -> Callable[[str], str]:
    """Masks personal data; the company's own contacts, as its knowledge has them, stay."""
    from chatbot.record.redaction import contacts, redact

    templates = (
        text for intent in company.intents.values() for one in intent.templates for text in one.text.values()
    )
    passages = (entry.passage.text for entry in company.entries)
    public = contacts([settings.handoff.contact, *templates, *passages])
    return lambda text: redact(text, public=public)


def _show(card: dict[str, Any]) -> None:
    table = Table("dataset", "train", "valid", "test", "languages of train")
    for name, counts in card["datasets"].items():
        locales = ", ".join(f"{locale} {count:,}" for locale, count in counts["train"]["locales"].items())
        table.add_row(name, *(f"{counts[split]['rows']:,}" for split in ("train", "valid", "test")), locales)
    out.print(table)
    aside = Table("set aside because", "how many")
    for why, count in list(card["set_aside"].items())[:_MOST_REASONS]:
        aside.add_row(why, f"{count:,}")
    if card["set_aside"]:
        out.print(aside)
