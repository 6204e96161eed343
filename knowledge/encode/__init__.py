"""Texts to unit vectors: the encoders of retrieval.

A sentence-transformers folder is the format. BERT and its kin run in onnxruntime on this folder's safetensors
(`bert.py`); every other architecture runs in sentence-transformers itself (`generic.py`). Importing this
package imports neither.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from knowledge.encode.batching import BatchingEncoder
from knowledge.errors import ModelError
from knowledge.types import Encoder

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

Precision: TypeAlias = Literal["auto", "float32", "bfloat16", "int8"]

__all__ = ["BatchingEncoder", "Precision", "as_langchain", "open_bundled", "open_folder"]


def open_bundled(
    *, cache: Path, precision: Precision = "auto", threads: int = 0, adapter: Path | None = None
) -> Encoder:
    """multilingual-e5-small from the cache of prepared models; 384 wide, Chinese, English and 98 more.

    Args:
        cache: The folder that `kefu models prepare` filled.
        precision: "auto" measures what this processor is fast at.
        threads: Texts encoded side by side; 0 takes one for each core.
        adapter: A folder that fine-tuning wrote; it is merged into the weights.

    Raises:
        ModelError: The model is not prepared, or damaged.
    """
    from knowledge.packaged import ENCODER, PASSAGE_PREFIX, QUERY_PREFIX, require

    folder = require(cache, ENCODER)
    prefixes = (QUERY_PREFIX, PASSAGE_PREFIX)
    return _open(folder, prefixes, precision=precision, threads=threads, adapter=adapter)


def open_folder(
    model: str,
    *,
    query_prefix: str = "",
    passage_prefix: str = "",
    precision: Precision = "auto",
    threads: int = 0,
    adapter: Path | None = None,
) -> Encoder:
    """A sentence-transformers folder, or the hub name of one (fetched where a hub can be reached).

    Raises:
        ModelError: There is no such folder or name, or it is damaged or holds another kind of model.
    """
    from knowledge.encode.folder import find_folder

    prefixes = (query_prefix, passage_prefix)
    return _open(find_folder(model), prefixes, precision=precision, threads=threads, adapter=adapter)


def as_langchain(encoder: Encoder) -> Embeddings:
    """Any encoder as the `Embeddings` of langchain-core."""
    from knowledge.encode.langchain import EncoderEmbeddings

    return EncoderEmbeddings(encoder)


def _open(
    folder: Path, prefixes: tuple[str, str], *, precision: Precision, threads: int, adapter: Path | None
) -> Encoder:
    from knowledge.encode.folder import read_folder

    described = read_folder(folder)
    if described.bert is not None and precision != "bfloat16":
        from knowledge.encode.adapter import read_adapter
        from knowledge.encode.direct import DirectEncoder

        return DirectEncoder(
            described,
            described.bert,
            prefixes=prefixes,
            precision=precision,
            threads=threads,
            adapter=read_adapter(adapter) if adapter else None,
        )
    if adapter:
        raise ModelError(
            f"The encoder {folder} is not BERT-like, or computes in bfloat16, so the adapter {adapter} cannot be "
            "merged into it. Merge it yourself and name that folder in knowledge.encoder.model."
        )
    from knowledge.encode.generic import SentenceEncoder

    return SentenceEncoder(described, prefixes=prefixes, precision=precision, threads=threads)
