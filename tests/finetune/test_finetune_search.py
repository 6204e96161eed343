"""A search tries settings, keeps the best as a run.toml, stops what falls behind, and goes on after a kill."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from math import log10
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from tiny_bert import write_tiny_bert
from typer.testing import CliRunner

import finetune
from finetune.classifier import TaskPace
from finetune.intent import IntentRun
from finetune.learning import Epoch, Step
from finetune.run import Making, read_run
from finetune.search import WHAT, Job, Plan, Tried, search
from finetune.space import Space, drawn_from
from knowledge.errors import ConflictError, KnowledgeError, SettingsError
from ui.cli import app

RUNS = Path(finetune.__file__).parent / "runs"
START = IntentRun(train=TaskPace(epochs=5, learning_rate=2e-4))
SPACE = Space.model_validate(
    {
        "train": {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}},
        "model": {"rank": {"choices": [8, 16]}},
    }
)

TWELVE = Plan(12)


class Bench:
    """Learns at once: the figure is best at a rate of 1e-3 and rank 8, and rises with the epochs."""

    def __init__(self, *, killed_at: int = 99) -> None:
        self.runs: list[IntentRun] = []
        self.rooms: list[Path] = []
        self._killed_at = killed_at

    def train(self, run: IntentRun, making: Making) -> Mapping[str, Any]:
        self.runs.append(run)
        self.rooms.append(making.work)
        best = 0.9 - 0.3 * abs(log10(run.train.learning_rate) + 3) + (0.05 if run.model.rank == 8 else 0)
        epochs = []
        for number in range(1, run.train.epochs + 1):
            making.observer.step(Step(number, run.train.epochs, 1 / number, run.train.learning_rate))
            if len(self.runs) == self._killed_at:
                raise KeyboardInterrupt
            epochs.append(Epoch(number, 1 / number, best * (1 - 0.5**number)))
            making.observer.epoch(epochs[-1])
        return {"epochs": [asdict(epoch) for epoch in epochs]}

    def job(self, **other: Any) -> Job[IntentRun]:
        return Job(
            **({"task": "intent", "run": START, "data": "a", "held_out": 9, "train": self.train} | other)
        )


def silent(what: str, done: float) -> None: ...


def look(place: Path, bench: Bench, plan: Plan = TWELVE, space: Space = SPACE, **job: Any) -> list[Tried]:
    return search(bench.job(**job), space, plan, place=place, best=place / "best.toml", progress=silent)


def timeless(tried: list[Tried]) -> list[Tried]:
    return [replace(one, seconds=0, number=0) for one in tried]


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # of a network this small, two threads mostly wait for each other
    yield
    torch.set_num_threads(before)


def test_the_best_settings_come_out_as_a_run_that_can_be_read(tmp_path: Path) -> None:
    tried = look(tmp_path, Bench())

    best = read_run(tmp_path / "best.toml", IntentRun, sample="")
    assert best.train.learning_rate == tried[0].settings["train.learning_rate"]
    assert best.model.rank == tried[0].settings["model.rank"]
    assert best.train.epochs == START.train.epochs
    assert tried[0].held_out == max(one.held_out for one in tried)


def test_the_first_trial_is_the_run_as_it_is_so_that_nothing_worse_comes_out(tmp_path: Path) -> None:
    bench = Bench()

    tried = look(tmp_path, bench)

    assert bench.runs[0] == START
    first = next(one for one in tried if one.number == 0)
    assert tried[0].held_out > first.held_out


def test_settings_outside_of_the_space_are_no_trial(tmp_path: Path) -> None:
    bench = Bench()

    look(tmp_path, bench, Plan(3), run=START.model_copy(update={"train": TaskPace(learning_rate=0.5)}))

    assert all(1e-4 <= run.train.learning_rate <= 1e-2 for run in bench.runs)


def test_a_seed_gives_one_search_and_another_seed_another(tmp_path: Path) -> None:
    once, again = (look(tmp_path / name, Bench(), Plan(6)) for name in ("one", "two"))
    other = look(tmp_path / "three", Bench(), Plan(6, seed=1))

    assert timeless(once) == timeless(again)
    assert timeless(once) != timeless(other)


@pytest.mark.parametrize("killed_at", [1, 4, 9])
def test_a_search_that_was_killed_ends_as_an_unbroken_one(tmp_path: Path, killed_at: int) -> None:
    whole = look(tmp_path / "whole", Bench())
    with pytest.raises(KeyboardInterrupt):
        look(tmp_path / "killed", Bench(killed_at=killed_at))
    rest = Bench()

    resumed = look(tmp_path / "killed", rest)

    assert timeless(resumed) == timeless(whole)
    assert len(rest.runs) == 12 - (killed_at - 1)


def test_half_a_line_in_the_journal_is_what_a_kill_may_leave(tmp_path: Path) -> None:
    look(tmp_path, Bench(), Plan(2))
    journal = tmp_path / "journal.log"
    journal.write_bytes(journal.read_bytes() + b'{"op_code": 6, "worker')

    tried = look(tmp_path, Bench(), Plan(4))

    assert len(tried) == 4


def test_a_trial_that_falls_behind_is_stopped_and_is_not_the_best(tmp_path: Path) -> None:
    tried = look(tmp_path, Bench(), Plan(20))

    stopped = [one for one in tried if one.stopped]
    assert stopped
    assert all(2 <= one.epochs < START.train.epochs for one in stopped)
    assert not tried[0].stopped


def test_the_same_settings_are_not_learned_twice(tmp_path: Path) -> None:
    bench = Bench()
    two = Space.model_validate({"model": {"rank": {"choices": [8, 16]}}})

    tried = look(tmp_path, bench, Plan(8), two)

    assert len(bench.runs) == len(tried) == 2
    assert tried[0].settings == {"model.rank": 8}


def test_no_trial_begins_when_the_time_is_over(tmp_path: Path) -> None:
    bench = Bench()

    look(tmp_path, bench, Plan(9, minutes=1e-9))

    assert len(bench.runs) == 1


def test_a_trial_leaves_nothing_behind(tmp_path: Path) -> None:
    bench = Bench()

    look(tmp_path, bench, Plan(2))

    assert not any(room.exists() for room in bench.rooms)
    assert not (tmp_path / "trial").exists()


def test_the_bar_never_goes_back(tmp_path: Path) -> None:
    told: list[float] = []

    def progress(what: str, done: float) -> None:
        if what == WHAT:
            told.append(done)

    search(Bench().job(), SPACE, Plan(4), place=tmp_path, best=tmp_path / "best.toml", progress=progress)

    assert told == sorted(told)
    assert len(set(told)) > 8
    assert told[-1] == 1.0


def test_a_search_goes_on_only_with_its_own_data_and_settings(tmp_path: Path) -> None:
    look(tmp_path, Bench(), Plan(1))

    with pytest.raises(ConflictError, match="other data, settings or seed"):
        look(tmp_path, Bench(), Plan(2), data="b")


def test_one_search_at_a_time_writes_into_a_place(tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / "search.lock", is_singleton=False),
        pytest.raises(ConflictError, match="Another search is under way"),
    ):
        look(tmp_path, Bench())


def test_nothing_held_out_is_nothing_to_choose_by(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="Nothing is held out"):
        look(tmp_path, Bench(), held_out=0)


@pytest.mark.parametrize(
    ("space", "told"),
    [
        ({}, "lets nothing vary"),
        ({"train": {"rate": {"low": 1, "high": 2}}}, r"What can be in \[train\]: epochs, learning_rate"),
        ({"train": {"seed": {"choices": [1, 2]}}}, "'train.seed' cannot be searched"),
        ({"train": {"epochs": {"low": 2, "high": 500}}}, "train.epochs: .*less than or equal to 100"),
        ({"train": {"epochs": {"low": 1.5, "high": 3}}}, "train.epochs: .*valid integer"),
        ({"model": {"rank": {"choices": [8, 999]}}}, "model.rank: .*less than or equal to 256"),
    ],
)
def test_a_space_that_does_not_fit_the_run_is_refused_before_the_first_trial(
    tmp_path: Path, space: dict[str, Any], told: str
) -> None:
    bench = Bench()

    with pytest.raises(SettingsError, match=told):
        look(tmp_path, bench, space=Space.model_validate(space))

    assert bench.runs == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("learning_rate = {low = 1e-4}", "either low and high, or choices"),
        ("learning_rate = {low = 1e-4, high = 1e-3, choices = [1]}", "either low and high, or choices"),
        ("learning_rate = {low = 1e-3, high = 1e-4}", "low must not be above high"),
        ("learning_rate = {low = 0, high = 1e-4, log = true}", "above 0 with log"),
        ("learning_rate = {least = 0}", "least"),
    ],
)
def test_a_wrong_search_file_says_what_is_wrong(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "search.toml").write_text(f"[train]\n{line}\n")

    with pytest.raises(SettingsError, match=told):
        read_run(tmp_path / "search.toml", Space, sample="search-intent.toml")


def test_the_sample_fits_the_smoke_run() -> None:
    space = read_run(RUNS / "search-intent.toml", Space, sample="")

    drawn = drawn_from(space, read_run(RUNS / "smoke-intent.toml", IntentRun, sample=""))

    assert set(drawn) == {"train.learning_rate", "train.label_smoothing", "model.rank"}


FRAMES = {"track": "where is my {}", "return": "send back the {}", "price": "what does the {} cost"}
THINGS = ["lamp", "chair", "table", "sofa", "desk", "shelf", "mirror", "carpet", "stool", "bed"]
SEARCH = """\
[train]
learning_rate = {low = 1e-3, high = 1e-2, log = true}
[model]
rank = {choices = [4, 8]}
"""
RUN = """\
[data]
train = "intents.csv"
[model]
first_layer = 1
[train]
epochs = 2
batch_size = 8
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project whose encoder is narrow enough for tests."""
    texts = [(frame.format(thing), name) for name, frame in FRAMES.items() for thing in THINGS]
    (tmp_path / "bert").mkdir()
    words = [word for text, _ in texts for word in text.split()]
    bert = write_tiny_bert(tmp_path / "bert", words, layers=2)
    project = tmp_path / "shop"
    project.mkdir()
    (project / "kefu.toml").write_text(
        f'[knowledge.encoder]\nkind = "sentence_transformers"\nmodel = {json.dumps(str(bert))}\n'
    )
    (project / "intents.csv").write_text(
        "text,intent\n" + "".join(f"{text},{name}\n" for text, name in texts)
    )
    (project / "run.toml").write_text(RUN)
    (project / "search.toml").write_text(SEARCH)
    return project


def kefu(project: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["--project", str(project), "train", *arguments, "--threads", "1"])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_what_was_found_is_learned_with_by_the_same_command_line(shop: Path) -> None:
    config = ["--config", str(shop / "run.toml")]
    looked = ["search", "intent", *config, "--space", str(shop / "search.toml"), "--name", "a"]

    found = json.loads(kefu(shop, *looked, "--trials", "3", "--json"))

    assert len(found["trials"]) == 3
    metrics = json.loads(kefu(shop, "intent", "--config", found["best"], "--name", "best", "--json"))
    best = found["trials"][0]
    assert metrics["run"]["train"]["learning_rate"] == best["settings"]["train.learning_rate"]
    assert max(row["held_out"] for row in metrics["epochs"]) == best["held_out"]
    assert "learning_rate" in kefu(shop, *looked, "--trials", "4")


@pytest.mark.parametrize("task", ["retriever", "slots", "sentiment", "rewriter"])
def test_every_task_of_the_encoder_can_be_searched(shop: Path, task: str) -> None:
    texts = [(frame.format(thing), name) for name, frame in FRAMES.items() for thing in THINGS]
    rows = [
        f"{things},{things} it is,{'##'.join(frame.format(things) for frame in FRAMES.values())}"
        for things in THINGS
    ]
    (shop / "faq.csv").write_text("\n".join(["question,answer,similar_questions", *rows, ""]))
    (shop / "sentiment.csv").write_text("text,label\n" + "".join(f"{text},{name}\n" for text, name in texts))
    tagged = [f"where O\nis O\nmy O\n{thing} B-thing\n\n" for thing in THINGS]
    (shop / "slots.txt").write_text("".join(tagged))
    follow_ups = [{"context": [text], "current": "it", "rewrite": f"it {text}"} for text, _ in texts]
    (shop / "rewriter.jsonl").write_text("\n".join(map(json.dumps, follow_ups)))
    files = {"slots": "slots.txt", "sentiment": "sentiment.csv", "rewriter": "rewriter.jsonl"}
    data = f'[data]\ntrain = "{files[task]}"\n' if task in files else ""
    (shop / "run.toml").write_text(f"{data}[model]\nfirst_layer = 1\n[train]\nepochs = 1\n")
    arguments = ["--config", str(shop / "run.toml"), "--space", str(shop / "search.toml"), "--trials", "1"]
    more = ["--faq", str(shop / "faq.csv")] if task == "retriever" else []

    found = json.loads(kefu(shop, "search", task, *arguments, *more, "--json"))

    assert [one["epochs"] for one in found["trials"]] == [1]
    assert f"kefu train {task}" in Path(found["best"]).read_text()
