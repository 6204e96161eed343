"""A causal language model as something that learns: frozen, with LoRA over its upper layers.

Messages that are answered from the same passages are read together: the passages once, and behind them each
message with its answer, which sees the passages and itself but none of the others. The gradients are those of
reading them one by one; the tokens are a third.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from knowledge.errors import ModelError

_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
WEIGHTS = "adapter_model.safetensors"
_PREFIX = "base_model.model."


@dataclass(frozen=True, slots=True)
class Pack:
    """Tokens of a shared beginning and of several ends, one after the other."""

    ids: Tensor
    """int64, shape (tokens,)."""
    positions: Tensor
    """As if each end stood alone behind the beginning."""
    owners: Tensor
    """0 for the beginning, then 1, 2 ... for each end."""
    weights: Tensor
    """float32: what a wrong prediction of this token costs; 0 where nothing is asked."""

    @property
    def weight(self) -> float:
        """Of all tokens that are learned."""
        return float(self.weights.sum())


class LearningDecoder(nn.Module):  # type: ignore[misc]  # torch is Any to the type checker
    """A causal language model of which the layers from `first` on carry LoRA.

    Args:
        folder: A transformers folder with safetensors and a fast tokenizer.
        first: The first layer that learns; those below stay as they are.
        rank: Of the LoRA matrices.
        dropout: Of the LoRA inputs.

    Raises:
        ModelError: No folder of that kind, or of an architecture whose layers have other names.
    """

    def __init__(self, folder: Path, *, first: int, rank: int, dropout: float = 0.0) -> None:
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
        self._kinds = set(getattr(network.config, "layer_types", None) or ())

    def tokens(self, text: str, *, begin: bool = False) -> list[int]:
        """Token ids of a text, after the token that begins a text where asked."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return [self.tokenizer.bos_token_id, *ids] if begin else ids

    def loss(self, pack: Pack) -> Tensor:
        """Summed weighted cross-entropy of what is learned in a pack."""
        asked = pack.weights.nonzero().squeeze(1)
        hidden = self._hidden(pack)[asked - 1]
        scores = self.network.lm_head(hidden)  # of these alone: the vocabulary is most of the model
        costs = nn.functional.cross_entropy(scores, pack.ids[asked], reduction="none")
        summed: Tensor = (costs * pack.weights[asked]).sum()
        return summed

    def likelihoods(self, pack: Pack) -> Tensor:
        """Log-likelihood of each end's answer, in nats, shape (ends,)."""
        asked = pack.weights.nonzero().squeeze(1)
        scores = self.network.lm_head(self._hidden(pack)[asked - 1]).log_softmax(dim=1)
        found = scores.gather(1, pack.ids[asked, None]).squeeze(1)
        owners = pack.owners[asked] - 1
        return torch.zeros(int(owners.max()) + 1).index_add(0, owners, found)

    def right(self, pack: Pack) -> list[list[bool]]:
        """For each end, which tokens of its answer are those that the network finds likeliest."""
        asked = pack.weights.nonzero().squeeze(1)
        found = self.network.lm_head(self._hidden(pack)[asked - 1]).argmax(dim=1) == pack.ids[asked]
        owners = pack.owners[asked]
        return [found[owners == owner].tolist() for owner in owners.unique().tolist()]

    def _hidden(self, pack: Pack) -> Tensor:
        owners = pack.owners
        seen = (owners[None, :] == 0) | (owners[None, :] == owners[:, None])
        seen &= torch.ones(len(owners), len(owners), dtype=torch.bool).tril()
        mask = torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)[None, None]
        masks = dict.fromkeys(self._kinds, mask) if self._kinds else mask
        out = self.network.model(
            input_ids=pack.ids[None], attention_mask=masks, position_ids=pack.positions[None], use_cache=False
        )
        hidden: Tensor = out.last_hidden_state[0]
        return hidden

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
        """Take the weights of an adapter that `save` wrote."""
        from peft import set_peft_model_state_dict

        saved = load_file(str(folder / WEIGHTS))
        set_peft_model_state_dict(
            self.network, {name.removeprefix(_PREFIX): weight for name, weight in saved.items()}
        )


def pack(
    beginning: Sequence[int], ends: Sequence[tuple[Sequence[int], Sequence[int], Sequence[float]]]
) -> Pack:
    """Put ends behind a beginning.

    Args:
        beginning: Token ids that all ends see.
        ends: For each: the tokens before its answer, those of the answer, and what each of these weighs.
    """
    ids, owners, weights = list(beginning), [0] * len(beginning), [0.0] * len(beginning)
    positions = list(range(len(beginning)))
    for number, (asked, answer, costs) in enumerate(ends, 1):
        ids += [*asked, *answer]
        owners += [number] * (len(asked) + len(answer))
        weights += [*([0.0] * len(asked)), *costs]
        positions += range(len(beginning), len(beginning) + len(asked) + len(answer))
    return Pack(torch.tensor(ids), torch.tensor(positions), torch.tensor(owners), torch.tensor(weights))
