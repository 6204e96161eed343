"""Promises of documents: words in reading order under their headings, in pieces a customer can read."""

from __future__ import annotations

import io
import json
from pathlib import Path

import docx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from knowledge_cases import a_pdf, text_file
from pypdf import PdfReader, PdfWriter

from knowledge.items import Document
from knowledge.sources.documents import pdf as pdf_module
from knowledge.sources.documents.blocks import Block, pieces_of, table_lines
from knowledge.sources.documents.read import read_documents, slug


def read(path: Path, *, characters: int = 700) -> Document:
    (row,) = read_documents(path, characters=characters)
    assert row.problem is None, row.problem
    assert row.document
    return row.document


def refusal(path: Path) -> str:
    (row,) = read_documents(path, characters=700)
    assert row.document is None
    return str(row.problem)


def pieces(document: Document) -> list[tuple[str, str]]:
    return [(piece.heading, piece.text) for piece in document.pieces]


def test_markdown_keeps_headings_lists_tables_and_links(tmp_path: Path) -> None:
    path = text_file(
        tmp_path,
        "help.md",
        """---
title: Handbook
---
Read **this** first,
on [our site](https://example.com/a) or <https://example.com/b>.

# Returns

1. Open the order
   - on the *phone*
2. Tap `Return`

## Fees

| Plan | Price |
|------|-------|
| Basic | $5 |
| Plus | |

> Quoted ![a picture](x.png)

```
code --stays
```

<p>Some <b>HTML</b></p><script>alert(1)</script>

# Empty

# Contact
Call<br>us
""",
    )

    assert pieces(read(path)) == [
        ("Handbook", "Read this first, on our site (https://example.com/a) or https://example.com/b."),
        ("Handbook > Returns", "1. Open the order\n  - on the phone\n2. Tap Return"),
        (
            "Handbook > Returns > Fees",
            "Plan: Basic; Price: $5\nPlan: Plus\n\nQuoted a picture\n\ncode --stays\n\nSome HTML",
        ),
        ("Handbook > Contact", "Call\nus"),
    ]


def test_chinese_lines_join_without_spaces(tmp_path: Path) -> None:
    path = text_file(
        tmp_path, "help.md", "# 退货\n\n七天之内\n可以退货。\n\n|套餐|价格|\n|-|-|\n|基础|5 元|\n"
    )

    document = read(path)

    assert pieces(document) == [("退货", "七天之内可以退货。\n\n套餐：基础；价格：5 元")]
    assert document.locale == "zh"


def test_html_keeps_the_main_part_and_drops_scripts_and_menus(tmp_path: Path) -> None:
    path = text_file(
        tmp_path,
        "page.html",
        """<html><head><title>Shop | Returns</title><style>p{}</style></head><body>
        <nav>Home</nav><header>Menu</header>
        <main><h1>Returns</h1><p>Within <b>30</b> days.<br>No fee. <a href="https://example.com/x">More</a></p>
        <script>steal()</script><p hidden>secret</p>
        <h2>Opened &amp; used</h2><ul><li>Phones <ol><li>one</li></ol></li><li>Tablets</li></ul>
        <table><tr><th>Plan<th>Price<tr><td>Basic<td>$5</table>
        <dl><dt>Fee<dd>none</dl><pre>a  b</pre><div>loose<div>inner</div>tail</div></main>
        <footer>Imprint</footer></body></html>""",
    )

    assert pieces(read(path)) == [
        ("Returns", "Within 30 days.\nNo fee. More (https://example.com/x)"),
        (
            "Returns > Opened & used",
            "- Phones\n  1. one\n- Tablets\n\nPlan: Basic; Price: $5\n\nFee: none\n\na  b\n\nloose\n\ninner\n\ntail",
        ),
    ]


def test_html_without_a_main_part_drops_header_and_footer_and_obeys_its_charset(tmp_path: Path) -> None:
    page = "<html><head><meta charset='gb2312'><title>退货说明</title></head><body><header>菜单</header><p>七天内可退。</p></body>"
    path = text_file(tmp_path, "page.htm", page, "gb18030")

    assert pieces(read(path)) == [("退货说明", "七天内可退。")]


def test_docx_keeps_headings_lists_and_tables(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_heading("Handbook", 0)
    document.add_paragraph("Read this first.")
    document.add_heading("Returns", 1)
    document.add_paragraph("Open the order", style="List Bullet")
    document.add_paragraph("Tap Return", style="List Number")
    document.add_paragraph("")
    document.add_heading("Fees", 2)
    table = document.add_table(rows=2, cols=3)
    for cell, text in zip(
        (*table.rows[0].cells, *table.rows[1].cells), ("Plan", "Price", "", "Basic", "$5", ""), strict=True
    ):
        cell.text = text
    table.rows[1].cells[1].merge(table.rows[1].cells[2])
    document.add_paragraph("Done.")
    document.add_paragraph("Last", style="List Bullet")
    document.save(str(tmp_path / "help.docx"))

    assert pieces(read(tmp_path / "help.docx")) == [
        ("Handbook", "Read this first."),
        ("Handbook > Returns", "- Open the order\n- Tap Return"),
        ("Handbook > Returns > Fees", "Plan: Basic; Price: $5\n\nDone.\n\n- Last"),
    ]


def test_docx_without_a_title_takes_that_of_its_properties_or_its_name(tmp_path: Path) -> None:
    for name, title in (("a", "Stated"), ("b", "")):
        document = docx.Document()
        document.core_properties.title = title
        document.add_paragraph("Words.")
        document.save(str(tmp_path / f"{name}.docx"))

    assert [read(tmp_path / f"{name}.docx").title for name in "ab"] == ["Stated", "b"]


def test_pdf_pages_are_joined_into_paragraphs_without_running_lines(tmp_path: Path) -> None:
    pages = [
        [
            "Shop manual",
            f"This {word} sentence is broken over two lines of the page, as PDF",
            "files have it, and hyphen-",
            "ated words are joined.",
            f"- an item of {word}",
            f"Page {number}",
        ]
        for number, word in enumerate(("first", "second", "third", "fourth"), start=1)
    ]
    (tmp_path / "manual.pdf").write_bytes(a_pdf(pages))

    document = read(tmp_path / "manual.pdf")

    assert [piece.heading for piece in document.pieces] == [f"manual > p. {number}" for number in range(1, 5)]
    assert document.pieces[0].text == (
        "This first sentence is broken over two lines of the page, as PDF files have it, "
        "and hyphenated words are joined.\n\n- an item of first"
    )


def test_pdf_bookmarks_are_headings(tmp_path: Path) -> None:
    writer = PdfWriter(
        clone_from=PdfReader(io.BytesIO(a_pdf([["Intro."], ["Thirty days."], ["Opened boxes too."]])))
    )
    writer.add_metadata({"/Title": "Handbook"})
    chapter = writer.add_outline_item(title="Returns", page_number=1)
    writer.add_outline_item(title="Opened boxes", page_number=2, parent=chapter)
    writer.write(tmp_path / "manual.pdf")

    assert pieces(read(tmp_path / "manual.pdf")) == [
        ("Handbook > p. 1", "Intro."),
        ("Handbook > Returns", "Thirty days."),
        ("Handbook > Returns > Opened boxes", "Opened boxes too."),
    ]


def test_pdfs_that_cannot_be_read_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(a_pdf([["x"]]))))
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(tmp_path / "locked.pdf")
    (tmp_path / "scan.pdf").write_bytes(a_pdf([[]]))
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (tmp_path / "long.pdf").write_bytes(a_pdf([["x"], ["y"]]))

    assert "protected by a password. Save it without one" in refusal(tmp_path / "locked.pdf")
    assert "holds no text, only pictures (a scan). Run text recognition" in refusal(tmp_path / "scan.pdf")
    assert "The PDF is damaged" in refusal(tmp_path / "broken.pdf")
    monkeypatch.setattr(pdf_module, "MAX_PAGES", 1)
    assert "has 2 pages; at most 1 are read. Split it." in refusal(tmp_path / "long.pdf")


def test_plain_text_is_split_at_blank_lines(tmp_path: Path) -> None:
    path = text_file(tmp_path, "note.txt", "One.\r\n\r\nTwo.\r\n")

    assert pieces(read(path)) == [("note", "One.\n\nTwo.")]


def test_records_of_jsonl_are_documents_of_their_own(tmp_path: Path) -> None:
    lines = [
        {
            "id": "d 1",
            "title": "Cards",
            "content": "## Fees\n\nNone.",
            "url": "https://example.com/c",
            "lang": "en",
        },
        {"标题": "退货", "内容": "七天内可退。"},
        {"id": "x", "title": "Empty"},
        {"id": "y", "content": "Words.", "url": "ftp://x"},
        {"id": "z", "content": "***"},
    ]
    path = text_file(tmp_path, "kb/docs.jsonl", "\n".join([*map(json.dumps, lines), "{"]))

    rows = list(read_documents(path, characters=700))

    documents = [row.document for row in rows]
    assert documents[0]
    assert documents[1]
    assert (documents[0].id, documents[0].url, documents[0].locale) == ("d-1", "https://example.com/c", "en")
    assert pieces(documents[0]) == [("Cards > Fees", "None.")]
    assert (documents[1].id, documents[1].locale) == ("kb-docs.jsonl-退货", "zh")
    assert [str(row.problem).removeprefix(f"{path}, ")[:40] for row in rows[2:]] == [
        "line 3, column 'content': The record has",
        "line 4: 'ftp://x' is not a web address. ",
        "line 5, column 'content': It holds no wo",
        "line 6: The line is not JSON, at charact",
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.xyz", "x", "Files of kind '.xyz' are not read as documents. Known are .md"),
        ("a.md", "  \n---\n", "The document holds no text."),
        ("a.html", "<div>" * 3_000 + "x", "nested too deeply"),
        ("a.json", "{}", "holds no list of objects"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    assert said in refusal(text_file(tmp_path, name, text))


def test_paragraphs_stay_whole_and_are_packed_together() -> None:
    blocks = [Block("a" * 40), Block("b" * 40), Block("c" * 40)]

    found = pieces_of("T", blocks, characters=100)

    assert [piece.text for piece in found] == ["a" * 40 + "\n\n" + "b" * 40, "c" * 40]


def test_long_paragraphs_are_cut_between_sentences() -> None:
    text = (
        "第一句话在这里。第二句话也在这里！第三句话还在这里？"
        "The fourth one costs 3.50 dollars. The fifth is here."
    )

    found = pieces_of("T", [Block(text)], characters=36)

    assert [piece.text for piece in found] == [
        "第一句话在这里。第二句话也在这里！第三句话还在这里？",
        "The fourth one costs 3.50 dollars.",
        "The fifth is here.",
    ]


def test_long_lists_are_cut_between_lines_and_endless_words_at_last() -> None:
    found = pieces_of("T", [Block("- one item\n- two item\n" + "x" * 25)], characters=20)

    assert [piece.text for piece in found] == ["- one item", "- two item", "x" * 20, "x" * 5]


@given(
    st.lists(st.text(alphabet="ab。.！ \n，,退货", max_size=120), max_size=6),
    st.integers(min_value=5, max_value=60),
)
def test_pieces_are_never_too_long_and_lose_no_letter(texts: list[str], characters: int) -> None:
    found = pieces_of("T", [Block(text) for text in texts], characters=characters)

    letters = [character for text in texts for character in text if character.isalnum()]
    kept = [character for piece in found for character in piece.text if character.isalnum()]
    assert kept == letters
    assert all(len(piece.text) <= characters for piece in found)


def test_a_heading_ends_those_of_its_level_and_below() -> None:
    blocks = [
        Block("A", 1),
        Block("B", 2),
        Block("C", 3),
        Block("x"),
        Block("D", 2),
        Block("y"),
        Block("", 1),
        Block("z"),
    ]

    assert [piece.heading for piece in pieces_of("T", blocks, characters=99)] == [
        "T > A > B > C",
        "T > A > D",
        "T",
    ]


def test_a_table_of_one_row_is_a_line() -> None:
    assert table_lines([["a", "", "b"]]) == "a; b"
    assert table_lines([["", "Price"], ["Basic", "$5", "extra"], ["", ""]]) == "Basic; Price: $5; extra"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("help/退货 说明.md", "help-退货-说明.md"), ("a#b?c", "a-b-c"), ("（一）.md", "(一).md")],
)
def test_an_id_keeps_letters_of_all_languages(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_a_long_name_gets_a_short_id_of_its_own() -> None:
    first, second = slug("x" * 300 + "1"), slug("x" * 300 + "2")

    assert first != second
    assert len(first) <= 180
