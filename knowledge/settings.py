"""Settings of retrieval: one frozen class per backend; `open()` imports its module late.

The discriminated union is the registry: a backend is known because its class stands in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import platformdirs
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from knowledge.types import Encoder


class Frozen(BaseModel):
    """A settings table: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def default_cache() -> Path:
    """Where prepared models live, shared by all projects of a user."""
    return Path(platformdirs.user_cache_dir("kefu")) / "models"


class BundledEncoder(Frozen):
    """multilingual-e5-small, converted once from its package by `kefu models prepare`."""

    kind: Literal["bundled"] = "bundled"
    precision: Literal["auto", "float32", "bfloat16", "int8"] = "auto"
    """auto measures once what this processor is fast at."""
    adapter: Path | None = None
    """A folder that `kefu train retriever` wrote; none: the one that was promoted, if any."""

    def open(self, *, cache: Path, threads: int) -> Encoder:
        """Load it; heavy modules are imported only here."""
        from knowledge.encode import open_bundled

        return open_bundled(cache=cache, precision=self.precision, threads=threads, adapter=self.adapter)

    def weights(self, *, cache: Path) -> tuple[Path, tuple[str, str]]:
        """The folder that fine-tuning starts from, and the prefixes of queries and passages."""
        from knowledge.packaged import ENCODER, PASSAGE_PREFIX, QUERY_PREFIX, require

        return require(cache, ENCODER), (QUERY_PREFIX, PASSAGE_PREFIX)


class SentenceTransformersEncoder(Frozen):
    """Any sentence-transformers folder, or a hub name where a hub can be reached."""

    kind: Literal["sentence_transformers"]
    model: str
    query_prefix: str = ""
    passage_prefix: str = ""
    precision: Literal["auto", "float32", "bfloat16", "int8"] = "auto"
    adapter: Path | None = None

    def open(self, *, cache: Path, threads: int) -> Encoder:  # noqa: ARG002 - one shape for all encoders
        """Load it; heavy modules are imported only here."""
        from knowledge.encode import open_folder

        return open_folder(
            self.model,
            query_prefix=self.query_prefix,
            passage_prefix=self.passage_prefix,
            precision=self.precision,
            threads=threads,
            adapter=self.adapter,
        )

    def weights(self, *, cache: Path) -> tuple[Path, tuple[str, str]]:  # noqa: ARG002 - one shape for all encoders
        """The folder that fine-tuning starts from, and the prefixes of queries and passages."""
        from knowledge.encode.folder import find_folder

        return find_folder(self.model), (self.query_prefix, self.passage_prefix)


EncoderSettings: TypeAlias = Annotated[
    BundledEncoder | SentenceTransformersEncoder, Field(discriminator="kind")
]


class KnowledgeSettings(Frozen):
    """[knowledge]: what is known and how it is encoded."""

    encoder: EncoderSettings = BundledEncoder()
    reranker: Path | None = None
    """Folder of a model that `kefu train reranker` made; without it the promoted one, if any."""
    batch_window_ms: float = Field(2.0, ge=0, le=50)
    """How long a query waits for others to be encoded with it, where the encoder gains from that (the bundled
    one does not: its queries go side by side)."""
    batch_size: int = Field(32, ge=1, le=256)
    cache_entries: int = Field(20_000, ge=0)
    """Vectors of recent queries kept in memory."""
    passage_characters: int = Field(700, ge=100)
    """Documents are split into passages of at most so many characters, at headings and paragraphs."""


class RetrievalSettings(Frozen):
    """[retrieval]: how passages are found."""

    k: int = Field(5, ge=1, le=50)
    method: Literal["hybrid", "dense", "bm25"] = "hybrid"
    flat_up_to: int = Field(50_000, ge=0)
    """Vectors up to which the index is exact; above it is HNSW, far above IVF with 8-bit codes."""
    ivf_from: int = Field(400_000, ge=1)
    refresh_s: float = Field(1.0, gt=0, le=5)
    """How often a server looks for edits of the knowledge."""
