"""Two processes that learn together end with what one would have learned from the same steps."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_bert import write_tiny_bert
from tiny_texts import FRAMES, TEN

CHILD = Path(__file__).with_name("learning_child.py")


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = [word for frame in FRAMES.values() for thing in TEN for word in frame.format(thing).split()]
    return write_tiny_bert(tmp_path_factory.mktemp("tiny"), words, layers=2)


def learn(folder: Path, bert: Path, *, processes: int, accumulate: int) -> dict[str, Any]:
    """The weights that such a run wrote."""
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(processes)}
    command = [sys.executable, str(CHILD), str(folder), str(bert), str(accumulate)]
    started = [
        subprocess.Popen(
            command,
            env={**os.environ, **place, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(processes)
    ]
    said = [process.communicate(timeout=240) for process in started]
    assert [process.returncode for process in started] == [0] * processes, said
    weights: dict[str, Any] = load_file(str(folder / "models" / "intent" / "a" / "adapter_model.safetensors"))
    return weights


def test_two_processes_learn_what_one_learns_from_twice_the_batches(bert: Path, tmp_path: Path) -> None:
    together = learn(tmp_path / "two", bert, processes=2, accumulate=1)
    alone = learn(tmp_path / "one", bert, processes=1, accumulate=2)

    assert together.keys() == alone.keys()
    assert all(torch.allclose(together[name], alone[name], atol=1e-5) for name in alone)
    assert any(weight.abs().max() > 1e-3 for name, weight in alone.items() if "lora_B" in name)
    assert not (tmp_path / "two" / "work" / "intent-a.safetensors").exists()
