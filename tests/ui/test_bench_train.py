"""`kefu bench train` compares three ways to learn the same thing."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from knowledge.packaged import ENCODER, require
from ui.bench import train
from ui.bench.client import BenchError
from ui.bench.train import WAYS, Task, bench_train


@pytest.mark.models
def test_every_way_learns_the_task_and_tells_what_it_took(
    models_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = require(models_cache, ENCODER)
    task = Task(str(folder), "query: ", texts=32, epochs=1, first_layer=11)

    losses = {}
    for way in WAYS:
        train.main(way, json.dumps(asdict(task)))
        figures = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert figures["texts_per_second"] > 0
        assert figures["memory_mb"] > 100
        losses[way] = figures["loss"]

    assert losses["loop"] == pytest.approx(losses["trainer"], rel=0.2)


def test_a_way_that_breaks_off_says_what_it_said_last(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="Fine-tuning with 'kefu' broke off: "):
        bench_train((tmp_path, ("", "")), texts=32, epochs=1, rounds=1, progress=lambda *_: None)
