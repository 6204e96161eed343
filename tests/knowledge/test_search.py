from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from fakes import FakeEncoder
from knowledge.build import arrange
from knowledge.fusion import OTHER_LANGUAGE, Method, above_noise
from knowledge.index.snapshot import Snapshot
from knowledge.search import SnapshotRetriever, read_vectors
from knowledge.settings import RetrievalSettings
from knowledge.types import Entry, Hit, Passage, Retriever, Source


def entry(
    name: str,
    *questions: str,
    answer: str = "",
    locale: str = "en",
    source: Source = "faq",
    negative: tuple[str, ...] = (),
) -> Entry:
    passage = Passage(name, answer or f"Answer {name}.", questions[0] if questions else "", source, locale)
    return Entry(passage, questions, negative)


def retriever_of(*entries: Entry, method: Method = "hybrid") -> SnapshotRetriever:
    encoder = FakeEncoder()
    return SnapshotRetriever(arrange(entries, encoder, settings=RetrievalSettings()), encoder, method=method)


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.passage.id for hit in hits]


SHOP = (
    entry("return", "How do I return an item?", "Can I send something back?", answer="Within 30 days."),
    entry("order", "Where is my order?", answer="See your account page."),
    entry("pay", "Which cards can I pay with?", answer="Visa and Mastercard."),
    entry("tui", "怎么退货？", "我想退东西", answer="三十天内可以退货。", locale="zh"),
)


@pytest.mark.parametrize("method", ["hybrid", "dense", "bm25"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("how to return items", "return"),
        ("怎么退货", "tui"),
        ("pay by mastercard", "pay"),
        ("怎麼退貨", "tui"),
    ],
)
def test_every_method_finds_the_answer(method: Method, query: str, expected: str) -> None:
    retriever = retriever_of(*SHOP, method=method)

    hits = retriever.search(query, 2)

    assert ids(hits)[0] == expected
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))


def test_scores_fall_and_lie_between_0_and_1() -> None:
    hits = retriever_of(*SHOP).search("how do I pay for my order", 4)

    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert len(set(ids(hits))) == len(hits)


def test_the_wording_that_matched_is_told() -> None:
    hits = retriever_of(*SHOP).search("can I send it back", 1)

    assert hits[0].matched == "Can I send something back?"


@pytest.mark.parametrize("query", ["WHERE IS MY ORDER", "where is my order??", "Ｗｈｅｒｅ is my order"])
def test_a_query_that_is_a_wording_scores_nearly_1_and_says_so(query: str) -> None:
    hit = retriever_of(*SHOP).search(query, 1)[0]

    assert hit.passage.id == "order"
    assert hit.score >= 0.95
    assert hit.features["exact"] == 1.0


def test_features_say_what_the_score_was_made_of() -> None:
    first, second = retriever_of(*SHOP).search("return my item please", 2)

    assert set(first.features) == {
        "cosine_question", "cosine_asked", "nearness", "cosine_answer", "bm25", "overlap", "likeness", "coverage",
        "bigrams", "fused", "margin", "question_margin", "near_ties", "is_faq", "exact",
    }  # fmt: skip
    assert first.features["fused"] == first.score
    assert first.features["margin"] == pytest.approx(first.score - second.score, abs=1e-6)
    assert second.features["margin"] == pytest.approx(second.score - first.score, abs=1e-6)
    assert 0 < first.features["overlap"] < 1
    assert first.features["bm25"] == 1.0
    assert first.features["is_faq"] == 1.0


def test_the_margin_is_to_another_answer_not_to_the_same_one_twice() -> None:
    twins = (
        entry("a", "How long is the warranty?", answer="Two years."),
        entry("b", "How long is the guarantee?", answer="Two years."),
        entry("c", "Where is my order?", answer="On its way."),
    )

    first = retriever_of(*twins).search("how long is the warranty", 3)[0]

    assert first.features["margin"] > 0.3
    assert first.features["near_ties"] == 0.0


def test_two_answers_to_one_question_are_near_ties() -> None:
    rivals = (
        entry("a", "How long is the warranty?", answer="Two years."),
        entry("b", "How long is the warranty?", answer="Three years."),
    )

    first = retriever_of(*rivals).search("how long is the warranty", 2)[0]

    assert first.features["near_ties"] == 1.0
    assert first.features["question_margin"] == first.score  # no other question could be meant
    assert abs(first.features["margin"]) < 0.02


def test_a_query_nearer_to_a_negative_question_is_not_answered_with_that_faq() -> None:
    entries = (
        entry("return", "How do I return an item?", negative=("How do I return to the home page?",)),
        entry("home", "Where is the start page?"),
    )
    retriever = retriever_of(*entries)

    assert "return" not in ids(retriever.search("how do I return to the home page please", 5))
    assert ids(retriever.search("how do I return this item", 5))[0] == "return"


def test_a_dropped_passage_leaves_its_place_to_the_next() -> None:
    entries = [entry(f"n{n}", f"How do I return item {n}?", negative=("return home",)) for n in range(4)]
    entries += [entry("home", "Way home"), entry("house", "Return to the house")]

    hits = retriever_of(*entries).search("return home", 2)

    assert len(hits) == 2
    assert {*ids(hits)} == {"home", "house"}


def test_of_bilingual_twins_the_customers_language_comes_first() -> None:
    twins = (
        entry("zh", "iPhone 15 Pro", answer="有货。", locale="zh"),
        entry("en", "iPhone 15 Pro", answer="In stock.", locale="en"),
    )
    retriever = retriever_of(*twins)

    assert ids(retriever.search("iphone 15 pro", 2, locale="zh-CN")) == ["zh", "en"]
    assert ids(retriever.search("iphone 15 pro", 2, locale="en")) == ["en", "zh"]


def test_another_language_is_found_when_nothing_else_fits_with_a_lower_score() -> None:
    retriever = retriever_of(*SHOP)

    native = retriever.search("怎么退货", 1, locale="zh")[0]
    foreign = retriever.search("怎么退货", 1, locale="en")[0]

    assert foreign.passage.id == native.passage.id == "tui"
    assert foreign.score == pytest.approx(native.score * OTHER_LANGUAGE)


def test_pieces_of_documents_are_found_by_their_text() -> None:
    document = entry(
        "doc", "Terms > 7", answer="Opened headphones cannot be returned for hygiene.", source="document"
    )

    hit = retriever_of(*SHOP, document).search("can opened headphones be returned", 1)[0]

    assert hit.passage.id == "doc"
    assert hit.features["is_faq"] == 0.0


def test_entries_with_the_same_question_share_its_vector() -> None:
    snapshot: Snapshot = arrange(
        [entry("a", "Same?", answer="One."), entry("b", "Same?", answer="Two.")],
        FakeEncoder(),
        settings=RetrievalSettings(),
    )

    assert len(snapshot.texts.rows) == 3
    assert len(snapshot) == 2


@pytest.mark.parametrize("query", ["", "   ", "?!", "😀"])
def test_a_query_without_words_finds_nothing(query: str) -> None:
    assert list(retriever_of(*SHOP).search(query)) == []


def test_nothing_is_found_where_nothing_is_known() -> None:
    retriever: Retriever = retriever_of()

    assert list(retriever.search("anything")) == []
    assert retriever.version.startswith("0-")


def test_odd_entries_do_not_break_the_index() -> None:
    odd = (
        entry("none", answer="Only an answer."),
        entry("blank", "  ", "Real question"),
        entry("emoji", "😀", answer="😀"),
        entry("negative", "Fine?", negative=("", "  ")),
    )
    retriever = retriever_of(*odd)

    assert ids(retriever.search("only an answer", 1)) == ["none"]
    assert retriever.search("real question", 1)[0].matched == "Real question"
    assert ids(retriever.search("fine", 1)) == ["negative"]


def test_asking_for_more_than_there_is_gives_what_there_is() -> None:
    assert 1 <= len(retriever_of(*SHOP).search("return", 50)) <= len(SHOP)


def test_cosines_count_from_the_encoders_noise() -> None:
    scaled = above_noise(np.array([0.7, 0.8, 0.9, 1.0], np.float32), 0.8)

    assert scaled.tolist() == pytest.approx([0.0, 0.0, 0.5, 1.0], abs=1e-6)


def test_all_answers_to_one_question_stand_together_and_their_own_words_order_them() -> None:
    retriever = retriever_of(
        entry("plain", "How do I cross out text?", answer="Use two tildes."),
        entry("other", "How do I cross out a line?", answer="On github a plugin draws lines."),
        entry("tags", "How do I cross out text?", answer="Write the del tag on github."),
        entry("long", "How do I cross out text?", answer="It is not possible."),
    )

    found = ids(retriever.search("cross out text github", 4))

    assert found[0] == "tags"
    assert set(found[:3]) == {"plain", "tags", "long"}


def test_pieces_of_a_document_do_not_share_scores_with_those_under_the_same_heading() -> None:
    retriever = retriever_of(
        entry("doc:1", "Returns", answer="Send the parcel back within 30 days.", source="document"),
        entry("doc:2", "Returns", answer="Opening hours of the museum.", source="document"),
    )

    first, second = retriever.search("send the parcel back", 2)

    assert first.passage.id == "doc:1"
    assert second.score < 0.8 * first.score


def test_what_was_asked_in_chats_is_found_by_its_vector_and_not_by_its_words() -> None:
    asked = replace(SHOP[2], asked=("the shiny plastic", "my shiny plastic one", "shiny plastic okay"))
    entries = (*SHOP[:2], asked)

    found = retriever_of(*entries).search("shiny plastic", 3, locale="en")
    without = retriever_of(*SHOP[:3]).search("shiny plastic", 3, locale="en")
    by_words = retriever_of(*entries, method="bm25").search("shiny plastic", 3, locale="en")

    assert found[0].passage.id == "pay"
    assert found[0].matched == "Which cards can I pay with?"
    features = found[0].features
    assert features["nearness"] > features["cosine_asked"] > features["cosine_question"]
    assert features["coverage"] == 0
    assert by_words == []
    assert without[0].features["nearness"] == without[0].features["cosine_question"]


def test_several_near_messages_count_more_than_one() -> None:
    once = replace(SHOP[0], asked=("shiny plastic money",))
    often = replace(SHOP[2], asked=("shiny plastic money", "shiny plastic monies", "shiny plastic moneys"))

    hits = retriever_of(once, often).search("shiny plastic money", 2, locale="en")

    assert ids(hits) == ["pay", "return"]
    assert hits[0].features["cosine_asked"] == pytest.approx(hits[1].features["cosine_asked"])


def test_a_message_is_read_in_its_conversation_and_a_little_alone() -> None:
    encoder = FakeEncoder()
    texts, said = ["how long", "thanks"], ["how long < delivery to Macao", ""]

    vectors = read_vectors(encoder, texts, said)

    alone, together = encoder.encode_queries(texts), encoder.encode_queries(said[:1])[0]
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1])
    assert vectors[1] == pytest.approx(alone[1])
    assert vectors[0] @ together > vectors[0] @ alone[0] > together @ alone[0]
