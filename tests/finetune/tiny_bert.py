"""A sentence-transformers folder of a BERT that is narrow enough for tests, with random weights."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel


def write_tiny_bert(folder: Path, words: Iterable[str], *, layers: int = 3) -> Path:
    """Three layers, 32 wide, each word a token."""
    vocabulary = ["[UNK]", *sorted(set(words))]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(vocabulary)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=80,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    kinds = {"0": "Transformer", "1": "Pooling"}
    modules = [
        {
            "idx": int(place),
            "name": place,
            "path": "" if place == "0" else "1_Pooling",
            "type": f"sentence_transformers.models.{kind}",
        }
        for place, kind in kinds.items()
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    return folder
