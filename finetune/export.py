"""A trained model as a folder that other programs serve: what it learned is merged into the weights it was trained from.

Dialogue models become transformers folders (transformers, vLLM, SGLang), retrievers sentence-transformers folders.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from knowledge.encode.adapter import over
from knowledge.encode.folder import WEIGHTS, read_folder
from knowledge.encode.weights import Weights, inner_name
from knowledge.errors import ModelError
from knowledge.packaged.manifest import MANIFEST
from knowledge.types import Progress

_CARD = "README.md"
TASKS = ("dialogue", "retriever")


def export_dialogue(learned: Path, base: Path, folder: Path, *, progress: Progress) -> None:
    """Write a transformers folder: safetensors in bfloat16, and the tokenizer.

    Args:
        learned: The trained model's folder.
        base: Transformers folder of the language model that it was trained from.
        folder: What is written.
        progress: Told what is being done.

    Raises:
        ModelError: The folder is not empty, or what was learned does not fit the language model.
    """
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with _whole(folder, learned) as fresh:
        progress("Merging what was learned", 0.0)
        network = AutoModelForCausalLM.from_pretrained(str(base), local_files_only=True, dtype=torch.float32)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", FutureWarning
                )  # peft asks transformers by a name that goes in v6
                merged = PeftModel.from_pretrained(network, str(learned)).merge_and_unload()
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"{learned.name} does not fit the language model {base.name} ({error}). Name the one that it was trained "
                "from in generation.model."
            ) from error
        progress("Merging what was learned", 0.5)
        merged.to(torch.bfloat16).save_pretrained(str(fresh))
        AutoTokenizer.from_pretrained(str(base), local_files_only=True).save_pretrained(str(fresh))
        progress("Merging what was learned", 1.0)


def export_retriever(learned: Path, base: Path, folder: Path, *, progress: Progress) -> None:
    """Write a sentence-transformers folder: the encoder's own files, with the merged weights in float32.

    Args:
        learned: The trained model's folder.
        base: Folder of the encoder that it was trained from.
        folder: What is written.
        progress: Told what is being done.

    Raises:
        ModelError: The folder is not empty, or the model was trained from another encoder.
    """
    with _whole(folder, learned) as fresh:
        merged = over(Weights(base / WEIGHTS), learned, encoder=read_folder(base).digest)
        shutil.copytree(
            base, fresh, ignore=shutil.ignore_patterns(WEIGHTS, MANIFEST, _CARD), dirs_exist_ok=True
        )
        names = list(load_file(str(base / WEIGHTS)))
        tensors = {}
        for place, name in enumerate(names):
            tensors[name] = torch.from_numpy(merged.tensor(inner_name(name)).copy())
            progress("Merging what was learned", (place + 1) / len(names))
        save_file(tensors, str(fresh / WEIGHTS), {"format": "pt"})


@contextmanager
def _whole(folder: Path, learned: Path) -> Iterator[Path]:
    """A folder that is there under its name once it is whole, with the model's card."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder} is there already. Name an empty or a new folder.")
    fresh = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        yield fresh
        if (learned / _CARD).is_file():
            shutil.copy(learned / _CARD, fresh)
        fresh.replace(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
