"""Haystack's hybrid retrieval: BM25 and embeddings, joined by reciprocal rank fusion."""

from __future__ import annotations

from haystack import Document, Pipeline
from haystack.components.joiners import DocumentJoiner
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.utils import ComponentDevice
from haystack_integrations.components.embedders.sentence_transformers import (
    SentenceTransformersDocumentEmbedder,
    SentenceTransformersTextEmbedder,
)

from benchmarks.rivals.systems.exchange import PASSAGE, QUERY, Search, SearchTask, answer_searches


def build(task: SearchTask) -> Search:
    """Embed and write the documents, hold the pipeline of Haystack's tutorial on hybrid retrieval."""
    cpu = ComponentDevice.from_str("cpu")
    embedder = SentenceTransformersDocumentEmbedder(
        model=task.encoder, device=cpu, prefix=PASSAGE, normalize_embeddings=True, progress_bar=False
    )
    documents = [Document(id=name, content=text) for name, text in zip(task.ids, task.texts, strict=True)]
    store = InMemoryDocumentStore()
    store.write_documents(embedder.run(documents=documents)["documents"])
    pipeline = Pipeline()
    pipeline.add_component(
        "text_embedder",
        SentenceTransformersTextEmbedder(
            model=task.encoder, device=cpu, prefix=QUERY, normalize_embeddings=True, progress_bar=False
        ),
    )
    pipeline.add_component("embedding", InMemoryEmbeddingRetriever(store, top_k=task.depth))
    pipeline.add_component("bm25", InMemoryBM25Retriever(store, top_k=task.depth))
    pipeline.add_component("joiner", DocumentJoiner(join_mode="reciprocal_rank_fusion", top_k=task.depth))
    pipeline.connect("text_embedder.embedding", "embedding.query_embedding")
    pipeline.connect("embedding", "joiner")
    pipeline.connect("bm25", "joiner")

    def search(query: str) -> list[str]:
        said = pipeline.run({"text_embedder": {"text": query}, "bm25": {"query": query}})
        return [document.id for document in said["joiner"]["documents"]]

    return search


if __name__ == "__main__":
    answer_searches(build, ["haystack-ai", "sentence-transformers-haystack", "sentence-transformers"])
