"""One of the processes that learn together: FOLDER BERT ACCUMULATE, and the environment that torchrun makes."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from tiny_texts import FRAMES, TEN

from chatbot.registry import Registry
from finetune.classifier import TaskPace, TaskTable
from finetune.examples import Example, split
from finetune.intent import IntentRun, train_intent
from finetune.processes import is_first, joined
from finetune.run import Making

torch.set_num_threads(1)
folder, bert, accumulate = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
texts = [Example(frame.format(thing), name) for name, frame in FRAMES.items() for thing in TEN]
parts = split(texts, data={}, text=lambda one: one.text, label=lambda one: one.label, seed=0)
pace = TaskPace(epochs=2, learning_rate=1e-2, batch_size=4, accumulate=accumulate)
run = IntentRun(model=TaskTable(first_layer=0, rank=4), train=pace)
with joined():
    place = folder if is_first() else folder / "helper"
    making = Making(Registry(place / "models"), "a", folder / "work", lambda *_: None)
    train_intent(parts, run, base=(bert, ("", "")), making=making)
