"""kefu doctor: checks everything, and says what to do."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from knowledge.errors import KefuError
from ui.terminal import out, print_json, talk

if TYPE_CHECKING:
    from chatbot.settings import Settings

NOTHING_YET = "no knowledge yet. Run 'kefu import faq FILE'."
MARKS = {"ok": "[green]✓[/]", "note": "[yellow]•[/]", "problem": "[red]✗[/]"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: Literal["ok", "note", "problem"]
    detail: str


def doctor(
    *,
    settings: Annotated[
        bool, typer.Option("--settings", help="Print every setting that is in force, and nothing else.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check settings, models, database, index and thresholds; exit 1 when something must be mended."""
    from chatbot.settings import load_settings

    loaded = load_settings()
    if settings:
        print_json(loaded.model_dump(mode="json"))
        return
    with talk.status("Looking ..."):
        findings = list(examine(loaded))
    if as_json:
        print_json([{"what": f.what, "state": f.state, "detail": f.detail} for f in findings])
    else:
        for finding in findings:
            out.print(f"{MARKS[finding.state]} [bold]{finding.what}[/]: {escape(finding.detail)}")
    if any(finding.state == "problem" for finding in findings):
        raise typer.Exit(1)


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything in turn; one broken thing does not hide the next."""
    yield Finding("python", "ok", f"{sys.version.split()[0]}")
    file = settings.project.folder / "kefu.toml"
    yield Finding(
        "settings",
        "ok" if file.exists() else "note",
        str(file) if file.exists() else f"no {file}: defaults are in force. 'kefu init FOLDER' writes one.",
    )
    checks: dict[str, Callable[[Settings], Finding]] = {
        "models": _models,
        "trained": _trained,
        "database": _database,
        "index": _index,
        "thresholds": _thresholds,
        "port": _port,
        "disk": _disk,
    }
    for what, check in checks.items():
        try:
            yield check(settings)
        except KefuError as error:
            yield Finding(what, "problem", str(error))


def _is_new(settings: Settings) -> bool:
    """Whether there is no database yet: looking must not make one, least of all in the wrong folder."""
    return not settings.storage.url and not settings.data_folder.exists()


def _models(settings: Settings) -> Finding:
    from knowledge.packaged import verify

    findings = verify(settings.project.models_cache)
    if findings:
        return Finding("models", "problem", f"{findings[0]} Run 'kefu models prepare'.")
    return Finding("models", "ok", f"whole, in {settings.project.models_cache}")


def _trained(settings: Settings) -> Finding:
    """What was promoted must be there and whole."""
    from chatbot.registry import Registry

    registry = Registry(settings.models_folder)
    promoted = registry.in_force()
    for task, name in promoted.items():
        registry.model(task, name)
    names = ", ".join(f"{task} {name}" for task, name in promoted.items())
    return Finding(
        "trained", "ok", f"in force: {names}" if names else "none in force, the default models serve"
    )


def _database(settings: Settings) -> Finding:
    from chatbot.assemble import open_knowledge

    if _is_new(settings):
        return Finding("database", "note", NOTHING_YET)
    counts = open_knowledge(settings).counts()
    if not any(counts.values()):
        return Finding("database", "note", NOTHING_YET)
    named = {"faqs": "FAQs", "passages": "passages of documents"}
    return Finding(
        "database", "ok", ", ".join(f"{n} {named.get(what, what)}" for what, n in counts.items() if n)
    )


def _index(settings: Settings) -> Finding:
    from chatbot.assemble import index_folder, open_knowledge
    from knowledge.build import info, verify

    folder = index_folder(settings)
    if not folder.exists():
        return Finding(
            "index", "note", "not built yet. 'kefu serve' and 'kefu chat' build it when they start."
        )
    findings = verify(folder)
    if findings:
        remedy = "" if "kefu index build" in findings[0] else " Run 'kefu index build'."
        return Finding("index", "problem", findings[0] + remedy)
    about = info(folder)
    behind = open_knowledge(settings).version() - int(about["knowledge_version"])
    if behind:
        return Finding(
            "index",
            "note",
            f"{behind} changes behind; a server takes them in by itself, or run 'kefu index build'.",
        )
    return Finding("index", "ok", str(about["describe"]))


def _thresholds(settings: Settings) -> Finding:
    from chatbot.assemble import open_knowledge
    from chatbot.calibrations import calibration_in_force

    entries = 0 if _is_new(settings) else sum(1 for _ in open_knowledge(settings).entries())
    calibration, stale = calibration_in_force(settings, entries=entries)
    if stale:
        return Finding("thresholds", "note", f"strict mode, because {stale}. Run 'kefu calibrate'.")
    c = calibration.certificate
    return Finding(
        "thresholds",
        "ok",
        f"at most {c.risk:.0%} wrong among answered, {c.coverage:.0%} answered, fitted {c.fitted_at}",
    )


def _port(settings: Settings) -> Finding:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        taken = probe.connect_ex((settings.server.host, settings.server.port)) == 0
    if taken:
        return Finding(
            "port",
            "note",
            f"{settings.server.port} is in use (by a running server?). Another one: 'kefu serve --port N'.",
        )
    return Finding("port", "ok", f"{settings.server.port} is free")


def _disk(settings: Settings) -> Finding:
    folder = settings.data_folder
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    return Finding(
        "disk",
        "ok" if free > 1 else "problem",
        f"{free:.0f} GB free" + ("" if free > 1 else ". Make room: the database must be able to grow."),
    )
