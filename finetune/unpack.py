"""The language model of the settings as a folder that can be trained: a GGUF file is turned back into weights once."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from chatbot.answer.models.gguf import require_generator
from chatbot.settings import BUNDLED, ChatModelSettings, LlamaCppModel, TransformersModel
from knowledge.errors import ModelError
from knowledge.types import Progress


def trainable(model: ChatModelSettings, *, cache: Path, progress: Progress) -> tuple[Path, str]:
    """A transformers folder of the model, and llama.cpp's name of its architecture ("" where unknown).

    Args:
        model: [generation.model] of the settings.
        cache: The models cache; what is unpacked stays there.
        progress: Told what is being done.

    Raises:
        ModelError: The model runs on a server, is missing, or transformers cannot read its GGUF file.
    """
    if isinstance(model, TransformersModel) and Path(model.model).is_dir():
        return Path(model.model), ""
    if not isinstance(model, LlamaCppModel):
        raise ModelError(
            f"A model of kind '{model.kind}' cannot be trained here. Name a GGUF file or a transformers folder in generation.model."
        )
    path = model.path or cache / BUNDLED
    architecture = require_generator(path).architecture
    folder = cache / "unpacked" / path.stem
    if not (folder / "config.json").is_file():
        _unpack(path, folder, progress=progress)
    return folder, architecture


def _unpack(path: Path, folder: Path, *, progress: Progress) -> None:
    """Weights in 16 bits: the 4-bit ones are exact in them but for rounding far below their own."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    progress(f"Unpacking {path.name} for training, a minute or two", 0.0)
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    place = {"gguf_file": path.name, "local_files_only": True}
    try:
        network = AutoModelForCausalLM.from_pretrained(str(path.parent), dtype=torch.float32, **place)
        progress(f"Unpacking {path.name} for training, a minute or two", 0.5)
        tokenizer = AutoTokenizer.from_pretrained(str(path.parent), **place)
    except (OSError, ValueError, KeyError, NotImplementedError) as error:
        raise ModelError(
            f'transformers cannot read {path} ({error}). Train from the model\'s transformers folder, with generation.model.kind = "transformers".'
        ) from error
    del network.config.quantization_config
    network.hf_quantizer = None  # what is written is no longer quantized
    network.to(torch.bfloat16).save_pretrained(str(fresh))
    tokenizer.save_pretrained(str(fresh))
    fresh.replace(folder)
    progress(f"Unpacked {path.name}", 1.0)
