"""The encoder as something that learns: frozen, with LoRA over its upper layers.

What the layers below give for a text never changes, so it is computed once and kept: half of the work of each
step, and all of its waiting for the large word embeddings, falls away.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from finetune.wordings import Text
from knowledge.encode.adapter import PREFIX, WEIGHTS
from knowledge.encode.folder import read_folder
from knowledge.errors import ModelError
from knowledge.types import Matrix, Progress

_TARGETS = ["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"]
_CHUNK = 32
_TOGETHER = 16
_CHARACTERS_A_TOKEN = 32


class LearningEncoder(nn.Module):  # type: ignore[misc]  # torch is Any to the type checker
    """A BERT-like encoder with mean pooling, of which the layers from `first` on carry LoRA.

    Args:
        folder: A sentence-transformers folder.
        prefixes: Of queries and of passages.
        first: The first layer that learns; those below stay as they are.
        rank: Of the LoRA matrices.
        longest: Tokens of a text; the rest is cut.
        dropout: Of the LoRA inputs.

    Raises:
        ModelError: No BERT-like folder.
    """

    def __init__(
        self,
        folder: Path,
        prefixes: tuple[str, str],
        *,
        first: int,
        rank: int,
        longest: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        from peft import LoraConfig, inject_adapter_in_model
        from tokenizers import Tokenizer
        from transformers import AutoModel

        described = read_folder(folder).bert
        if described is None or described.pooling != "mean":
            raise ModelError(
                f"The encoder {folder} cannot be trained: only BERT-like folders with mean pooling can. "
                "Name such a folder in knowledge.encoder.model."
            )
        body = AutoModel.from_pretrained(
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            add_pooling_layer=False,
            hidden_dropout_prob=0.0,  # the LoRA inputs have a dropout of their own
            attention_probs_dropout_prob=0.0,
        )
        self.first = min(first, described.layers - 1)
        self.config = LoraConfig(
            r=rank,
            lora_alpha=2 * rank,
            lora_dropout=dropout,
            target_modules=_TARGETS,
            layers_to_transform=list(range(self.first, described.layers)),
        )
        self.body: Any = inject_adapter_in_model(self.config, body)
        self._layers = self.body.encoder.layer
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(longest)
        self._prefixes = prefixes
        self._longest = longest

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def below(self, texts: Sequence[Text], *, progress: Progress) -> list[Tensor]:
        """What the frozen layers give for each text: float16, shape (tokens, hidden).

        16-bit halves keep cosines to 1e-4 and 10,000 messages in 120 MB.
        """
        cut = self._longest * _CHARACTERS_A_TOKEN
        prefixed = [
            (self._prefixes[text.stored] + text.text[:cut]).encode("utf-8", "replace").decode("utf-8")
            for text in texts
        ]
        tokens = [encoded.ids for encoded in self._tokenizer.encode_batch(prefixed)]
        order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
        states: list[Any] = [None] * len(tokens)
        self.body.eval()
        embeddings = self.body.embeddings
        for start in range(0, len(order), _CHUNK):
            rows = order[start : start + _CHUNK]
            ids = nn.utils.rnn.pad_sequence([torch.tensor(tokens[row]) for row in rows], batch_first=True)
            seen = _seen([len(tokens[row]) for row in rows])
            state = embeddings(input_ids=ids)
            for layer in self._layers[: self.first]:
                state = _through(layer, state, seen)
            for place, row in enumerate(rows):
                states[row] = state[place, : len(tokens[row])].half()
            progress("Reading the texts", (start + len(rows)) / len(order))
        return states

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        """Unit vectors of texts that `below` has seen, shape (texts, hidden).

        Texts of like length go through together, so that little is padded: a third of the time of one block.
        """
        order = sorted(range(len(states)), key=lambda row: len(states[row]))
        parts = [order[start : start + _TOGETHER] for start in range(0, len(order), _TOGETHER)]
        vectors = torch.cat([self._pooled([states[row] for row in rows]) for rows in parts])
        return vectors[torch.tensor(order).argsort()]

    def _pooled(self, states: Sequence[Tensor]) -> Tensor:
        lengths = [len(state) for state in states]
        seen = _seen(lengths)
        state = nn.utils.rnn.pad_sequence([state.float() for state in states], batch_first=True)
        for layer in self._layers[self.first :]:
            state = _through(layer, state, seen)
        weight = seen.float()[:, :, None]
        return nn.functional.normalize((state * weight).sum(1) / weight.sum(1), dim=1)

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def vectors(self, states: Sequence[Tensor]) -> Matrix:
        """Unit vectors, float32, shape (texts, hidden); without dropout."""
        self.eval()
        order = sorted(range(len(states)), key=lambda row: len(states[row]))
        out = np.empty((len(states), self._layers[0].output.dense.out_features), np.float32)
        for start in range(0, len(order), _CHUNK):
            rows = order[start : start + _CHUNK]
            out[rows] = self([states[row] for row in rows]).numpy()
        return out

    def learned(self) -> list[nn.Parameter]:
        """The LoRA matrices."""
        return [weight for weight in self.parameters() if weight.requires_grad]

    def save(self, folder: Path) -> None:
        """Write the adapter: a few MB, in peft's format."""
        from peft import get_peft_model_state_dict

        learned = get_peft_model_state_dict(self.body)
        save_file(
            {f"{PREFIX}{name}": weight.contiguous() for name, weight in learned.items()},
            str(folder / WEIGHTS),
            {"format": "pt"},
        )
        self.config.save_pretrained(str(folder))


def keep_memory() -> None:
    """Let glibc keep freed memory instead of giving it back after each step.

    Measured (2 cores, virtual machine): a step on 64 messages took 8-14 s, most of it in page faults, and 3.2 s
    after this. Other C libraries do without.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    for parameter, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 256 << 20)):
        mallopt(parameter, value)


_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


def _seen(lengths: Sequence[int]) -> Tensor:
    """True where there is a token, shape (texts, longest)."""
    return torch.arange(max(lengths))[None, :] < torch.tensor(lengths)[:, None]


def _through(layer: Any, state: Tensor, seen: Tensor) -> Tensor:
    out = layer(state, seen[:, None, None, :])
    result: Tensor = out[0] if isinstance(out, tuple) else out
    return result
