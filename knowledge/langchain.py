"""LangChain's sockets: Kefu's retriever and encoder as langchain-core classes, to plug into other people's chains."""

from __future__ import annotations

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, SkipValidation

from knowledge.types import Encoder, Hit, Retriever


class KefuRetriever(BaseRetriever):
    """Any Kefu retriever as a langchain-core one: `KefuRetriever(retriever=service).invoke("...")`."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    retriever: SkipValidation[Retriever]
    k: int = 5
    locale: str | None = None

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        del run_manager
        return [document_of(hit) for hit in self.retriever.search(query, self.k, locale=self.locale)]


class EncoderEmbeddings(Embeddings):
    """An encoder as langchain-core embeddings, for vector stores that make their own vectors."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of what the company wrote."""
        rows: list[list[float]] = self._encoder.encode_passages(texts).tolist()
        return rows

    def embed_query(self, text: str) -> list[float]:
        """Vector of what a customer asks."""
        row: list[float] = self._encoder.encode_queries([text])[0].tolist()
        return row


def document_of(hit: Hit) -> Document:
    """A hit as a document: the passage's text, and all that is known about it."""
    passage = hit.passage
    return Document(
        id=passage.id,
        page_content=passage.text,
        metadata={
            "id": passage.id,
            "title": passage.title,
            "source": passage.source,
            "locale": passage.locale,
            "url": passage.url,
            "category": passage.category,
            "score": hit.score,
            "rank": hit.rank,
            "matched": hit.matched,
            "features": dict(hit.features),
        },
    )
