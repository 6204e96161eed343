"""Promises of exports: what is written is read back as it was, and no spreadsheet runs it."""

from __future__ import annotations

import csv
import tempfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from knowledge_cases import a_faq, new_store
from openpyxl import load_workbook

from knowledge.errors import KnowledgeError
from knowledge.export import export_documents, export_faq, export_intents
from knowledge.import_docs import plan_import_docs
from knowledge.import_faq import plan_import_faq
from knowledge.import_intents import plan_import_intents
from knowledge.imports import apply
from knowledge.items import Document, Faq, Piece
from knowledge.sources.cells import several
from knowledge.sources.intents import Intent
from knowledge.store import KnowledgeStore

FULL = Faq(
    id="f1",
    question="=HYPERLINK(x)",
    answer='-5 °C\n\n第二段，带“引号"、逗号,和;分号',
    locale="zh",
    similar_questions=("+1", "two ## marks", '["json"]'),
    negative_questions=("@home",),
    category="-c",
    tags=("a,b", "c"),
    enabled=False,
    buttons=("是", "否"),
    source_url="https://example.com/?a=1&b=2",
    valid_from=date(2026, 1, 31),
    valid_to=date(2026, 2, 1),
)
QUOTED = a_faq("'=quoted", question="''+x", answer="'plain apostrophe'")

words = (
    st.text(
        st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"))
        | st.sampled_from("=+-@'#\"\n;,\t[]"),
        max_size=30,
    )
    .map(str.strip)
    .filter(bool)
)
lines = words.map(lambda text: " ".join(text.split())).filter(bool)
faqs = st.builds(
    Faq,
    id=lines,
    question=lines,
    answer=words,
    locale=st.sampled_from(["zh", "en", "fr"]),
    similar_questions=st.lists(lines, max_size=3, unique=True).map(tuple),
    negative_questions=st.lists(lines, max_size=2, unique=True).map(tuple),
    category=st.none() | lines,
    tags=st.lists(lines, max_size=2, unique=True).map(tuple),
    enabled=st.booleans(),
    buttons=st.lists(lines, max_size=2, unique=True).map(tuple),
    valid_from=st.none() | st.just(date(2026, 1, 1)),
).filter(lambda faq: faq.question not in faq.similar_questions and faq.category != "未分类")


@pytest.fixture
def store(tmp_path: Path) -> KnowledgeStore:
    return new_store(tmp_path)


@pytest.mark.parametrize("name", ["faq.csv", "faq.tsv", "faq.xlsx", "faq.jsonl"])
def test_importing_an_export_gives_the_same_entries(store: KnowledgeStore, tmp_path: Path, name: str) -> None:
    entries = [QUOTED, FULL, a_faq("f2", similar_questions=("x",))]
    store.upsert_faqs(entries)
    path = tmp_path / "out" / name

    count = export_faq(store, path)
    other = new_store(tmp_path, "other.db")
    apply(other, plan_import_faq(other, [path]), strict=True)

    assert count == 3
    assert list(other.faqs()) == list(store.faqs()) == sorted(entries, key=lambda faq: faq.id)
    assert plan_import_faq(store, [path]).counts["same"] == 3


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(faqs, st.sampled_from([".csv", ".tsv", ".xlsx", ".jsonl"]))
def test_any_entry_survives_the_round_trip(faq: Faq, ending: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, other = new_store(Path(folder)), new_store(Path(folder), "other.db")
        store.upsert_faqs([faq])
        path = Path(folder) / f"faq{ending}"
        export_faq(store, path)

        apply(other, plan_import_faq(other, [path]), strict=True)

        assert list(other.faqs()) == [faq]


def test_no_cell_begins_as_a_formula(store: KnowledgeStore, tmp_path: Path) -> None:
    store.upsert_faqs([FULL, QUOTED])

    export_faq(store, tmp_path / "faq.csv")
    export_faq(store, tmp_path / "faq.xlsx")

    raw = (tmp_path / "faq.csv").read_bytes()
    rows = list(csv.reader(raw.decode("utf-8-sig").splitlines(keepends=True)))
    sheet = load_workbook(tmp_path / "faq.xlsx").worksheets[0]
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert raw.startswith(b"\xef\xbb\xbf")
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert {cell.data_type for cell in cells} == {"s"}
    assert not [cell for cell in cells if str(cell.value).startswith(("=", "+", "-", "@"))]


def test_a_text_that_excel_would_cut_is_refused(store: KnowledgeStore, tmp_path: Path) -> None:
    store.upsert_faqs([a_faq("long", answer="x" * 40_000)])
    (tmp_path / "faq.xlsx").write_text("old")

    with pytest.raises(KnowledgeError, match="The answer of 'long' has 40,000 characters"):
        export_faq(store, tmp_path / "faq.xlsx")

    assert (tmp_path / "faq.xlsx").read_text() == "old"


def test_an_unknown_ending_and_a_bad_place_are_named(store: KnowledgeStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(
        KnowledgeError, match=r"ends with '\.doc', which FAQs are not exported as\. Choose \.csv"
    ):
        export_faq(store, tmp_path / "faq.doc")
    with pytest.raises(KnowledgeError, match="cannot be written"):
        export_faq(store, tmp_path / "file" / "faq.csv")
    with pytest.raises(KnowledgeError, match="cannot be written"):
        export_intents(store, tmp_path)


def test_a_stopped_export_leaves_the_old_file(
    store: KnowledgeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.upsert_faqs([a_faq()])
    path = tmp_path / "out" / "faq.csv"
    export_faq(store, path)
    before = path.read_bytes()

    def fail() -> None:
        raise RuntimeError("stopped")

    monkeypatch.setattr(store, "faqs", fail)
    with pytest.raises(RuntimeError):
        export_faq(store, path)

    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["faq.csv"]


def test_intents_and_documents_survive_the_round_trip(store: KnowledgeStore, tmp_path: Path) -> None:
    intent = Intent.model_validate(
        {
            "name": "order_status",
            "examples": {"zh": ["我的订单: 到哪了 # 查", "null", "no"]},
            "slots": [{"name": "order_id", "type": "pattern", "pattern": r"[A-Z]{2}\d{8}", "ask": {"en": "Which?"}, "sticky": False}],
            "webhook": {"url": "/orders/{order_id}", "fills": ["status"]},
            "templates": [{"when": {"status": "404"}, "text": {"en": "{order_id}:\n gone", "zh": "~"}}],
        }
    )  # fmt: skip
    document = Document(
        "help-a.md", "A", "help/a.md", "0" * 64, "zh", (Piece("A > B", "- x\n- y"), Piece("A", "z")), "/help"
    )
    store.upsert_intents([intent])
    store.upsert_documents([document])

    counts = export_intents(store, tmp_path / "i.yaml"), export_documents(store, tmp_path / "d.jsonl")
    other = new_store(tmp_path, "other.db")
    apply(other, plan_import_intents(other, [tmp_path / "i.yaml"]), strict=True)
    apply(other, plan_import_docs(other, [tmp_path / "d.jsonl"]), strict=True)

    assert counts == (1, 1)
    assert other.intents() == [intent]
    assert list(other.documents()) == [document]
    assert plan_import_docs(store, [tmp_path / "d.jsonl"]).counts["same"] == 1


def test_an_exported_document_with_missing_parts_is_named(store: KnowledgeStore, tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text('{"id": "a", "pieces": [{"heading": "x"}]}')

    plan = plan_import_docs(store, [tmp_path / "d.jsonl"])

    assert "line 1: An exported document lacks 'title'. Export it again." in plan.rows[0].message


def test_repeated_and_empty_values_of_a_cell_are_one() -> None:
    assert several(" a ## b\n\na ") == ("a", "b")
    assert several('["a", 1]') == ('["a", 1]',)
    assert several(None) == several([]) == ()
    assert several(5) == ("5",)
