"""A trained model as a folder that other programs serve: what it learned is merged into the weights it was trained from.

Dialogue models become transformers folders (transformers, vLLM, SGLang), retrievers sentence-transformers folders.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from chatbot.registry import base_of
from knowledge.encode.adapter import over
from knowledge.encode.folder import WEIGHTS, read_folder
from knowledge.encode.weights import Weights, inner_name
from knowledge.errors import ModelError
from knowledge.packaged.manifest import MANIFEST, being_built
from knowledge.types import Progress

_CARD = "README.md"
_PROMPTS = "config_sentence_transformers.json"
_OTHERS = (WEIGHTS, MANIFEST, _CARD, "*.bin", "*.onnx", "*.h5", "*.msgpack", "onnx", "openvino")
"""Files of an encoder that would say what it was before, or hold its weights in another format."""
TASKS = ("dialogue", "retriever")


def export_dialogue(learned: Path, base: Path, folder: Path, *, progress: Progress) -> None:
    """Write a transformers folder: safetensors in bfloat16, and the tokenizer.

    Args:
        learned: The trained model's folder.
        base: Transformers folder of the language model that it was trained from.
        folder: What is written.
        progress: Told what is being done.

    Raises:
        ModelError: The folder is not empty, or the model was trained from another language model.
    """
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if base_of(learned) not in ("", base.name):
        raise ModelError(
            f"{learned.name} was trained from {base_of(learned)}, and generation.model names {base.name}. Name the former."
        )
    with _whole(folder, learned) as fresh:
        progress("Merging what was learned", 0.0)
        tokenizer = AutoTokenizer.from_pretrained(str(base), local_files_only=True)
        network = AutoModelForCausalLM.from_pretrained(
            str(base),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by a name that goes in v6
            merged = PeftModel.from_pretrained(network, str(learned)).merge_and_unload()
        progress("Merging what was learned", 0.5)
        merged.to(torch.bfloat16).save_pretrained(str(fresh))
        tokenizer.save_pretrained(str(fresh))
        progress("Merging what was learned", 1.0)


def export_retriever(
    learned: Path, base: Path, folder: Path, *, prefixes: tuple[str, str], progress: Progress
) -> None:
    """Write a sentence-transformers folder: the encoder's own files, with the merged weights in float32.

    Args:
        learned: The trained model's folder.
        base: Folder of the encoder that it was trained from.
        folder: What is written.
        prefixes: Of queries and of passages; they become the prompts "query" and "passage".
        progress: Told what is being done.

    Raises:
        ModelError: The folder is not empty, or the model was trained from another encoder.
    """
    with _whole(folder, learned) as fresh:
        merged = over(Weights(base / WEIGHTS), learned, encoder=read_folder(base).digest)
        shutil.copytree(base, fresh, ignore=shutil.ignore_patterns(*_OTHERS), dirs_exist_ok=True)
        described = base / _PROMPTS
        about = json.loads(described.read_text("utf-8")) if described.is_file() else {}
        about["prompts"] = dict(zip(("query", "passage"), prefixes, strict=True))
        (fresh / _PROMPTS).write_text(json.dumps(about, indent=2) + "\n", "utf-8")
        tensors = load_file(str(base / WEIGHTS))
        for place, (name, tensor) in enumerate(tensors.items(), 1):
            if tensor.is_floating_point():  # not the places that older BERTs count in
                tensors[name] = torch.from_numpy(merged.tensor(inner_name(name)).copy())
            progress("Merging what was learned", place / len(tensors))
        save_file(tensors, str(fresh / WEIGHTS), {"format": "pt"})


@contextmanager
def _whole(folder: Path, learned: Path) -> Iterator[Path]:
    """A folder that is there under its name once it is whole, with the model's card."""
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder} is there already. Name an empty or a new folder.")
    try:
        with being_built(folder) as fresh:
            yield fresh
            if (learned / _CARD).is_file():
                shutil.copy(learned / _CARD, fresh)
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{learned.name} could not be written to {folder} ({error}). See whether the folder can be written to, and whether "
            "kefu.toml names the model that it was trained from."
        ) from error
