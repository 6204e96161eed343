"""Speed and memory of fine-tuning: Kefu's loop beside a bare PyTorch loop and transformers' Trainer.

All three put the same LoRA over the same layers of the same encoder and learn the same texts in batches of the same
size, each in a process of its own, so that one's memory is not the other's. They take turns, and a round's
figures are compared with those of the same round.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ui.bench.client import BenchError
from ui.bench.knowledge import queries
from ui.bench.machine import describe_machine
from ui.terminal import Report

CLASSES = 50
_RANK, _LONGEST, _BATCH, _RATE = 16, 64, 16, 5e-4


@dataclass(frozen=True, slots=True)
class Task:
    """What is learned, the same for all."""

    folder: str
    """Of the encoder."""
    prefix: str
    """Before each text."""
    texts: int
    epochs: int
    first_layer: int
    """Layers below stay frozen."""


def bench_train(
    base: tuple[Path, tuple[str, str]], *, texts: int, epochs: int, rounds: int, progress: Report
) -> dict[str, Any]:
    """Fine-tune each way in turn, over the upper half of the layers and over all of them.

    Args:
        base: Folder of the encoder, and its prefixes of queries and passages.
        texts: To learn from, in each epoch.
        epochs: Passes over them.
        rounds: How often each way learns.
        progress: Told what is being done.

    Raises:
        BenchError: A way did not come to its end.
    """
    machine = describe_machine()
    folder, (prefix, _) = base
    figures: dict[str, Any] = {"texts": texts, "epochs": epochs, "batch": _BATCH, "rounds": rounds}
    done, planned = 0, 2 * rounds * len(WAYS)
    for name, first in (("upper_half", 6), ("all_layers", 0)):
        task = Task(str(folder), prefix, texts, epochs, first)
        seen: dict[str, list[Mapping[str, float]]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way in WAYS:
                progress(f"{way}, {name.replace('_', ' ')}", done / planned)
                seen[way].append(_in_a_process(way, task))
                done += 1
        figures[name] = _compared(seen)
    progress("Fine-tuning", 1.0)
    return {**figures, "machine": machine}


def _compared(seen: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """Medians of each way, and of Kefu's ratio to it in the same round."""
    out: dict[str, Any] = {}
    for way, rounds in seen.items():
        pairs = list(zip(seen["kefu"], rounds, strict=True))
        out[way] = {
            "texts_per_second": round(statistics.median(one["texts_per_second"] for one in rounds), 1),
            "memory_mb": round(statistics.median(one["memory_mb"] for one in rounds)),
            "loss": round(rounds[0]["loss"], 3),
            "kefu_is_faster": round(
                statistics.median(ours["texts_per_second"] / its["texts_per_second"] for ours, its in pairs),
                2,
            ),
        }
    return out


def _in_a_process(way: str, task: Task) -> Mapping[str, float]:
    command = [sys.executable, "-m", "ui.bench.train", way, json.dumps(asdict(task))]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - this very module
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["nothing was said"])[-1]
        msg = f"Fine-tuning with '{way}' broke off: {last}. Run '{' '.join(command[:4])} …' to see all of it."
        raise BenchError(msg)
    figures: Mapping[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return figures


def _kefu(task: Task, texts: Sequence[str], labels: Sequence[int]) -> float:
    import numpy as np

    from finetune.classifier import Labels, TaskPace, TaskTable, open_classifier, train
    from finetune.encoder import keep_memory
    from finetune.learning import NoCheckpoints
    from finetune.wordings import Text

    def quiet(_what: str, _done: float) -> None:
        """Nobody looks."""

    keep_memory()
    pace = TaskPace(epochs=task.epochs, learning_rate=_RATE, batch_size=_BATCH, label_smoothing=0.0)
    model = TaskTable(first_layer=task.first_layer, rank=_RANK, longest=_LONGEST)
    network = open_classifier((Path(task.folder), (task.prefix, task.prefix)), model, classes=CLASSES)
    owners = np.array(labels, np.int64)
    states = network.encoder.below([Text(text, 0) for text in texts], progress=quiet)
    network.start_from(network.encoder.vectors(states), owners)
    nothing: tuple[list[Any], Labels] = ([], np.empty(0, np.int64))
    learned = train(network, (states, owners), nothing, pace, checkpoints=NoCheckpoints(), progress=quiet)
    return learned.epochs[-1].loss


def _plain(task: Task) -> tuple[Any, Any]:
    """The encoder with LoRA and a linear head, as a quick-start writes it; and its tokenizer."""
    import torch
    from peft import LoraConfig, inject_adapter_in_model
    from torch import nn
    from transformers import AutoModel, AutoTokenizer

    from finetune.encoder import TARGETS

    class Plain(nn.Module):  # type: ignore[misc]  # torch is Any to the type checker
        """Mean pooling and one linear layer."""

        def __init__(self) -> None:
            super().__init__()
            self.body = AutoModel.from_pretrained(task.folder, dtype=torch.float32, add_pooling_layer=False)
            every = self.body.config.num_hidden_layers
            layers = list(range(min(task.first_layer, every - 1), every))
            config = LoraConfig(
                r=_RANK, lora_alpha=2 * _RANK, target_modules=TARGETS, layers_to_transform=layers
            )
            inject_adapter_in_model(config, self.body)
            self.head = nn.Linear(self.body.config.hidden_size, CLASSES)

        def forward(self, input_ids: Any, attention_mask: Any, labels: Any, **_: Any) -> Mapping[str, Any]:
            state = self.body(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            weight = attention_mask[:, :, None].float()
            logits = self.head((state * weight).sum(1) / weight.sum(1))
            return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}

    return Plain(), AutoTokenizer.from_pretrained(task.folder)


def _rows(task: Task, tokenizer: Any, texts: Sequence[str], labels: Sequence[int]) -> list[dict[str, Any]]:
    read = tokenizer([task.prefix + text for text in texts], truncation=True, max_length=_LONGEST)
    keys = ("input_ids", "attention_mask")
    return [
        {**{key: read[key][place] for key in keys}, "labels": label} for place, label in enumerate(labels)
    ]


def _loop(task: Task, texts: Sequence[str], labels: Sequence[int]) -> float:
    import torch
    from transformers import DataCollatorWithPadding

    network, tokenizer = _plain(task)
    rows = _rows(task, tokenizer, texts, labels)
    learned = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=_RATE, weight_decay=0.01)
    loader = torch.utils.data.DataLoader(
        rows, batch_size=_BATCH, shuffle=True, collate_fn=DataCollatorWithPadding(tokenizer)
    )
    network.train()
    losses: list[float] = []
    for _ in range(task.epochs):
        losses = []
        for batch in loader:
            loss = network(**batch)["loss"]
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learned, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.item())
    return statistics.fmean(losses)


def _trainer(task: Task, texts: Sequence[str], labels: Sequence[int]) -> float:
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

    network, tokenizer = _plain(task)
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=_BATCH,
            num_train_epochs=task.epochs,
            learning_rate=_RATE,
            report_to="none",
            dataloader_pin_memory=False,  # there may be no graphics card to pin it for
            save_strategy="no",
            logging_strategy="epoch",
            disable_tqdm=True,
        )
        trainer = Trainer(
            model=network,
            args=settings,
            train_dataset=_rows(task, tokenizer, texts, labels),
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        trainer.train()
        told = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    return float(told[-1])


WAYS: Mapping[str, Callable[[Task, Sequence[str], Sequence[int]], float]] = {
    "kefu": _kefu,
    "loop": _loop,
    "trainer": _trainer,
}


def main(way: str, given: str) -> None:
    """Learn one way, and print what it took.

    The clock runs from the loading of the model on: what Kefu computes beforehand is part of its work.
    """
    import torch

    torch.manual_seed(0)
    task = Task(**json.loads(given))
    texts = list(queries(task.texts))
    labels = [place % CLASSES for place in range(len(texts))]
    begun = time.perf_counter()
    loss = WAYS[way](task, texts, labels)
    seconds = time.perf_counter() - begun
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {
        "texts_per_second": task.texts * task.epochs / seconds,
        "memory_mb": kib / (2**20 if sys.platform == "darwin" else 2**10),
        "loss": loss,
    }
    print(json.dumps(figures), flush=True)  # noqa: T201 - read by the process that started this one


if __name__ == "__main__":
    main(*sys.argv[1:])
