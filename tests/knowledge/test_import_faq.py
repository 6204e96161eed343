"""Promises of importing FAQs: every row is accounted for, and doing it twice changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from knowledge_cases import a_faq, new_store, text_file

from knowledge.errors import ConflictError, KnowledgeError
from knowledge.import_faq import plan_import_faq
from knowledge.imports import apply
from knowledge.store import KnowledgeStore


@pytest.fixture
def store(tmp_path: Path) -> KnowledgeStore:
    return new_store(tmp_path)


def faq_file(folder: Path, *rows: str, header: str = "id,question,answer", name: str = "faq.csv") -> Path:
    return text_file(folder, name, "\n".join([header, *rows]) + "\n")


def outcomes(store: KnowledgeStore, path: Path, **options: object) -> list[str]:
    return [row.outcome for row in plan_import_faq(store, [path], **options).rows]  # type: ignore[arg-type]


def test_a_plan_writes_nothing(store: KnowledgeStore, tmp_path: Path) -> None:
    plan = plan_import_faq(store, [faq_file(tmp_path, "a,How?,So.")])

    assert plan.counts["new"] == 1
    assert store.counts()["faqs"] == 0


def test_importing_twice_changes_nothing(store: KnowledgeStore, tmp_path: Path) -> None:
    path = faq_file(
        tmp_path,
        "a,How?,So.",
        ",Why?,Because.",
        ",怎么退货？,打开订单。",
        "b,How?,Otherwise.",
        "c,why,Because.",
    )

    written = apply(store, plan_import_faq(store, [path]))
    version = store.version()
    again = plan_import_faq(store, [path])

    assert written == 4
    assert apply(store, again) == 0
    assert store.version() == version
    assert [row.outcome for row in again.rows] == ["same", "same", "same", "same", "duplicate"]


def test_a_changed_answer_changes_the_entry_with_or_without_id(store: KnowledgeStore, tmp_path: Path) -> None:
    apply(store, plan_import_faq(store, [faq_file(tmp_path, "a,How?,So.", ",Why?,Because.")]))
    ids = [faq.id for faq in store.faqs()]

    plan = plan_import_faq(store, [faq_file(tmp_path, "a,How?,Thus.", ",why,Reasons.")])
    apply(store, plan)

    assert plan.counts["changed"] == 2
    assert "The entry 'a' changes in answer." in plan.rows[0].message
    assert [faq.id for faq in store.faqs()] == ids
    assert [faq.answer for faq in store.faqs()] == ["Thus.", "Reasons."]


def test_a_row_without_id_belongs_to_the_stored_entry_with_its_question(
    store: KnowledgeStore, tmp_path: Path
) -> None:
    store.upsert_faqs([a_faq("f12", question="怎么退货？", answer="好。", locale="zh")])

    plan = plan_import_faq(store, [faq_file(tmp_path, "怎麼退貨,不行。", header="question,answer")])

    assert [(row.outcome, row.item_id) for row in plan.rows] == [("changed", "f12")]


def test_a_reworded_question_without_id_is_a_new_entry(store: KnowledgeStore, tmp_path: Path) -> None:
    apply(store, plan_import_faq(store, [faq_file(tmp_path, ",How do I?,So.")]))

    assert outcomes(store, faq_file(tmp_path, ",How can I?,So.")) == ["new"]


def test_a_duplicate_names_its_twin_and_what_would_be_lost(store: KnowledgeStore, tmp_path: Path) -> None:
    store.upsert_faqs([a_faq("kept", question="Where?", answer="There.")])
    path = faq_file(
        tmp_path,
        "a,How?,So.,",
        "b,how,So.,How come",
        "c,WHERE,There.,",
        "a,How?,So.,",
        header="id,question,answer,similar_questions",
    )

    plan = plan_import_faq(store, [path])

    assert [row.outcome for row in plan.rows] == ["new", "duplicate", "duplicate", "duplicate"]
    assert (
        plan.rows[1].message == f"{path}, line 3: Question and answer stand already in {path}, line 2. "
        "1 similar question(s) are left out: add them there."
    )
    assert "in the stored entry 'kept'. Delete one of them." in plan.rows[2].message
    assert [row.item_id for row in plan.rows[1:]] == ["a", "kept", "a"]
    assert [faq.id for faq in plan.writes] == ["a"]


def test_another_answer_to_the_same_question_is_told_and_kept_under_its_own_id(
    store: KnowledgeStore, tmp_path: Path
) -> None:
    path = faq_file(tmp_path, "a,How?,So.", "b,how,Otherwise.", ",HOW,Never.")

    plan = plan_import_faq(store, [path])
    apply(store, plan)

    assert [(row.outcome, row.written) for row in plan.rows] == [
        ("new", True),
        ("conflicting", True),
        ("conflicting", False),
    ]
    assert f"line 3: The question 'how' has another answer in {path}, line 2." in plan.rows[1].message
    assert "give this row an id of its own; it is left out" in plan.rows[2].message
    assert [faq.answer for faq in store.faqs()] == ["So.", "Otherwise."]


def test_a_row_without_id_that_fits_several_entries_is_left_out(
    store: KnowledgeStore, tmp_path: Path
) -> None:
    store.upsert_faqs([a_faq("a", question="How?", answer="A."), a_faq("b", question="How?", answer="B.")])

    assert outcomes(store, faq_file(tmp_path, ",How?,B.", ",How?,C.")) == ["same", "conflicting"]


def test_one_question_in_two_languages_is_two_entries(store: KnowledgeStore, tmp_path: Path) -> None:
    path = faq_file(tmp_path, "VIP?,Yes.,en", "VIP?,是。,zh", header="question,answer,locale")

    assert outcomes(store, path) == ["new", "new"]


def test_an_id_used_twice_is_invalid(store: KnowledgeStore, tmp_path: Path) -> None:
    path = faq_file(tmp_path, "a,How?,So.", "a,Why?,Because.")

    plan = plan_import_faq(store, [path])

    assert plan.failed
    assert plan.rows[1].message == (
        f"{path}, line 3: The id 'a' stands already in {path}, line 2, with another question or answer. "
        "Give each row an id of its own."
    )


def test_one_bad_row_stops_nothing_unless_strict(store: KnowledgeStore, tmp_path: Path) -> None:
    path = faq_file(tmp_path, "a,How?,", "b,Why?,Because.")
    plan = plan_import_faq(store, [path, tmp_path / "gone.csv"])

    with pytest.raises(
        KnowledgeError, match=r"2 row\(s\) cannot be imported, the first: .*line 2, column 'answer'"
    ):
        apply(store, plan, strict=True)
    before = store.counts()["faqs"]
    apply(store, plan)

    assert before == 0
    assert [faq.id for faq in store.faqs()] == ["b"]
    assert plan.counts["invalid"] == 2
    assert "gone.csv: The file cannot be opened" in plan.problems[1].message


def test_conflicts_are_overwritten_skipped_or_refused(store: KnowledgeStore, tmp_path: Path) -> None:
    store.upsert_faqs([a_faq("a", question="How?", answer="So.")])
    path = faq_file(tmp_path, "a,How?,Thus.", "b,how,Never.", "c,New?,Yes.")

    skipping = plan_import_faq(store, [path], on_conflict="skip")
    failing = plan_import_faq(store, [path], on_conflict="fail")

    with pytest.raises(ConflictError, match=r"2 row\(s\) contradict what is stored, the first: .*line 2"):
        apply(store, failing)
    assert [faq.id for faq in store.faqs()] == ["a"]
    assert [(row.outcome, row.written) for row in skipping.rows] == [
        ("changed", False),
        ("conflicting", False),
        ("new", True),
    ]
    apply(store, skipping)
    assert [(faq.id, faq.answer) for faq in store.faqs()] == [("a", "So."), ("c", "Yes.")]


def test_what_was_mined_from_chats_stays_marked_when_it_is_edited(
    store: KnowledgeStore, tmp_path: Path
) -> None:
    store.upsert_faqs([a_faq("m", question="How?", answer="So.", source="chat_log")])
    path = faq_file(tmp_path, "m,How?,Thus.")

    apply(store, plan_import_faq(store, [path]))

    faq = store.faq("m")
    assert faq
    assert (faq.answer, faq.source) == ("Thus.", "chat_log")
    assert outcomes(store, path) == ["same"]


def test_columns_left_out_are_remarked(store: KnowledgeStore, tmp_path: Path) -> None:
    path = faq_file(tmp_path, "How?,So.,x,ftp://x", header="question,answer,owner,url")

    plan = plan_import_faq(store, [path])

    assert plan.remarks[0] == f"{path}: These columns are not known and are left out: 'owner'."
    assert (
        f"{path}, line 2, column 'url': The address is left out: 'ftp://x' is not a web address."
        in plan.remarks[1]
    )
    assert plan.counts["new"] == 1


def test_a_stopped_import_leaves_whole_chunks_and_the_next_run_does_the_rest(
    store: KnowledgeStore, tmp_path: Path
) -> None:
    path = faq_file(tmp_path, *(f"f{number:04},Question {number}?,So." for number in range(4_500)))
    plan = plan_import_faq(store, [path])

    class StoppedError(Exception):
        pass

    def stop(done: int, _: int) -> None:
        if done == 4_000:
            raise StoppedError

    with pytest.raises(StoppedError):
        apply(store, plan, progress=stop)
    stored = store.counts()["faqs"]
    rest = plan_import_faq(store, [path])

    assert stored == store.version() == 4_000
    assert (rest.counts["same"], rest.counts["new"]) == (4_000, 500)


def test_progress_reaches_the_end(store: KnowledgeStore, tmp_path: Path) -> None:
    path = faq_file(tmp_path, *(f"f{number},Question {number}?,So." for number in range(2_100)))
    told: list[tuple[int, int]] = []

    apply(store, plan_import_faq(store, [path]), progress=lambda done, total: told.append((done, total)))

    assert told == [(2_000, 2_100), (2_100, 2_100)]


def test_a_report_row_reads_as_a_sentence(store: KnowledgeStore, tmp_path: Path) -> None:
    path = faq_file(tmp_path, "a,How?,So.", "b,,")

    rows = plan_import_faq(store, [path]).rows

    assert str(rows[0]) == f"new: {path}, line 2"
    assert str(rows[1]).startswith(f"invalid: {path}, line 3, column 'question': The question is empty.")


@pytest.mark.parametrize(
    ("name", "counts", "line"),
    [
        ("airline_zh", {"new": 113, "conflicting": 1}, 36),
        ("appliances_zh", {"new": 100}, None),
        ("bank_zh", {"new": 489}, None),
        ("covid_en", {"new": 208, "conflicting": 2, "duplicate": 3}, 24),
        ("developer_support_zh", {"new": 2_898, "conflicting": 10}, 1_302),
        ("stackfaq_en", {"new": 125, "conflicting": 594}, 3),
        ("travel_14k_en", {"new": 12_021, "conflicting": 18, "duplicate": 2_900}, 226),
    ],
)
def test_public_faqs_are_imported_to_the_row(
    shared_data: Path, store: KnowledgeStore, name: str, counts: dict[str, int], line: int | None
) -> None:
    path = shared_data / "faq" / name / "faq.csv"

    plan = plan_import_faq(store, [path])
    written = apply(store, plan)
    again = plan_import_faq(store, [path])

    assert {outcome: count for outcome, count in plan.counts.items() if count} == counts
    assert written == counts["new"] + counts.get("conflicting", 0) == store.counts()["faqs"]
    assert (plan.problems[0].place.line if plan.problems else None) == line
    assert again.counts["same"] == written
    assert again.writes == ()
    assert {faq.locale for faq in store.faqs()} <= {name[-2:], "en"}
