"""Files with known results are read whole, or the error names file, line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbot.evaluate.files import read_columns, read_json_lines, read_tagged
from knowledge.errors import KnowledgeError


def test_columns_are_found_by_name_and_stripped(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('\ufeffid,text,intent\r\n1," where,\nis it? ",order\r\n', "utf-8")

    rows = read_columns(path, "text", "intent", optional=["locale"])

    assert rows == [{"text": "where,\nis it?", "intent": "order", "locale": ""}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("text\nhello\n", "no column 'intent'"),
        ("text,intent\nhello,\n", "line 2: the column 'intent' is empty"),
        ("text,intent\nhello\n", "line 2: the column 'intent' is empty"),
        ("text,intent\n", "no rows"),
        ("", "no column 'text'"),
    ],
)
def test_a_csv_that_lacks_something_is_refused_with_its_place(
    tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content, "utf-8")

    with pytest.raises(KnowledgeError, match=said) as raised:
        read_columns(path, "text", "intent")

    assert str(path) in str(raised.value)


def test_a_column_with_a_question_mark_may_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text("query,relevant_ids\nwho are you,\n", "utf-8")

    assert read_columns(path, "query", "relevant_ids?") == [{"query": "who are you", "relevant_ids": ""}]


def test_a_missing_file_is_said_in_two_sentences(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match=r"There is no file .*none\.csv\. Name a file"):
        read_columns(tmp_path / "none.csv", "text")


def test_bytes_that_are_not_utf_8_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("text\n你好\n".encode("gb18030"))

    with pytest.raises(KnowledgeError, match="Save it as UTF-8"):
        read_columns(path, "text")


def test_json_lines_need_their_keys(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"context": [], "current": "a"}\n\n{"context": []}\n', "utf-8")

    with pytest.raises(KnowledgeError, match="line 3: the key 'current' is missing"):
        read_json_lines(path, "context", "current")


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"a": 1}\n{"a": \n', "utf-8")

    with pytest.raises(KnowledgeError, match="line 2: this is not JSON"):
        read_json_lines(path, "a")


def test_tagged_sentences_are_parted_by_empty_lines_and_document_marks_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("-DOCSTART- -X- O\n\nEU NNP B-ORG\nrejects O\n\n\u3000 B-name\n彭 I-name\n", "utf-8")

    first, second = read_tagged(path)

    assert (first.words, first.tags) == (("EU", "rejects"), ("B-ORG", "O"))
    assert second.tags == ("B-name", "I-name")


def test_a_line_without_a_tag_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("EU B-ORG\nrejects\n", "utf-8")

    with pytest.raises(KnowledgeError, match="line 2: 'rejects' does not end in a tag"):
        read_tagged(path)
