"""An encoder as the `Embeddings` of langchain-core, so that any LangChain vector store can use it."""

from __future__ import annotations

from langchain_core.embeddings import Embeddings

from knowledge.types import Encoder


class EncoderEmbeddings(Embeddings):
    """Queries and passages keep their own prefixes."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of passages."""
        vectors: list[list[float]] = self.encoder.encode_passages(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """Vector of one query."""
        vector: list[float] = self.encoder.encode_queries([text])[0].tolist()
        return vector
