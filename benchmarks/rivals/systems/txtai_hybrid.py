"""txtai's hybrid index: `hybrid=True`, which weighs BM25 and embeddings equally."""

from __future__ import annotations

from txtai import Embeddings

from benchmarks.rivals.systems.exchange import PASSAGE, QUERY, Search, SearchTask, answer_searches


def build(task: SearchTask) -> Search:
    """Index the documents."""
    embeddings = Embeddings(
        path=task.encoder, hybrid=True, gpu=False, instructions={"query": QUERY, "data": PASSAGE}
    )
    embeddings.index(list(zip(task.ids, task.texts, strict=True)))

    def search(query: str) -> list[str]:
        return [str(name) for name, _ in embeddings.search(query, task.depth)]

    return search


if __name__ == "__main__":
    answer_searches(build, ["txtai"])
