"""The encoder as something that learns: frozen below, above with LoRA or as it is.

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
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from chatbot.understand.edits import Layout, UnitTokens, lay_out
from finetune.wordings import Text
from knowledge.encode.adapter import LAYERS, PREFIX, TRAINED_FROM, WEIGHTS
from knowledge.encode.folder import read_folder
from knowledge.errors import ModelError
from knowledge.types import Matrix, Progress

TARGETS = ["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"]
"""What LoRA stands over in each layer."""
_CHUNK = 32
_TOGETHER = 16
_CHARACTERS_A_TOKEN = 32


class LearningEncoder(nn.Module):  # type: ignore[misc]  # torch is Any to the type checker
    """A BERT-like encoder with mean pooling, of which the layers from `first` on learn.

    Args:
        folder: A sentence-transformers folder.
        prefixes: Of queries and of passages.
        first: The first layer that learns; those below stay as they are.
        rank: Of the LoRA matrices; 0 for none: the layers themselves learn.
        longest: Tokens of a text; the rest is cut.
        dropout: Of the LoRA inputs, or inside of the layers that learn themselves.
        fast: In bfloat16 where torch has it for this processor; the weights stay float32.

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
        fast: bool = False,
    ) -> None:
        super().__init__()
        from tokenizers import Tokenizer
        from transformers import AutoModel

        found = read_folder(folder)
        described = found.bert
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
            hidden_dropout_prob=0.0 if rank else dropout,  # the LoRA inputs have a dropout of their own
            attention_probs_dropout_prob=0.0 if rank else dropout,
        )
        self.first = min(first, described.layers - 1)
        self.config = self._adapted(body, rank=rank, dropout=dropout) if rank else None
        self.body: Any = body
        self._layers = self.body.encoder.layer
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(longest)
        self._units = UnitTokens(self._tokenizer, prefixes[0])
        self._prefixes = prefixes
        self._longest = longest
        self._about = {"format": "pt", TRAINED_FROM: found.digest}
        self._fast = fast and bfloat16_is_fast()
        if not rank:
            body.requires_grad_(requires_grad=False)
            self._layers[self.first :].requires_grad_(requires_grad=True)

    def _adapted(self, body: Any, *, rank: int, dropout: float) -> Any:
        """Put LoRA over the upper layers of the body, and freeze everything else."""
        from peft import LoraConfig, inject_adapter_in_model

        config = LoraConfig(
            r=rank,
            lora_alpha=2 * rank,
            lora_dropout=dropout,
            target_modules=TARGETS,
            layers_to_transform=list(range(self.first, len(body.encoder.layer))),
        )
        inject_adapter_in_model(config, body)
        return config

    @property
    def prefix_length(self) -> int:
        """Characters that stand before a query."""
        return len(self._prefixes[0])

    @property
    def width(self) -> int:
        """Of a vector."""
        return int(self._layers[0].output.dense.out_features)

    def below(self, texts: Sequence[Text], *, progress: Progress) -> list[Tensor]:
        """What the frozen layers give for each text: float16, shape (tokens, hidden).

        16-bit halves keep cosines to 1e-4 and 10,000 messages in 120 MB.
        """
        pieces = self.pieces([text.text for text in texts], [text.stored for text in texts])
        states: list[Tensor] = self.frozen([piece.ids for piece in pieces], progress=progress)
        return states

    def pieces(self, texts: Sequence[str], stored: Sequence[bool]) -> list[Any]:
        """Tokens of each text behind its prefix, as tokenizers.Encoding: ids, and offsets with the prefix."""
        cut = self._longest * _CHARACTERS_A_TOKEN
        prefixed = [
            (self._prefixes[kind] + text[:cut]).encode("utf-8", "replace").decode("utf-8")
            for text, kind in zip(texts, stored, strict=True)
        ]
        pieces: list[Any] = self._tokenizer.encode_batch(prefixed)
        return pieces

    def lay_out(self, utterances: Sequence[str]) -> Layout | None:
        """A conversation in tokens, a Chinese character each; see `chatbot.understand.edits.lay_out`."""
        return lay_out(utterances, self._units, longest=self._longest)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def frozen(self, tokens: Sequence[Sequence[int]], *, progress: Progress) -> list[Tensor]:
        """What the frozen layers give for the tokens of each text: float16, shape (tokens, hidden)."""
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
        weight = _seen([len(state) for state in states]).float()[:, :, None]
        return nn.functional.normalize((self.above(states) * weight).sum(1) / weight.sum(1), dim=1)

    def above(self, states: Sequence[Tensor]) -> Tensor:
        """What the upper layers make of `frozen` states, float32, shape (texts, longest, hidden)."""
        seen = _seen([len(state) for state in states])
        state = nn.utils.rnn.pad_sequence([state.float() for state in states], batch_first=True)
        with torch.autocast(state.device.type, torch.bfloat16, enabled=self._fast):
            for layer in self._layers[self.first :]:
                state = _through(layer, state, seen)
        return state.float()

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def vectors(self, states: Sequence[Tensor]) -> Matrix:
        """Unit vectors, float32, shape (texts, hidden); without dropout."""
        self.eval()
        order = sorted(range(len(states)), key=lambda row: len(states[row]))
        out = np.empty((len(states), self.width), np.float32)
        for start in range(0, len(order), _CHUNK):
            rows = order[start : start + _CHUNK]
            out[rows] = self([states[row] for row in rows]).cpu().numpy()
        return out

    def learned(self) -> list[nn.Parameter]:
        """What learns: the LoRA matrices, or the upper layers."""
        return [weight for weight in self.parameters() if weight.requires_grad]

    def save(self, folder: Path) -> None:
        """Write what learned: a few MB in peft's format, or the upper layers."""
        if self.config is None:
            tensors = {name: weight for name, weight in self.named_parameters() if weight.requires_grad}
            save_file(tensors, str(folder / LAYERS), self._about)
            return
        from peft import get_peft_model_state_dict

        learned = get_peft_model_state_dict(self.body)
        save_file(
            {f"{PREFIX}{name}": weight.contiguous() for name, weight in learned.items()},
            str(folder / WEIGHTS),
            self._about,
        )
        self.config.save_pretrained(str(folder))

    def load(self, folder: Path) -> None:
        """Take what `save` wrote for an encoder of the same settings."""
        if self.config is None:
            self.load_state_dict(load_file(str(folder / LAYERS)), strict=False)
            return
        from peft import set_peft_model_state_dict

        stored = load_file(str(folder / WEIGHTS))
        set_peft_model_state_dict(
            self.body, {name.removeprefix(PREFIX): weight for name, weight in stored.items()}
        )


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


def bfloat16_is_fast() -> bool:
    """On graphics cards that have it, and with AMX or AVX-512 BF16; elsewhere it is 100 times slower than float32."""
    if torch.get_default_device().type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    tiles = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
    return bool(tiles or getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())


def _seen(lengths: Sequence[int]) -> Tensor:
    """True where there is a token, shape (texts, longest)."""
    return torch.arange(max(lengths))[None, :] < torch.tensor(lengths)[:, None]


def _through(layer: Any, state: Tensor, seen: Tensor) -> Tensor:
    out = layer(state, seen[:, None, None, :])
    result: Tensor = out[0] if isinstance(out, tuple) else out
    return result
