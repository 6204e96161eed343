from __future__ import annotations

from pathlib import Path

import pytest
from knowledge_cases import a_faq, new_store
from langchain_core.vectorstores import InMemoryVectorStore

from fakes import FakeEncoder
from knowledge.build import arrange
from knowledge.index.langchain import VectorStoreRetriever
from knowledge.items import Faq
from knowledge.langchain import EncoderEmbeddings, KefuRetriever
from knowledge.search import SnapshotRetriever
from knowledge.settings import RetrievalSettings
from knowledge.store import KnowledgeStore


@pytest.fixture
def store(tmp_path: Path) -> KnowledgeStore:
    filled = new_store(tmp_path)
    filled.upsert_faqs(
        [
            a_faq(
                "return",
                question="How do I return an item?",
                answer="Within 30 days.",
                buttons=("Print a label",),
                source_url="https://example.com/returns",
            ),
            a_faq("order", question="Where is my order?", answer="See your account."),
            a_faq("tui", question="怎么退货", answer="三十天内。", locale="zh"),
        ]
    )
    return filled


def external(store: KnowledgeStore, folder: Path) -> VectorStoreRetriever:
    vectors = InMemoryVectorStore(EncoderEmbeddings(FakeEncoder()))
    retriever = VectorStoreRetriever(vectors, store, folder / "external.json")
    retriever.refresh()
    return retriever


def changed(store: KnowledgeStore, faq: Faq) -> None:
    store.upsert_faqs([faq])


def test_kefu_is_a_langchain_retriever_whose_documents_know_their_passage(store: KnowledgeStore) -> None:
    encoder = FakeEncoder()
    snapshot = arrange(store.entries(), encoder, settings=RetrievalSettings())
    chain = KefuRetriever(retriever=SnapshotRetriever(snapshot, encoder), k=2)

    documents = chain.invoke("how can I return items")

    assert documents[0].page_content == "Within 30 days."
    assert documents[0].metadata["id"] == "faq:return"
    assert documents[0].metadata["url"] == "https://example.com/returns"
    assert documents[0].metadata["rank"] == 1
    assert 0 < documents[0].metadata["score"] <= 1
    assert len(documents) <= 2


def test_any_vector_store_answers_as_a_retriever(store: KnowledgeStore, tmp_path: Path) -> None:
    retriever = external(store, tmp_path)

    hits = retriever.search("how can I return items", 2)

    assert hits[0].passage == next(p for p in store.passages() if p.id == "faq:return")
    assert hits[0].matched == "How do I return an item?"
    assert hits[0].score == hits[0].features["fused"] > 0
    assert [hit.rank for hit in hits] == [1, 2]
    assert retriever.version == f"{store.version()}-external"


def test_a_vector_store_follows_edits_and_deletions(store: KnowledgeStore, tmp_path: Path) -> None:
    retriever = external(store, tmp_path)
    assert not retriever.refresh()

    changed(store, a_faq("order", question="Can I change my address?", answer="Until it ships."))
    store.delete_faqs(["return"])

    assert retriever.refresh()
    assert retriever.search("can I change my address", 1)[0].passage.text == "Until it ships."
    assert "faq:return" not in [hit.passage.id for hit in retriever.search("return an item", 5)]


def test_a_vector_store_is_not_filled_twice(store: KnowledgeStore, tmp_path: Path) -> None:
    external(store, tmp_path)

    again = VectorStoreRetriever(
        InMemoryVectorStore(EncoderEmbeddings(FakeEncoder())), store, tmp_path / "external.json"
    )

    assert not again.refresh()


def test_negative_questions_and_languages_count_in_a_vector_store_too(
    store: KnowledgeStore, tmp_path: Path
) -> None:
    changed(
        store, a_faq("order", question="Where is my order?", negative_questions=("Where is my order book?",))
    )
    retriever = external(store, tmp_path)

    assert "faq:order" not in [hit.passage.id for hit in retriever.search("where is my order book", 5)]
    native = retriever.search("怎么退货", 1, locale="zh")[0]
    foreign = retriever.search("怎么退货", 1, locale="en")[0]
    assert foreign.passage.id == native.passage.id
    assert foreign.score < native.score


def test_a_query_without_words_asks_no_store(store: KnowledgeStore, tmp_path: Path) -> None:
    assert list(external(store, tmp_path).search("?!")) == []
