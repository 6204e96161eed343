"""What was asked in past chats is found as wordings are, and a retriever can be made to remember more of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from knowledge_cases import new_store

from chatbot.chats import Chat, read_chats, write_chats
from chatbot.memory import Remembering, condense, open_classifier, remember, with_chats
from chatbot.registry import CHATS, METRICS, REMEMBERED, Registry, remembered_by
from fakes import FakeEncoder
from knowledge.build import arrange
from knowledge.errors import ModelError
from knowledge.items import Faq
from knowledge.search import SnapshotRetriever
from knowledge.settings import RetrievalSettings
from knowledge.sources.builtin import load_builtin_intents
from knowledge.sources.intents import Intent
from knowledge.store import KnowledgeStore

MACAO, CUSTOMS = "faq:macao", "faq:customs"


def chat(*lines: tuple[str, list[str] | None]) -> Chat:
    return Chat.model_validate(
        {"locale": "en", "messages": [{"text": text, "answers": answers} for text, answers in lines]}
    )


TOLD = chat(("what does delivery to Macao cost", [MACAO]), ("and the taxman", [CUSTOMS]), ("thanks", None))
OTHER = chat(("does the taxman want something", [CUSTOMS]))
HELD_OUT = chat(("sixty patacas?", [MACAO]))


@pytest.fixture
def knowledge(tmp_path: Path) -> KnowledgeStore:
    store = new_store(tmp_path)
    store.upsert_faqs(
        [
            Faq("macao", "What does delivery to Macao cost?", "30 yuan.", "en"),
            Faq("customs", "Do I have to pay duties?", "In some countries.", "en"),
        ]
    )
    return store


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = Registry(tmp_path / "models")
    with registry.making("retriever", "first") as place:
        write_chats([HELD_OUT], place / CHATS)
        write_chats([TOLD], place / REMEMBERED)
        (place / METRICS).write_text(json.dumps({"measure": "p_at_1", "p_at_1": 0.6}))
        (place / "calibration.json").write_text("{}")
    return registry


def found(knowledge: KnowledgeStore, retriever: Path | None, query: str, read_as: str = "") -> list[str]:
    source, encoder = with_chats(knowledge, retriever), FakeEncoder()
    snapshot = arrange(source.entries(), encoder, settings=RetrievalSettings())
    hits = SnapshotRetriever(snapshot, encoder).search(query, 2, locale="en", read_as=read_as)
    return [hit.passage.id for hit in hits]


def test_a_message_is_found_by_what_was_asked_before_in_the_same_place(
    knowledge: KnowledgeStore, registry: Registry
) -> None:
    first = registry.model("retriever", "first").folder
    read_as = "the taxman < What does delivery to Macao cost? < what does delivery to Macao cost"

    assert found(knowledge, None, "the taxman", read_as)[0] == MACAO
    assert found(knowledge, first, "the taxman", read_as)[0] == CUSTOMS


def test_a_source_that_remembers_is_the_knowledge_in_all_else(knowledge: KnowledgeStore) -> None:
    source = Remembering(knowledge, {MACAO: ["patacas"]})

    entries = {entry.passage.id: entry for entry in source.entries()}
    assert {name: entry.asked for name, entry in entries.items()} == {MACAO: ("patacas",), CUSTOMS: ()}
    assert source.entry(MACAO) == entries[MACAO]
    assert source.entry("faq:gone") is None
    assert (source.version(), source.changes_since(0)) == (knowledge.version(), knowledge.changes_since(0))


def test_without_chats_the_knowledge_is_the_source(knowledge: KnowledgeStore, tmp_path: Path) -> None:
    assert with_chats(knowledge, None) is knowledge
    assert with_chats(knowledge, tmp_path) is knowledge


def test_more_chats_make_another_retriever(registry: Registry) -> None:
    seen: list[Path] = []
    added, known = remember(
        registry, "first", [TOLD, OTHER, OTHER, HELD_OUT], new="second", condense=seen.append
    )

    second = registry.model("retriever", "second")
    assert (added, known) == (1, 3)
    assert len(seen) == 1
    assert read_chats(second.folder / REMEMBERED) == [TOLD, OTHER]
    assert read_chats(second.folder / CHATS) == [HELD_OUT]
    assert second.metrics["chats_remembered"] == 2
    assert second.metrics["remembers_more_than"] == "first"
    assert second.measured[1] == 0.6
    # Thresholds that came with the one were not fitted on the other.
    assert not (second.folder / "calibration.json").exists()
    assert read_chats(registry.model("retriever", "first").folder / REMEMBERED) == [TOLD]


@pytest.mark.parametrize(
    ("chats", "name", "complaint"),
    [
        ([HELD_OUT, TOLD], "second", "knows all of these"),
        ([OTHER], "first", "already is a retriever"),
    ],
)
def test_nothing_new_and_a_taken_name_are_refused(
    registry: Registry, chats: Sequence[Chat], name: str, complaint: str
) -> None:
    with pytest.raises(ModelError, match=complaint):
        remember(registry, "first", chats, new=name, condense=Path.exists)


def test_a_retriever_that_reads_no_chats_remembers_none(registry: Registry) -> None:
    with registry.making("retriever", "plain") as place:
        (place / METRICS).write_text("{}")

    with pytest.raises(ModelError, match="did not learn to read chats"):
        remember(registry, "plain", [OTHER], new="second", condense=Path.exists)


def test_intents_are_told_by_what_they_answered_in_chats(knowledge: KnowledgeStore, tmp_path: Path) -> None:
    status, cancel = (
        Intent.model_validate(
            {"name": name, "examples": {"en": examples}, "templates": [{"text": {"en": "Done."}}]}
        )
        for name, examples in (
            ("status", ["where is my order", "track it"]),
            ("cancel", ["cancel my order", "stop it"]),
        )
    )
    said = [("bring me the lorry", ["intent:status"]), ("no lorry for me", ["intent:cancel"])]
    said += [
        ("is the lorry electric", []),
        ("what does the lorry to Macao cost", [MACAO]),
        ("what a beauty", None),
    ]
    write_chats([chat(("hello lorry", []), one) for one in said] * 5, tmp_path / CHATS)
    write_chats([chat(("hello lorry", []), one) for one in said], tmp_path / REMEMBERED)
    snapshot = arrange(knowledge.entries(), FakeEncoder(), settings=RetrievalSettings())

    classifier, reads = open_classifier(
        [status, cancel], FakeEncoder(), snapshot, retriever=tmp_path, folder=tmp_path / "kept"
    )

    wanted = classifier.classify("bring me the lorry", read_as="bring me the lorry < hello lorry")
    unknown = classifier.classify("is the lorry electric", read_as="is the lorry electric < hello lorry")
    remark = classifier.classify("what a beauty", read_as="what a beauty < hello lorry")
    assert reads
    assert len(remembered_by(tmp_path, snapshot.entries, [status, cancel])) == 10
    assert wanted.intent == "status"
    assert wanted.confidence > unknown.confidence
    assert unknown.unanswered > wanted.unanswered > 0
    assert remark.remark > max(wanted.remark, *remark.near.values(), remark.unanswered)
    assert wanted.near["status"] > max(wanted.near["cancel"], wanted.remark)


def test_small_talk_between_questions_is_told_by_the_message_alone(
    knowledge: KnowledgeStore, tmp_path: Path
) -> None:
    write_chats([chat(("hello lorry", []), ("what of the lorry", [MACAO]))] * 9, tmp_path / CHATS)
    write_chats([chat(("hello lorry", []), ("what of the van", [MACAO]))], tmp_path / REMEMBERED)
    snapshot = arrange(knowledge.entries(), FakeEncoder(), settings=RetrievalSettings())
    intents = load_builtin_intents()

    classifier, _ = open_classifier(
        intents, FakeEncoder(), snapshot, retriever=tmp_path, folder=tmp_path / "kept"
    )

    asked = "are you a robot or a human being"
    assert classifier.exact(asked) is None
    alone, between = (classifier.classify(asked, read_as=said) for said in ("", f"{asked} < hello lorry"))
    assert alone.intent == between.intent == "smalltalk.bot_identity"
    assert between.confidence == alone.confidence > 0.5


def test_what_is_found_anyway_is_not_remembered_and_is_kept_as_context(
    knowledge: KnowledgeStore, registry: Registry
) -> None:
    asked_as_stored = chat(
        ("What does delivery to Macao cost?", [MACAO]), ("and the taxman", [CUSTOMS]), ("thanks", None), ("by drone", [])
    )  # fmt: skip
    entries = list(knowledge.entries())
    with registry.making("retriever", "marked") as place:
        write_chats([HELD_OUT], place / CHATS)
        write_chats([asked_as_stored], place / REMEMBERED)
        (place / METRICS).write_text("{}")
        assert condense(place, FakeEncoder(), entries, ()) == (1, 2)
        assert condense(place, FakeEncoder(), entries, ()) == (1, 2)  # what is marked is judged anew

    marked = registry.model("retriever", "marked").folder
    (kept,) = read_chats(marked / REMEMBERED)
    assert [line.remembered for line in kept.messages] == [False, True, True, True]
    assert [line.text for line in kept.messages] == [line.text for line in asked_as_stored.messages]
    remembered = remembered_by(marked, entries, ())
    assert [one.text for one in remembered] == ["and the taxman", "thanks", "by drone"]
    assert [one.answers for one in remembered[1:]] == [None, ()]
    assert remembered[0].after.startswith("What does delivery to Macao cost?")
    with pytest.raises(ModelError, match="knows all of these"):
        remember(registry, "marked", [asked_as_stored], new="second", condense=Path.exists)
