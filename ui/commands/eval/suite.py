"""kefu eval all: a suite of measurements, a report, and a gate against the last accepted one."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from knowledge.errors import KefuError
from ui.evaluation.compare import Change, compare
from ui.evaluation.page import render
from ui.evaluation.suite import SuiteRun, arguments, read_suite
from ui.terminal import out, print_json, talk

REPORT, PAGE, ACCEPTED = "report.json", "report.html", "accepted.json"


def run_all(
    *,
    suite: Annotated[Path, typer.Option(help="TOML: [[run]] with name, task and the task's options.")],
    folder: Annotated[Path, typer.Option("--out", "-o", help="Where the report goes.", file_okay=False)],
    data: Annotated[
        Path | None,
        typer.Option(help="What relative paths in the suite start at; default: the suite's folder."),
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Run only those of this name; repeatable.")] = None,
    gate: Annotated[
        bool,
        typer.Option("--gate", help="Exit 1 when a figure fell by more than its noise, or a run failed."),
    ] = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="What is compared with from now on is this report.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run a suite, write report.json and report.html, and compare with the last accepted report.

    A share fell when it is lower by more than twice the standard error of the difference of two binomial
    shares; other qualities when they are lower by more than 2 % of what they were. Times are shown, not gated.
    """
    runs = read_suite(suite, root=data or suite.parent, only=only or ())
    accepted = folder / ACCEPTED
    before = _read(accepted) if accepted.exists() else {}
    results = {}
    for number, run in enumerate(runs, 1):
        talk.print(f"{run.name} ({number} of {len(runs)}): kefu eval {run.task}")
        results[run.name] = measure(run)
    changes = compare(before.get("runs", {}), results)
    report = {"suite": suite.name, "runs": results, "changes": [change.as_dict() for change in changes]}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / REPORT).write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", "utf-8")
    (folder / PAGE).write_text(render(report, commands={run.name: run.command for run in runs}), "utf-8")
    if accept:
        accepted.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", "utf-8")
    talk.print(f"The report is in {folder / PAGE}.")
    if as_json:
        print_json(report)
    else:
        _say(results, changes, compared=bool(before))
    failed = [name for name, figures in results.items() if "error" in figures]
    if gate and (failed or any(change.fell for change in changes)):
        raise typer.Exit(1)


def measure(run: SuiteRun) -> dict[str, Any]:
    """What `kefu eval TASK` prints as JSON; {"task", "error"} when it could not be measured."""
    from ui.commands.eval import app

    command = typer.main.get_command(app)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "figures.json"
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                command.main(
                    [run.task, *arguments(run), "--json", "--out", str(target)],
                    prog_name="kefu eval",
                    standalone_mode=False,
                )
        except (KefuError, TyperException) as error:
            talk.print(f"{run.name}: {error}")
            return {"task": run.task, "error": str(error)}
        return _read(target)


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise KefuError(f"{path} cannot be read ({error}). Remove it, or run the suite again.") from error
    return dict(value)


def _say(results: dict[str, Any], changes: list[Change], *, compared: bool) -> None:
    for name, figures in results.items():
        if "error" in figures:
            out.print(f"{name}: {figures['error']}")
    if not compared:
        out.print("There is no accepted report to compare with; --accept makes this one the first.")
    for change in changes:
        if change.fell or change.rose:
            out.print(str(change))
    if compared and not any(change.fell for change in changes):
        out.print("No figure fell by more than its noise.")
