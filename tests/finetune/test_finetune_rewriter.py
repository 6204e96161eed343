"""A rewriter is learned from people's rewrites, says what it learned without torch, and can be put in force."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from tiny_bert import write_tiny_bert
from tiny_texts import TWELVE as THINGS
from typer.testing import CliRunner

from chatbot.assemble import open_service
from chatbot.evaluate.rewrite import FollowUp
from chatbot.registry import Registry
from chatbot.settings import load_settings
from chatbot.trained import rewriter_in_force
from chatbot.understand.pointing import EditPointer, TrainedRewriter
from chatbot.understand.rewrite import Rewriter
from finetune.examples import Split, split
from finetune.rewriter import RewriterPace, RewriterRun, RewriterTable, train_rewriter
from finetune.run import Making
from knowledge.encode.states import TokenEncoder
from knowledge.errors import ModelError
from ui.cli import app

FRAMES = ["refund for {}", "price of {}"]
PREFIX = "query"
Base = tuple[Path, tuple[str, str]]


def silent(what: str, done: float) -> None: ...


def follow_ups(*, alone: bool) -> list[FollowUp]:
    """After "refund for lamp": "and sofa" is "refund for sofa", "why" is "why lamp"."""
    found = []
    for number, thing in enumerate(THINGS):
        other = THINGS[number - 1]
        for frame in FRAMES:
            before = (frame.format(thing), "yes")
            found.append(FollowUp(before, "and " + other, frame.format(other)))
            found.append(FollowUp(before, "why", "why " + thing))
            if alone:
                found.append(FollowUp(before, "hello " + other, "hello " + other))
    return found


def parts(*, alone: bool = False) -> Split[FollowUp]:
    return split(
        follow_ups(alone=alone),
        data={},
        text=lambda one: " ".join((*one.context, one.current)),
        label=lambda one: one.current.split()[0],
        seed=0,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Base, Path, dict[str, object]]:
    folder = tmp_path_factory.mktemp("rewriter")
    words = [
        word
        for one in follow_ups(alone=True)
        for text in (*one.context, one.current)
        for word in text.split()
    ]
    (folder / "base").mkdir()
    base = write_tiny_bert(folder / "base", [*words, PREFIX]), (PREFIX, "")
    run = RewriterRun(
        model=RewriterTable(first_layer=0, rank=0, longest=32),
        train=RewriterPace(epochs=40, learning_rate=4e-3, batch_size=8, dropout=0.0, patience=40),
    )
    making = Making(Registry(folder / "models"), "first", folder / "work", silent)
    metrics = dict(train_rewriter(parts(alone=True), run, base=base, making=making))
    return base, folder / "models" / "rewriter" / "first", metrics


def test_it_learns_which_words_go_where(trained: tuple[Base, Path, dict[str, object]]) -> None:
    _, folder, metrics = trained
    epochs = metrics["epochs"]
    assert isinstance(epochs, list)
    assert epochs[-1]["loss"] < epochs[0]["loss"] / 4
    assert metrics["exact_match"] > metrics["exact_match_before"]
    assert metrics["reachable"] == 1.0
    assert metrics["context"] == 2
    assert metrics["left_alone"] == pytest.approx(1 / 3, abs=0.05)
    assert "Word for word as a person" in (folder / "README.md").read_text("utf-8")


def test_without_torch_it_says_the_same(trained: tuple[Base, Path, dict[str, object]]) -> None:
    (base, _), folder, metrics = trained
    pointer = EditPointer(TokenEncoder(base, folder), folder, prefix=PREFIX, longest=32, context=2)
    test = parts(alone=True).test
    said = [pointer.rewrite(one.context, one.current) for one in test]
    right = sum(text == one.rewrite for text, one in zip(said, test, strict=True)) / len(test)
    assert right == pytest.approx(metrics["exact_match"], abs=1e-4)


def test_it_edits_only_follow_ups_and_leaves_what_it_cannot_read(
    trained: tuple[Base, Path, dict[str, object]],
) -> None:
    (base, _), folder, _ = trained
    pointer = EditPointer(TokenEncoder(base, folder), folder, prefix=PREFIX, longest=32, context=2)
    careful = TrainedRewriter([], pointer, left_alone=0.0)
    assert careful.after("why", ()) == "why"
    assert careful.after("please deliver a new sofa to my office", ("price of sofa",)) == (
        "please deliver a new sofa to my office"
    )
    assert pointer.rewrite(["price of sofa"], "") == ""
    before = ("price of sofa", "yes")
    assert pointer.rewrite((*THINGS, *before), "why") == pointer.rewrite(before, "why")
    endless = "sofa " * 600
    assert pointer.rewrite([], endless) == endless


def test_what_is_damaged_is_named(trained: tuple[Base, Path, dict[str, object]], tmp_path: Path) -> None:
    (base, _), _, _ = trained
    with pytest.raises(ModelError, match="is no adapter"):
        TokenEncoder(base, tmp_path)


def test_another_encoder_than_it_was_trained_from_is_refused(
    trained: tuple[Base, Path, dict[str, object]], tmp_path: Path
) -> None:
    _, folder, _ = trained
    with pytest.raises(ModelError, match="was trained from another encoder"):
        TokenEncoder(write_tiny_bert(tmp_path, ["other", "words", PREFIX]), folder)


@pytest.mark.models
def test_the_smoke_run_is_put_in_force_and_taken_out(tmp_path: Path, models_cache: Path) -> None:
    shop = tmp_path / "shop"
    assert CliRunner().invoke(app, ["init", str(shop)]).exit_code == 0
    project = ["--project", str(shop)]
    recipe = Path(__file__).resolve().parents[2] / "finetune" / "runs" / "smoke-rewriter.toml"
    learned = CliRunner().invoke(
        app,
        [*project, "train", "rewriter", "--config", str(recipe), "--name", "a", "--threads", "1", "--json"],
    )
    assert learned.exit_code == 0, learned.output
    metrics = json.loads(learned.stdout)
    assert metrics["epochs"][-1]["loss"] < metrics["epochs"][0]["loss"]
    assert metrics["exact_match"] > metrics["exact_match_before"]

    assert CliRunner().invoke(app, [*project, "models", "promote", "rewriter", "a"]).exit_code == 0
    settings = load_settings(shop)
    said = ("Do you sell the kettle?", "Yes, we do.")
    with closing(open_service(settings)) as service:
        assert service.ready()["stages"] == "ok"
        assert rewriter_in_force(settings)([]).after("Is it waterproof?", said) == "Is the kettle waterproof?"
    undone = CliRunner().invoke(app, [*project, "models", "rollback", "rewriter"])
    assert undone.exit_code == 0
    assert rewriter_in_force(settings) is Rewriter
