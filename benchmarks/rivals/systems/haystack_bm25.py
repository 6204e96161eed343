"""BM25 alone: Haystack's in-memory store and retriever as its quick start puts them together.

Its tokenizer cuts Chinese into characters, so both languages are searched as they come.
"""

from __future__ import annotations

from haystack import Document
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever
from haystack.document_stores.in_memory import InMemoryDocumentStore

from benchmarks.rivals.systems.exchange import Search, SearchTask, answer_searches


def build(task: SearchTask) -> Search:
    """Write the documents, hold the retriever."""
    store = InMemoryDocumentStore()
    store.write_documents(
        [Document(id=name, content=text) for name, text in zip(task.ids, task.texts, strict=True)]
    )
    retriever = InMemoryBM25Retriever(store, top_k=task.depth)

    def search(query: str) -> list[str]:
        return [document.id for document in retriever.run(query=query)["documents"]]

    return search


if __name__ == "__main__":
    answer_searches(build, ["haystack-ai"])
