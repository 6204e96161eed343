"""Plain cosine over the encoder: LangChain's in-memory vector store, as its quick start has it."""

from __future__ import annotations

from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_huggingface import HuggingFaceEmbeddings

from benchmarks.rivals.systems.exchange import PASSAGE, QUERY, Search, SearchTask, answer_searches


def build(task: SearchTask) -> Search:
    """Embed the documents, hold the store."""
    embeddings = HuggingFaceEmbeddings(
        model=task.encoder,
        model_kwargs={"device": "cpu"},
        encode_kwargs={"prompt": PASSAGE, "normalize_embeddings": True},
        query_encode_kwargs={"prompt": QUERY, "normalize_embeddings": True},
    )
    store = InMemoryVectorStore(embeddings)
    store.add_documents(
        [Document(id=name, page_content=text) for name, text in zip(task.ids, task.texts, strict=True)]
    )

    def search(query: str) -> list[str]:
        return [str(document.id) for document in store.similarity_search(query, k=task.depth)]

    return search


if __name__ == "__main__":
    answer_searches(build, ["langchain-core", "langchain-huggingface", "sentence-transformers"])
