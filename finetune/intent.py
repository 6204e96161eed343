"""Fine-tune the encoder to tell intents apart: the word embeddings stay, everything above them learns.

The result is one network from text to P(intent). It is judged together with the head over the frozen encoder:
the two err on different texts.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from knowledge.errors import ModelError
from knowledge.types import Matrix, Progress

Labels = npt.NDArray[np.int64]

_SCALE = 20.0
"""Cosine to logit: a text beside its intent's centre is sure of it."""
_TRIAL_STEPS = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast to learn."""

    epochs: int
    learning_rate: float = 1e-4
    batch_size: int = 32
    warm_up: float = 0.1
    """Share of the steps in which the rate rises."""
    label_smoothing: float = 0.1
    longest: int = 64
    """Tokens of a text; the rest is cut."""
    patience: int = 3
    """Epochs without a better held-out accuracy after which learning stops."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where the weights come from."""

    folder: Path
    """A sentence-transformers folder of a BERT-like encoder with mean pooling."""
    prefix: str
    """Put before each text, as the encoder expects of queries."""


def plan_for(examples: int) -> Plan:
    """Five epochs over many examples, more over few: about 700 steps at least, 15 epochs at most."""
    steps = max(1, math.ceil(examples / 32))
    return Plan(epochs=min(15, max(5, math.ceil(700 / steps))))


class IntentNetwork(nn.Module):  # type: ignore[misc]  # torch is Any to the type checker
    """Encoder, mean pooling, and one direction an intent; float32, or bfloat16 autocast where it is fast."""

    def __init__(self, start: Start, classes: int, *, longest: int) -> None:
        super().__init__()
        from tokenizers import Tokenizer
        from transformers import AutoModel

        try:
            self.body = AutoModel.from_pretrained(
                str(start.folder),
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
                add_pooling_layer=False,
            )
            self._tokenizer = Tokenizer.from_file(str(start.folder / "tokenizer.json"))
        except Exception as error:  # transformers raises many unrelated kinds for a wrong folder
            raise ModelError(
                f"The encoder {start.folder} cannot be trained ({type(error).__name__}: {str(error)[:120]}). "
                "Use --method head, or name a BERT-like folder in knowledge.encoder.model."
            ) from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(longest)
        self._prefix = start.prefix
        self.body.embeddings.word_embeddings.requires_grad_(requires_grad=False)
        hidden = self.body.config.hidden_size
        self.centres = nn.Parameter(torch.zeros(classes, hidden))
        # What all texts have in common; e5's cosines lie between .7 and .9 with it, around 0 without.
        self.register_buffer("common", torch.zeros(hidden))
        self.fast = _bfloat16_is_fast()

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text."""
        clean = [(self._prefix + text).encode("utf-8", "replace").decode("utf-8") for text in texts]
        return [encoded.ids for encoded in self._tokenizer.encode_batch(clean)]

    def vectors(self, tokens: Sequence[Sequence[int]]) -> Tensor:
        """Unit vectors, shape (texts, hidden)."""
        longest = max(map(len, tokens))
        ids = torch.zeros(len(tokens), longest, dtype=torch.long)
        mask = torch.zeros(len(tokens), longest)
        for row, text in enumerate(tokens):
            ids[row, : len(text)] = torch.tensor(text)
            mask[row, : len(text)] = 1.0
        with torch.autocast("cpu", torch.bfloat16, enabled=self.fast):
            states = self.body(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        pooled = (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
        return nn.functional.normalize(nn.functional.normalize(pooled, dim=1) - self.common, dim=1)

    def forward(self, tokens: Sequence[Sequence[int]]) -> Tensor:
        """Logits, shape (texts, classes)."""
        return _SCALE * self.vectors(tokens) @ nn.functional.normalize(self.centres, dim=1).T

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def probabilities(self, texts: Sequence[str]) -> Matrix:
        """P(intent), float32, shape (texts, classes)."""
        self.eval()
        tokens = self.tokens(texts)
        order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
        shares = np.zeros((len(tokens), len(self.centres)), np.float32)
        for start in range(0, len(order), 64):
            rows = order[start : start + 64]
            shares[rows] = self([tokens[row] for row in rows]).softmax(1).numpy()
        return shares


@dataclass(frozen=True, slots=True)
class Training:
    """Everything one run of learning needs."""

    network: IntentNetwork
    tokens: list[list[int]]
    labels: Labels
    plan: Plan
    seed: int

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return math.ceil(len(self.tokens) / self.plan.batch_size)


def prepare(texts: Sequence[str], labels: Labels, start: Start, *, plan: Plan, seed: int) -> Training:
    """Load the encoder and put each intent's direction at the centre of its examples."""
    torch.manual_seed(seed)
    network = IntentNetwork(start, int(labels.max()) + 1, longest=plan.longest)
    training = Training(network, network.tokens(texts), labels, plan, seed)
    network.eval()
    with torch.no_grad():
        parts = list(_batches(training, epoch=0))
        vectors = torch.cat([network.vectors([training.tokens[row] for row in rows]) for rows in parts])
        network.common.copy_(vectors.mean(0))
        centred = nn.functional.normalize(vectors - network.common, dim=1)
        network.centres.index_add_(0, torch.from_numpy(labels[np.concatenate(parts)]), centred)
    return training


def estimated_minutes(training: Training) -> float:
    """How long `train` would take on this machine now, from a few steps that change nothing.

    Also chooses the threads: on two shared cores a step took 1.4 s with one thread and 6-11 s with two, which
    wait for each other.
    """
    training.network.train()
    every = torch.get_num_threads()
    seconds = {}
    for threads in {1, every}:
        torch.set_num_threads(threads)
        seconds[threads] = _seconds_a_step(training)
    fastest = min(seconds, key=lambda threads: seconds[threads])
    torch.set_num_threads(fastest)
    return training.plan.epochs * training.steps * seconds[fastest] / 60


def _seconds_a_step(training: Training) -> float:
    times = []
    for rows, _ in zip(_batches(training, epoch=0), range(_TRIAL_STEPS), strict=False):
        begun = time.perf_counter()
        _loss(training, rows).backward()
        times.append(time.perf_counter() - begun)
    training.network.zero_grad(set_to_none=True)
    return float(np.median(times))


def train(
    training: Training, *, held_out: tuple[Sequence[str], Labels] | None, progress: Progress
) -> IntentNetwork:
    """Learn; the weights of the epoch that was best on the held-out texts stay.

    Source: AdamW, linear warm-up and decay, label smoothing .1, as in Devlin et al. (2019) but with the word
    embeddings frozen, which are 80 % of the weights (37 texts a second against 6).
    """
    network, plan = training.network, training.plan
    torch.manual_seed(training.seed)
    learned = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=plan.learning_rate, weight_decay=0.01)
    total = plan.epochs * training.steps
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step / total, plan.warm_up))
    best, best_state, waited, step = -1.0, None, 0, 0
    for epoch in range(plan.epochs):
        network.train()
        for rows in _batches(training, epoch=epoch):
            _loss(training, rows).backward()
            torch.nn.utils.clip_grad_norm_(learned, 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            progress("Fine-tuning the encoder", step / total)
        if held_out is None:
            continue
        right = float((network.probabilities(held_out[0]).argmax(axis=1) == held_out[1]).mean())
        progress(f"Epoch {epoch + 1}: {right:.2%} of the held-out texts are right", 1.0)
        waited = 0 if right > best else waited + 1
        if right > best:
            best, best_state = right, _learned_state(network)
        if waited >= plan.patience:
            break
    if best_state is not None:
        network.load_state_dict(best_state, strict=False)
    return network


def _loss(training: Training, rows: Labels) -> Tensor:
    logits = training.network([training.tokens[row] for row in rows])
    gold = torch.from_numpy(training.labels[rows])
    return nn.functional.cross_entropy(logits, gold, label_smoothing=training.plan.label_smoothing)


def _batches(training: Training, *, epoch: int) -> Iterator[Labels]:
    """Places of a batch's texts; texts of like length together, so that little is padded."""
    rng = np.random.default_rng((training.seed, epoch))
    lengths = np.array([len(text) for text in training.tokens]) + rng.normal(0, 2, len(training.tokens))
    order = np.argsort(lengths)
    parts = np.array_split(order, training.steps)
    for place in rng.permutation(len(parts)):
        yield parts[place]


def _rate(done: float, warm_up: float) -> float:
    return done / warm_up if done < warm_up else max(0.0, (1 - done) / (1 - warm_up))


def _learned_state(network: IntentNetwork) -> dict[str, Any]:
    return {
        name: weight.detach().clone() for name, weight in network.named_parameters() if weight.requires_grad
    }


def _bfloat16_is_fast() -> bool:
    """Only with AMX or AVX-512 BF16; elsewhere it is 100 times slower than float32."""
    tiles = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
    return bool(tiles or getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
