"""Promises of importing documents: unchanged files are left alone, changed ones replace their pieces."""

from __future__ import annotations

from pathlib import Path

import pytest
from knowledge_cases import new_store, text_file

from knowledge.errors import ConflictError
from knowledge.import_docs import plan_import_docs
from knowledge.imports import apply
from knowledge.store import KnowledgeStore


@pytest.fixture
def store(tmp_path: Path) -> KnowledgeStore:
    return new_store(tmp_path)


def test_a_document_becomes_passages_under_its_headings(store: KnowledgeStore, tmp_path: Path) -> None:
    path = text_file(
        tmp_path, "help/returns.md", "# Returns\n\nWithin 30 days.\n\n## Opened boxes\n\nAlso fine.\n"
    )

    plan = plan_import_docs(store, [path])
    apply(store, plan)

    assert plan.counts["new"] == 1
    assert [(p.id, p.title, p.text) for p in store.passages()] == [
        ("doc:help-returns.md#1", "Returns", "Within 30 days."),
        ("doc:help-returns.md#2", "Returns > Opened boxes", "Also fine."),
    ]


def test_an_unchanged_file_is_the_same_and_a_changed_one_is_replaced(
    store: KnowledgeStore, tmp_path: Path
) -> None:
    path = text_file(tmp_path, "help/returns.md", "# Returns\n\nWithin 30 days.\n")
    apply(store, plan_import_docs(store, [path]))

    same = plan_import_docs(store, [path])
    text_file(tmp_path, "help/returns.md", "# Returns\n\nWithin 14 days.\n")
    changed = plan_import_docs(store, [path])
    apply(store, changed)

    assert (same.counts["same"], same.writes) == (1, ())
    assert changed.counts["changed"] == 1
    assert "its pieces are replaced" in changed.rows[0].message
    assert [passage.text for passage in store.passages()] == ["Within 14 days."]


def test_a_changed_document_is_refused_when_conflicts_shall_fail(
    store: KnowledgeStore, tmp_path: Path
) -> None:
    path = text_file(tmp_path, "help/returns.md", "# Returns\n\nWithin 30 days.\n")
    apply(store, plan_import_docs(store, [path]))
    text_file(tmp_path, "help/returns.md", "# Returns\n\nNever.\n")

    plan = plan_import_docs(store, [path], on_conflict="fail")

    with pytest.raises(ConflictError):
        apply(store, plan)


def test_another_length_of_passages_splits_again(store: KnowledgeStore, tmp_path: Path) -> None:
    path = text_file(tmp_path, "help/returns.md", "One sentence here. " * 20)
    apply(store, plan_import_docs(store, [path], characters=700))

    plan = plan_import_docs(store, [path], characters=150)

    assert plan.counts["changed"] == 1
    assert len(plan.writes[0].pieces) == 3


def test_files_of_one_name_in_two_folders_are_two_documents(store: KnowledgeStore, tmp_path: Path) -> None:
    paths = [
        text_file(tmp_path, f"{folder}/policy.md", f"The {folder} policy.") for folder in ("air", "rail")
    ]

    plan = plan_import_docs(store, paths)

    assert [row.item_id for row in plan.rows] == ["air-policy.md", "rail-policy.md"]
    assert [row.outcome for row in plan.rows] == ["new", "new"]


def test_a_copy_under_another_name_is_a_duplicate(store: KnowledgeStore, tmp_path: Path) -> None:
    paths = [text_file(tmp_path, f"help/{name}.md", "The same words.") for name in ("one", "two")]

    plan = plan_import_docs(store, paths)

    assert [row.outcome for row in plan.rows] == ["new", "duplicate"]
    assert "one.md has the same content. Delete one of them." in plan.rows[1].message


def test_an_id_used_twice_is_invalid(store: KnowledgeStore, tmp_path: Path) -> None:
    path = text_file(tmp_path, "d.jsonl", '{"id": "a", "content": "One."}\n{"id": "a", "content": "Two."}\n')

    plan = plan_import_docs(store, [path])

    assert [row.outcome for row in plan.rows] == ["new", "invalid"]
    assert "line 2: The id 'a' belongs already to" in plan.rows[1].message


def test_a_file_that_cannot_be_read_stops_no_other(store: KnowledgeStore, tmp_path: Path) -> None:
    (tmp_path / "broken.docx").write_bytes(b"no")
    paths = [tmp_path / "broken.docx", text_file(tmp_path, "fine.md", "Fine."), tmp_path / "gone.md"]
    told: list[tuple[int, int]] = []

    plan = plan_import_docs(store, paths, progress=lambda done, total: told.append((done, total)))

    assert [row.outcome for row in plan.rows] == ["invalid", "new", "invalid"]
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_the_public_bank_documents_are_imported_to_the_passage(
    shared_data: Path, store: KnowledgeStore
) -> None:
    folder = shared_data / "documents" / "bank_telecom_en"
    paths = [folder / "rho_bank_documents.jsonl", *sorted(folder.glob("*/*.md"))]

    plan = plan_import_docs(store, paths)
    apply(store, plan)

    assert plan.counts["new"] == len(plan.rows) == 703
    assert store.counts()["documents"] == 703
    assert plan_import_docs(store, paths).counts["same"] == 703
    passages = list(store.passages())
    assert len(passages) == 3_225
    assert max(len(passage.text) for passage in passages) <= 700
    assert {passage.locale for passage in passages} == {"en"}
    titles = {passage.title for passage in passages}
    assert "Internal: Opening Personal Checking Accounts > Eligibility Requirements" in titles
    assert "Retail agent policy > Domain basic > User" in titles
