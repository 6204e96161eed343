"""Read what a sentence-transformers folder says about itself, without loading it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from knowledge.errors import ModelError
from knowledge.packaged.manifest import MANIFEST, quick_state, read_manifest, sha256_of

WEIGHTS = "model.safetensors"

_FETCHED = ["*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "*.model"]
"""Files taken from a hub: never Python, never pickle."""

_BERT_KINDS = ("bert", "roberta", "xlm-roberta")


@dataclass(frozen=True, slots=True)
class BertConfig:
    """The network of a folder that `bert.py` can run."""

    hidden: int
    layers: int
    heads: int
    layer_norm_epsilon: float
    first_position: int
    """0 for BERT; RoBERTa counts positions from the padding id + 1."""
    longest: int
    """Most tokens of a text, `<s>` and `</s>` included."""
    pooling: Literal["mean", "cls"]


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A sentence-transformers folder."""

    path: Path
    digest: str
    """SHA-256 over the names and contents of everything that shapes a vector."""
    bert: BertConfig | None
    """None: another architecture, or modules beyond pooling and normalising."""


def find_folder(model: str) -> Path:
    """The folder itself, or the local copy of a hub name."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if folder.is_absolute() or model.startswith((".", "~")) or model.count("/") > 1:
        raise ModelError(
            f"There is no model folder {folder}. Name a sentence-transformers folder or a hub name in "
            "knowledge.encoder.model."
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, allow_patterns=_FETCHED))
    except Exception as error:  # the hub client raises many unrelated kinds
        raise ModelError(
            f"The model '{model}' is no folder here and could not be fetched from the hub "
            f'({type(error).__name__}). Name a folder in knowledge.encoder.model, or use kind = "bundled".'
        ) from error


def read_folder(folder: Path) -> ModelFolder:
    """Describe the folder.

    Raises:
        ModelError: It is no sentence-transformers folder, or has no safetensors weights.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{folder} is not a sentence-transformers folder: it has no config.json. "
            "Name the folder that holds config.json and model.safetensors."
        )
    if not any(folder.glob("*.safetensors")):
        raise ModelError(
            f"{folder} has no safetensors weights, and other formats are not loaded because they can run code. "
            "Save the model with save_pretrained(…, safe_serialization=True)."
        )
    return ModelFolder(folder, _digest(folder), _bert_config(folder))


def _digest(folder: Path) -> str:
    """Prepared and promoted models carry their hashes; of any other folder every byte is read."""
    known: Mapping[str, Mapping[str, object]] = {}
    if quick_state(folder) == "prepared":
        known = read_manifest(folder) or {}
    shaping = sorted(
        path.relative_to(folder).as_posix()
        for pattern in ("*.json", "*.safetensors", "*/*.json", "*/*.safetensors")
        for path in folder.glob(pattern)
        if path.name != MANIFEST
    )
    digest = hashlib.sha256()
    for name in shaping:
        content = known.get(name, {}).get("sha256") or sha256_of(folder / name)
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()


def _bert_config(folder: Path) -> BertConfig | None:
    config = read_json(folder / "config.json")
    pooling = _pooling(folder)
    plain = config.get("hidden_act", "gelu") == "gelu" and config.get(
        "position_embedding_type", "absolute"
    ) in ("absolute", None)
    whole = (folder / WEIGHTS).is_file() and (folder / "tokenizer.json").is_file()
    if config.get("model_type") not in _BERT_KINDS or pooling is None or not (plain and whole):
        return None
    first = 0 if config["model_type"] == "bert" else int(config.get("pad_token_id") or 0) + 1
    try:
        return BertConfig(
            hidden=int(config["hidden_size"]),
            layers=int(config["num_hidden_layers"]),
            heads=int(config["num_attention_heads"]),
            layer_norm_epsilon=float(config.get("layer_norm_eps", 1e-12)),
            first_position=first,
            longest=min(_longest(folder), int(config["max_position_embeddings"]) - first),
            pooling=pooling,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{folder / 'config.json'} does not describe a BERT model ({error!r}). Fetch the model again."
        ) from error


def _longest(folder: Path) -> int:
    """The shortest limit that the folder names; 512 tokens where it names none."""
    named = [
        read_json(folder / "sentence_bert_config.json").get("max_seq_length"),
        read_json(folder / "tokenizer_config.json").get("model_max_length"),
    ]
    # Some tokenizers write 1e30 for "no limit".
    return min([int(limit) for limit in named if isinstance(limit, int | float) and 0 < limit < 1e6] or [512])


def _pooling(folder: Path) -> Literal["mean", "cls"] | None:
    """None where the modules are more than transformer, mean or first-token pooling, and normalising."""
    modules = read_json(folder / "modules.json", default=[])
    kinds = [str(module.get("type", "")).rsplit(".", 1)[-1] for module in modules]
    if kinds[:2] != ["Transformer", "Pooling"] or kinds[2:] not in ([], ["Normalize"]):
        return None
    if read_json(folder / "sentence_bert_config.json").get("do_lower_case"):
        return None
    pooling = read_json(folder / modules[1].get("path", "1_Pooling") / "config.json")
    if "pooling_mode" in pooling:
        mode = pooling["pooling_mode"]
        return mode if mode in ("mean", "cls") else None
    modes = {key for key, value in pooling.items() if key.startswith("pooling_mode_") and value is True}
    if modes == {"pooling_mode_mean_tokens"}:
        return "mean"
    return "cls" if modes == {"pooling_mode_cls_token"} else None


def read_json(path: Path, *, default: Any = None) -> Any:
    """The content of a JSON file; `default` (or an empty table) where it does not exist."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {} if default is None else default
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({error}). Fetch the model again.") from error
