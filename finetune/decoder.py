"""A causal language model as something that learns: frozen, with LoRA over its upper layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from finetune.encoder import bfloat16_is_fast
from knowledge.errors import ModelError

_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
WEIGHTS = "adapter_model.safetensors"
_PREFIX = "base_model.model."


@dataclass(frozen=True, slots=True)
class Rows:
    """Prompts with their answers, one a row, filled up on the right: what is on the right of a token is not seen by it."""

    ids: Tensor
    """int64, shape (rows, tokens)."""
    weights: Tensor
    """float32, the same shape: what a wrong prediction of this token costs; 0 where nothing is asked."""

    @property
    def weight(self) -> float:
        """Of all tokens that are learned."""
        return float(self.weights.sum())


class LearningDecoder(nn.Module):  # type: ignore[misc]  # torch is Any to the type checker
    """A causal language model of which the layers from `first` on carry LoRA, in float32.

    What stays as it is computes in bfloat16 where the processor is fast at that: the default model's weights are exact
    in it.

    Args:
        folder: A transformers folder with safetensors and a fast tokenizer.
        first: The first layer that learns; those below stay as they are.
        rank: Of the LoRA matrices.
        dropout: Of the LoRA inputs.
        checkpointing: Compute what layers keep for the gradient again when it is needed (Chen et al., 2016).

    Raises:
        ModelError: No folder of that kind, or of an architecture whose layers have other names.
    """

    def __init__(
        self, folder: Path, *, first: int, rank: int, dropout: float = 0.0, checkpointing: bool = False
    ) -> None:
        super().__init__()
        from peft import LoraConfig, inject_adapter_in_model
        from transformers import AutoModelForCausalLM, AutoTokenizer

        try:
            network = AutoModelForCausalLM.from_pretrained(
                str(folder),
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
            )
            self.tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        except (OSError, ValueError) as error:
            raise ModelError(
                f"The language model {folder} cannot be loaded ({error}). Name a transformers folder with safetensors."
            ) from error
        layers = int(network.config.num_hidden_layers)
        self.config = LoraConfig(
            r=rank,
            lora_alpha=2 * rank,
            lora_dropout=dropout,
            target_modules=_TARGETS,
            layers_to_transform=list(range(min(first, layers - 1), layers)),
            task_type="CAUSAL_LM",
        )
        self.network: Any = inject_adapter_in_model(self.config, network)
        if checkpointing:
            self.network.activation_checkpointing_enable({"use_reentrant": False})
        self._fast = bfloat16_is_fast()
        if self._fast:
            for weight in self.network.parameters():
                weight.data = weight.data if weight.requires_grad else weight.data.to(torch.bfloat16)

    def tokens(self, text: str, *, begin: bool = False) -> list[int]:
        """Token ids of a text, after the token that begins a text where asked."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return [self.tokenizer.bos_token_id, *ids] if begin else ids

    def loss(self, rows: Rows) -> Tensor:
        """Summed weighted cross-entropy of what is learned in them."""
        scores, asked = self._scores(rows)
        costs = nn.functional.cross_entropy(scores, rows.ids[asked], reduction="none")
        summed: Tensor = (costs * rows.weights[asked]).sum()
        return summed

    def likelihoods(self, rows: Rows) -> Tensor:
        """Log-likelihood of each row's answer, in nats, shape (rows,)."""
        scores, asked = self._scores(rows)
        found = scores.log_softmax(dim=1).gather(1, rows.ids[asked][:, None]).squeeze(1)
        return torch.zeros(len(rows.ids)).index_add(0, asked[0], found)

    def right(self, rows: Rows) -> list[list[bool]]:
        """For each row, which tokens of its answer are those that the network finds likeliest."""
        scores, asked = self._scores(rows)
        found = scores.argmax(dim=1) == rows.ids[asked]
        return [found[asked[0] == row].tolist() for row in range(len(rows.ids))]

    def _scores(self, rows: Rows) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Of the vocabulary, float32, for each token that is asked; and where these stand.

        Of these alone: the vocabulary is most of the model.
        """
        asked = rows.weights.nonzero(as_tuple=True)
        with torch.autocast(rows.ids.device.type, torch.bfloat16, enabled=self._fast):
            out = self.network.model(input_ids=rows.ids, use_cache=False)
            scores = self.network.lm_head(out.last_hidden_state[asked[0], asked[1] - 1])
        return scores.float(), asked

    def learned(self) -> dict[str, nn.Parameter]:
        """The LoRA matrices by name."""
        return {name: weight for name, weight in self.named_parameters() if weight.requires_grad}

    def save(self, folder: Path) -> None:
        """Write the adapter in peft's format."""
        from peft import get_peft_model_state_dict

        learned = get_peft_model_state_dict(self.network)
        save_file(
            {f"{_PREFIX}{name}": weight.contiguous() for name, weight in learned.items()},
            str(folder / WEIGHTS),
            {"format": "pt"},
        )
        self.config.save_pretrained(str(folder))

    def load(self, folder: Path) -> None:
        """Take the weights of an adapter that `save` wrote.

        Raises:
            ModelError: It learned in other layers, or with another rank: part of it would be lost.
        """
        from peft import LoraConfig, get_peft_model_state_dict, set_peft_model_state_dict

        saved = {
            name.removeprefix(_PREFIX): weight for name, weight in load_file(str(folder / WEIGHTS)).items()
        }
        own = get_peft_model_state_dict(self.network)
        if {name: weight.shape for name, weight in saved.items()} != {
            name: weight.shape for name, weight in own.items()
        }:
            was = LoraConfig.from_pretrained(str(folder))
            raise ModelError(
                f"{folder.name} learned with first_layer = {min(was.layers_to_transform)} and rank = {was.r}, and part of that "
                "would be lost. Write the same under [model] of the run.toml, and name the language model that it was "
                "trained from in generation.model."
            )
        set_peft_model_state_dict(self.network, saved)


def rows(asked: Sequence[tuple[Sequence[int], Sequence[int], Sequence[float]]]) -> Rows:
    """Put prompts and answers into rows.

    Args:
        asked: For each: the tokens before its answer, those of the answer, and what each of these weighs.
    """
    longest = max(len(prompt) + len(answer) for prompt, answer, _ in asked)
    ids, weights = torch.zeros(len(asked), longest, dtype=torch.int64), torch.zeros(len(asked), longest)
    for row, (prompt, answer, costs) in enumerate(asked):
        end = len(prompt) + len(answer)
        ids[row, :end] = torch.tensor([*prompt, *answer])
        weights[row, len(prompt) : end] = torch.tensor(costs)
    return Rows(ids, weights)
