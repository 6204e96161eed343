"""`kefu eval intents` on tiny files with a fake encoder."""

from __future__ import annotations

import csv
import importlib
import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fakes import FakeEncoder
from knowledge.types import Encoder
from ui.cli import app

# By name: in the package, `intents` is the command.
MODULE = importlib.import_module("ui.commands.eval.intents")
FRAMES = {
    "track": "where is my {} now",
    "return": "send back the {} please",
    "price": "what does the {} cost",
}
SEEN = ["lamp", "chair", "table", "sofa", "desk", "shelf"]
NEW = ["hammock", "mirror", "carpet"]
STRANGE = ["tell me a joke", "who won the match", "sing a song", "is it raining"]


def write(path: Path, rows: Iterable[tuple[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "intent"])
        writer.writerows(rows)
    return path


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    monkeypatch.setattr(MODULE, "open_encoder", FakeEncoder)
    rows = {
        part: [(frame.format(thing), name) for name, frame in FRAMES.items() for thing in things]
        for part, things in {"train": SEEN, "valid": NEW[:1], "test": NEW[1:]}.items()
    }
    outside = [(text, "oos") for text in STRANGE]
    return {
        "train": write(tmp_path / "train.csv", rows["train"]),
        "valid": write(tmp_path / "valid.csv", rows["valid"] + outside[:2]),
        "test": write(tmp_path / "test.csv", rows["test"] + outside[2:]),
        "inside": write(tmp_path / "inside.csv", rows["test"]),
    }


def run(*arguments: object) -> dict[str, object]:
    result = CliRunner().invoke(app, ["eval", "intents", *map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    printed: dict[str, object] = json.loads(result.stdout)
    return printed


def test_everything_the_contract_names_is_printed(files: dict[str, Path]) -> None:
    figures = run(
        "--train", files["train"], "--valid", files["valid"], "--test", files["test"], "--method", "head"
    )

    assert figures["accuracy_best_intent"] == 1.0
    assert figures["accuracy"] == figures["accuracy_at_threshold"]
    assert {"macro_f1", "oos_recall", "oos_precision", "oos_auroc", "threshold"} <= figures.keys()
    assert {"train_seconds", "ms_per_query", "encoder", "task", "seed", "seconds"} <= figures.keys()
    assert (figures["method"], figures["n_train"], figures["n_test"], figures["intents"]) == (
        "head",
        18,
        8,
        3,
    )


def test_a_refitted_head_knows_what_only_the_validation_file_says_and_keeps_its_threshold(
    files: dict[str, Path], tmp_path: Path
) -> None:
    rows = [("is it waterproof", "price"), ("can it get wet", "price"), ("where is my lamp now", "track")]
    files["valid"] = write(tmp_path / "new.csv", [*rows, ("sing a song", "oos")])
    asked = write(
        tmp_path / "asked.csv", [("is it waterproof", "price"), ("where is my mirror now", "track")]
    )
    arguments = ["--train", files["train"], "--valid", files["valid"], "--test", asked, "--method", "head"]

    as_chosen, refitted = run(*arguments), run(*arguments, "--refit")

    assert refitted["accuracy_best_intent"] == 1.0
    assert as_chosen["threshold"] == refitted["threshold"]
    assert (as_chosen["refit"], refitted["refit"]) == (False, True)


def test_without_out_of_scope_texts_nothing_counts_as_refused(files: dict[str, Path]) -> None:
    figures = run("--train", files["train"], "--test", files["inside"], "--method", "head")

    assert figures["accuracy"] == figures["accuracy_best_intent"]
    assert figures["oos_recall"] is None
    assert isinstance(figures["threshold"], float)


def test_equal_seeds_give_equal_figures(files: dict[str, Path]) -> None:
    arguments = ["--train", files["train"], "--test", files["test"], "--method", "head", "--seed", 3]
    timed = {"seconds", "train_seconds", "ms_per_query"}

    first, second = run(*arguments), run(*arguments)

    assert {k: v for k, v in first.items() if k not in timed} == {
        k: v for k, v in second.items() if k not in timed
    }


def test_a_file_without_intents_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    only = write(tmp_path / "only.csv", [("tell me a joke", "oos")])

    result = CliRunner().invoke(
        app, ["eval", "intents", "--train", str(only), "--test", str(files["test"]), "--method", "head"]
    )

    assert "No training text has an intent" in str(result.exception)


@pytest.mark.models
def test_a_part_of_banking77_is_mostly_right(
    encoder: Encoder, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MODULE, "open_encoder", lambda: encoder)
    names = ["card_arrival", "exchange_rate", "lost_or_stolen_card", "pin_blocked", "top_up_failed"]
    parts = {}
    for part, most in (("train_10shot", 10), ("test", 8)):
        with (shared_data / "intents" / "banking77" / f"{part}.csv").open(encoding="utf-8") as file:
            rows = [(row["text"], row["intent"]) for row in csv.DictReader(file)]
        chosen = [pair for name in names for pair in [r for r in rows if r[1] == name][:most]]
        parts[part] = write(tmp_path / f"{part}.csv", chosen)

    figures = run("--train", parts["train_10shot"], "--test", parts["test"], "--method", "head")

    assert float(str(figures["accuracy"])) >= 0.85


def test_messages_without_a_label_teach_what_no_example_says(files: dict[str, Path], tmp_path: Path) -> None:
    tails = {"track": "has it been shipped", "return": "i changed my mind", "price": "any discount"}
    logs = tmp_path / "logs.csv"
    logs.write_text(
        "text\n"
        + "".join(f"{FRAMES[name].format(thing)} {tail}\n" for name, tail in tails.items() for thing in SEEN),
        "utf-8",
    )
    asked = write(tmp_path / "asked.csv", [(tail, name) for name, tail in tails.items()])
    arguments = ["--train", files["train"], "--test", asked, "--method", "head"]

    without, taught = run(*arguments), run(*arguments, "--unlabelled", logs)

    assert taught["accuracy"] == 1.0
    assert float(str(without["accuracy"])) < 1.0
    assert (without["n_guessed"], taught["n_train"]) == (0, 18)
    assert taught["n_guessed"] == 18
