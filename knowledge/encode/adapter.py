"""What fine-tuning wrote over an encoder: a LoRA adapter of a few MB, merged into the weights when they are read, or
layers that take the place of its own.

The format of adapters is peft's: `adapter_config.json` and `adapter_model.safetensors`. Merging needs no peft and no
torch, and what is merged runs as fast as the encoder alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from knowledge.encode.folder import read_json
from knowledge.encode.weights import Stored, Tensors, Weights, as_float32
from knowledge.errors import ModelError
from knowledge.packaged.manifest import sha256_of
from knowledge.types import Matrix

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
LAYERS = "layers.safetensors"
"""Layers that learned themselves, without LoRA."""
TRAINED_FROM = "encoder"
"""In the metadata of what was learned: digest of the encoder that it was trained from."""
LAYERS_PREFIX = "body."
"""Before the names of their tensors."""
PREFIX = "base_model.model."
"""Peft puts it before the names of tensors."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """What is added to the weights of one encoder."""

    folder: Path
    digest: str
    """SHA-256 of its weights."""
    scale: float
    """lora_alpha / r."""

    def over(self, base: Tensors) -> AdaptedWeights:
        """The base's weights with this adapter merged into them."""
        return AdaptedWeights(base, Weights(self.folder / WEIGHTS), scale=self.scale)


def read_adapter(folder: Path) -> Adapter:
    """Describe an adapter.

    Raises:
        ModelError: It is missing, damaged, or of another kind than plain LoRA.
    """
    if not (folder / CONFIG).is_file() or not (folder / WEIGHTS).is_file():
        raise ModelError(
            f"{folder} is no adapter: it lacks {CONFIG} or {WEIGHTS}. "
            "Name a folder that 'kefu train retriever' wrote, or remove knowledge.encoder.adapter."
        )
    config = read_json(folder / CONFIG)
    plain = not (config.get("use_dora") or config.get("use_rslora") or config.get("fan_in_fan_out"))
    if config.get("peft_type") != "LORA" or config.get("bias", "none") != "none" or not plain:
        raise ModelError(
            f"The adapter {folder} is not plain LoRA. Train it with 'kefu train retriever', or merge it into "
            "its encoder and name that folder in knowledge.encoder.model."
        )
    scale = float(config["lora_alpha"]) / float(config["r"])
    return Adapter(folder, sha256_of(folder / WEIGHTS), scale)


class AdaptedWeights:
    """Weights of the base, plus scale * B @ A where the adapter has a pair (Hu et al., 2021)."""

    def __init__(self, base: Tensors, adapter: Weights, *, scale: float) -> None:
        self._base = base
        self._adapter = adapter
        self._scale = scale

    def __contains__(self, name: str) -> bool:
        return name in self._base

    def stored(self, name: str) -> Stored:
        """As the base has it; what the adapter changes is read by `tensor`."""
        return self._base.stored(name)

    def tensor(self, name: str) -> Matrix:
        """The whole tensor, float32, merged."""
        weight = self._base.tensor(name)
        part = PREFIX + name.removesuffix(".weight")
        if f"{part}.lora_A.weight" not in self._adapter:
            return weight
        down = as_float32(self._adapter.stored(f"{part}.lora_A.weight"))
        up = as_float32(self._adapter.stored(f"{part}.lora_B.weight"))
        if (up.shape[0], down.shape[1]) != weight.shape:
            raise ModelError(
                f"The adapter's '{name}' does not fit this encoder ({up.shape[0]} x {down.shape[1]} against "
                f"{weight.shape[0]} x {weight.shape[1]}). Use the encoder that the adapter was trained on."
            )
        merged: Matrix = weight + self._scale * (up @ down)
        return merged


class ReplacedWeights:
    """Weights of the base, but for the layers that learned themselves."""

    def __init__(self, base: Tensors, layers: Weights) -> None:
        self._base = base
        self._layers = layers

    def __contains__(self, name: str) -> bool:
        return name in self._base

    def stored(self, name: str) -> Stored:
        """As it is in the file that has it."""
        own = LAYERS_PREFIX + name
        return self._layers.stored(own) if own in self._layers else self._base.stored(name)

    def tensor(self, name: str) -> Matrix:
        """The whole tensor, float32."""
        return as_float32(self.stored(name))


def over(base: Tensors, learned: Path, *, encoder: str) -> Tensors:
    """The weights of an encoder with what a fine-tuned model's folder has for them.

    Args:
        base: Of the encoder.
        learned: The folder.
        encoder: Digest of the encoder.

    Raises:
        ModelError: It has nothing, is damaged, or was trained from another encoder.
    """
    replaces = (learned / LAYERS).is_file()
    adapter = None if replaces else read_adapter(learned)
    weights = Weights(learned / (LAYERS if replaces else WEIGHTS))
    if weights.metadata.get(TRAINED_FROM, encoder) != encoder:
        raise ModelError(
            f"The model {learned} was trained from another encoder than the one in knowledge.encoder. "
            "Name that encoder in kefu.toml, or train the model again."
        )
    return adapter.over(base) if adapter else ReplacedWeights(base, weights)
