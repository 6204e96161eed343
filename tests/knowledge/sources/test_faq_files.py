"""Promises of FAQ files: every common shape and encoding is read, every bad row is named."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import pytest
from knowledge_cases import text_file, xlsx_file

from knowledge.items import Faq
from knowledge.sources.encodings import UnreadableFileError
from knowledge.sources.faq import FORMATS, read_faqs
from knowledge.sources.faq_records import derived_id

CHINESE = "问题,答案\n怎么退货？,打开订单页面，点击退货。\n多久到账？,三个工作日内原路退回您的账户。\n"
WEKNORA = (
    "分类(必填),问题(必填),相似问题(选填-多个用##分隔),反例问题(选填-多个用##分隔),机器人回答(必填-多个用##分隔),"
    "是否全部回复(选填-默认FALSE),是否停用(选填-默认FALSE),是否禁止被推荐(选填-默认False 可被推荐)\n"
)
AZURE = "Question\tAnswer\tSource\tMetadata\tSuggestedQuestions\tIsContextOnly\tPrompts\tQnaId\tSourceDisplayName\n"


def faqs_of(path: Path, **options: str) -> list[Faq]:
    file = read_faqs(path, **options)  # type: ignore[arg-type]
    problems = [str(problem) for row in file.rows for problem in row.problems]
    assert problems == []
    return [row.faq for row in file.rows if row.faq]


def problems_of(path: Path) -> list[str]:
    return [str(problem) for row in read_faqs(path).rows for problem in row.problems]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16", "utf-32"])
def test_every_encoding_of_chinese_spreadsheets_is_read(tmp_path: Path, encoding: str) -> None:
    path = text_file(tmp_path, "faq.csv", CHINESE, encoding)

    assert [faq.question for faq in faqs_of(path)] == ["怎么退货？", "多久到账？"]


def test_utf_16_of_both_byte_orders_is_read(tmp_path: Path) -> None:
    for encoding, mark in (("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")):
        path = tmp_path / "faq.tsv"
        path.write_bytes(mark + CHINESE.replace(",", "\t").encode(encoding))

        assert len(faqs_of(path)) == 2


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("question,answer\nGröße?,Schöne Grüße aus Köln, für Sie geprüft\n", "latin-1"),
        ("問題,答案\n請問怎麼辦理退貨手續？,請您打開訂單頁面並點擊申請退貨按鈕。\n", "big5"),
        ("question,answer\nКак вернуть товар?,Откройте страницу заказа и нажмите кнопку.\n", "cp1251"),
    ],
)
def test_an_encoding_that_would_be_stored_as_nonsense_is_refused_by_byte(
    tmp_path: Path, text: str, encoding: str
) -> None:
    path = text_file(tmp_path, "faq.csv", text, encoding)
    first = next(place for place, byte in enumerate(path.read_bytes(), 1) if byte > 0x7F)

    with pytest.raises(UnreadableFileError, match=rf"faq\.csv: Byte {first} .*Save it as UTF-8"):
        read_faqs(path)


def test_damaged_and_unmarked_utf_16_are_refused_by_byte(tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_bytes(b"\xff\xfea\x00b")
    (tmp_path / "bare.csv").write_bytes("q,a".encode("utf-16-le"))

    with pytest.raises(UnreadableFileError, match="UTF-16-LE, but byte 5 does not fit"):
        read_faqs(tmp_path / "odd.csv")
    with pytest.raises(UnreadableFileError, match="Byte 2 is zero"):
        read_faqs(tmp_path / "bare.csv")


def test_all_our_columns_are_read(tmp_path: Path) -> None:
    path = text_file(
        tmp_path,
        "faq.csv",
        "id,question,similar_questions,negative_questions,answer,category,tags,locale,enabled,buttons,source_url,"
        "valid_from,valid_to\n"
        'f1,How?,"How now\nHow so",Why?##When?,"Line 1\nLine 2",Help,a##b,en-US,no,Yes##No,https://x.org/a,'
        "2026-01-31,2026/2/1\n",
    )

    (faq,) = faqs_of(path)

    assert faq == Faq(
        id="f1",
        question="How?",
        answer="Line 1\nLine 2",
        locale="en",
        similar_questions=("How now", "How so"),
        negative_questions=("Why?", "When?"),
        category="Help",
        tags=("a", "b"),
        enabled=False,
        buttons=("Yes", "No"),
        source_url="https://x.org/a",
        valid_from=date(2026, 1, 31),
        valid_to=date(2026, 2, 1),
    )


@pytest.mark.parametrize(
    "header",
    [
        "question,answer",
        "Q,A",
        "Question,Answer",
        "问题,答案",
        "标准问,回答",
        "标准问题（必填）,机器人回答",
        "_question,_answer",
    ],
)
def test_what_people_call_the_columns_is_understood(tmp_path: Path, header: str) -> None:
    path = text_file(tmp_path, "faq.csv", f"{header}\nHow?,So.\n")

    (faq,) = faqs_of(path)

    assert (faq.question, faq.answer) == ("How?", "So.")


def test_semicolons_and_tabs_are_told_from_commas(tmp_path: Path) -> None:
    for mark in ";\t":
        path = text_file(tmp_path, "faq.csv", f'question{mark}answer\n"One; two, three"{mark}So, yes.\n')

        assert faqs_of(path)[0].answer == "So, yes."


def test_weknora_files_are_read_by_their_eight_columns(tmp_path: Path) -> None:
    path = text_file(
        tmp_path,
        "faq.csv",
        WEKNORA
        + "售后,怎么退货,如何退货##退货流程,怎么换货,打开订单##联系客服,TRUE,FALSE,FALSE\n"
        + "未分类,多久到账,,,三天##一周,FALSE,TRUE,TRUE\n",
    )

    file = read_faqs(path)

    first, second = (row.faq for row in file.rows)
    assert first
    assert second
    assert first.answer == "打开订单\n\n联系客服"
    assert first.similar_questions == ("如何退货", "退货流程")
    assert first.negative_questions == ("怎么换货",)
    assert (first.category, first.enabled) == ("售后", True)
    assert (second.answer, second.category, second.enabled) == ("三天", None, False)
    assert "1 alternative answer" in str(file.rows[1].notes[0])
    assert file.unknown_columns == ()


def test_weknora_json_is_read(tmp_path: Path) -> None:
    entry = {
        "tag_name": "售后",
        "standard_question": "怎么退货",
        "similar_questions": ["如何退货"],
        "negative_questions": [],
        "answers": ["打开订单", "联系客服"],
        "answer_strategy": "all",
        "is_enabled": True,
    }
    path = text_file(tmp_path, "faq.json", json.dumps({"data": {"total": 1, "data": [entry]}}))

    (faq,) = faqs_of(path)

    assert faq.answer == "打开订单\n\n联系客服"
    assert (faq.question, faq.category, faq.similar_questions) == ("怎么退货", "售后", ("如何退货",))


@pytest.mark.parametrize(
    "header",
    [
        (
            "分段标题（选填）",
            "分段内容（必填，问题答案，最长不超过4096个字符）",
            "问题（选填，单元格内一行一个）",
        ),
        (
            "Section title (optional)",
            "Section content (required, question answer, no more than 4096 characters)",
            "Question (optional, one per line in the cell)",
        ),
    ],
)
def test_maxkb_workbooks_are_read_in_both_languages(tmp_path: Path, header: tuple[str, ...]) -> None:
    rows = [header, ("退货", "打开订单页面。", "怎么退货\n如何退货"), ("营业时间", "九点到六点。", None)]
    path = xlsx_file(tmp_path, "faq.xlsx", {"文档一": rows, "文档二": [header, ("", "三天。", "多久到账")]})

    faqs = faqs_of(path)

    assert [faq.question for faq in faqs] == ["怎么退货", "营业时间", "多久到账"]
    assert faqs[0].similar_questions == ("如何退货",)
    assert [faq.category for faq in faqs] == ["退货", "营业时间", None]


def test_azure_rows_with_one_qna_id_become_one_entry(tmp_path: Path) -> None:
    prompts = json.dumps(
        [
            {"displayOrder": 2, "qnaId": 3, "displayText": "Later"},
            {"displayOrder": 1, "qnaId": 2, "displayText": "Sooner"},
        ]
    )
    suggested = json.dumps([{"clusterHead": "reset", "alternateQuestionList": [{"question": "pw reset"}]}])
    path = text_file(
        tmp_path,
        "kb.tsv",
        AZURE
        + f"How to reset?\tOpen it.\\nThen reset.\thttps://x.org/kb\tcategory:account|level:1\t{quoted(suggested)}\tFalse\t{quoted(prompts)}\t1\tFAQ\n"
        + "Reset how?\tOpen it.\\nThen reset.\tEditorial\t\t[]\tFalse\t[]\t1\tFAQ\n"
        + 'Hours?\tNine.\tEditorial\t"[{""name"":""k"",""value"":""v""}]"\t[]\tFalse\t[]\t2\tFAQ\n',
    )

    file = read_faqs(path)
    first, second = faqs_of(path)

    assert first.id == "1"
    assert first.answer == "Open it.\nThen reset."
    assert first.similar_questions == ("reset", "pw reset", "Reset how?")
    assert (first.category, first.tags) == ("account", ("level:1",))
    assert first.buttons == ("Sooner", "Later")
    assert first.source_url == "https://x.org/kb"
    assert (second.tags, second.source_url) == (("k:v",), None)
    assert file.unknown_columns == ()


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def test_qna_maker_json_is_read(tmp_path: Path) -> None:
    entry = {
        "id": 2,
        "answer": "Use the API.",
        "source": "Custom Editorial",
        "questions": ["How do I create a KB?", "Make a KB"],
        "metadata": [{"name": "category", "value": "api"}],
        "context": {
            "isContextOnly": False,
            "prompts": [{"displayOrder": 1, "qnaId": 3, "displayText": "Update"}],
        },
    }
    path = text_file(tmp_path, "kb.json", json.dumps({"qnaDocuments": [entry]}))

    (faq,) = faqs_of(path)

    assert (faq.id, faq.category, faq.buttons) == ("2", "api", ("Update",))
    assert (faq.question, faq.similar_questions) == ("How do I create a KB?", ("Make a KB",))


def test_kendra_files_of_all_three_kinds_are_read(tmp_path: Path) -> None:
    basic = text_file(
        tmp_path, "basic.csv", "How many free clinics are in Spokane WA?, 13, https://www.freeclinics.com/\n"
    )
    custom = text_file(
        tmp_path,
        "custom.csv",
        "_question,_answer,_authors,_category,_source_uri,_language_code\nHow tall is it?, 605 feet, Jo, sights, https://x.org/, en\n",
    )
    document = {
        "Question": "How tall?",
        "Answer": "605 feet",
        "Attributes": {"_category": "sights", "height": 3},
    }
    as_json = text_file(
        tmp_path, "k.json", json.dumps({"SchemaVersion": 1, "FaqDocuments": [document]}, indent=1)
    )

    (first,), (second,), (third,) = faqs_of(basic), faqs_of(custom), faqs_of(as_json)

    assert (first.answer, first.source_url) == ("13", "https://www.freeclinics.com/")
    assert (second.answer, second.category, second.source_url) == ("605 feet", "sights", "https://x.org/")
    assert (third.question, third.category) == ("How tall?", "sights")
    assert read_faqs(custom).unknown_columns == ("_authors",)
    assert read_faqs(as_json).rows[0].place.line == 4


def test_dify_and_qanything_files_are_read(tmp_path: Path) -> None:
    dify = text_file(tmp_path, "dify.csv", "怎么退货呢？,打开订单。\n多久能到账？,三天。\n")
    words = text_file(tmp_path, "words.csv", "Hours,Nine\nPlace,Berlin\n")
    qanything = text_file(tmp_path, "qa.json", json.dumps([{"question": "How?", "answer": "So."}]))

    assert [faq.question for faq in faqs_of(dify)] == ["怎么退货呢？", "多久能到账？"]
    assert "No header was found" in read_faqs(dify).remarks[0]
    assert [faq.question for faq in faqs_of(words, format="dify")] == ["Hours", "Place"]
    assert faqs_of(qanything)[0].answer == "So."


def test_a_header_that_is_not_understood_is_no_question(tmp_path: Path) -> None:
    path = text_file(tmp_path, "faq.csv", "title,body\nHow do I return it?,Open the order.\n")

    with pytest.raises(
        UnreadableFileError, match=r"No column holds the question; the columns are: title, body\."
    ):
        read_faqs(path)


def test_a_misspelt_header_is_guessed_aloud(tmp_path: Path) -> None:
    path = text_file(tmp_path, "faq.csv", "questoin,answer\nHow?,So.\n")

    with pytest.raises(UnreadableFileError, match="Rename 'questoin' to 'question'"):
        read_faqs(path)


def test_unknown_and_second_columns_are_reported_and_left_out(tmp_path: Path) -> None:
    path = text_file(tmp_path, "faq.csv", "question,answer,序号,Q,\nHow?,So.,1,Why?,x\n")

    file = read_faqs(path)

    assert file.unknown_columns == ("序号", "second Q", "column 5")
    assert file.rows[0].faq
    assert file.rows[0].faq.question == "How?"


def test_a_bad_row_is_named_with_line_and_column_and_the_others_are_read(tmp_path: Path) -> None:
    path = text_file(
        tmp_path,
        "faq.csv",
        "id,question,answer,locale,enabled,valid_from,valid_to\n"
        'a,"Two\nlines?",So.,,,,\n'
        ",,,,,,\n"
        "b,,So.,,,,\n"
        "c,How?,,,,,\n"
        "d,How?,So.,klingonish!,perhaps,31.1.2026,\n"
        "e,How?,So.,,,2026-02-02,2026-02-01\n"
        "f,How?,So.,,,2026-02-30,\n"
        "g,Why?,So.,,,,\n",
    )

    assert problems_of(path) == [
        f"{path}, line 4, column 'question': The question is empty. Write one, or delete the row.",
        f"{path}, line 5, column 'answer': The answer is empty. Write one, or delete the row.",
        f"{path}, line 6, column 'locale': 'klingonish!' is not a language. Write zh or en.",
        f"{path}, line 6, column 'enabled': 'perhaps' is neither yes nor no. Write TRUE or FALSE (是 or 否).",
        f"{path}, line 6, column 'valid_from': '31.1.2026' is not a date. Write it as 2026-01-31.",
        (
            f"{path}, line 7, column 'valid_to': The answer would end on 2026-02-01 before it begins on 2026-02-02. "
            "Exchange the dates, or empty one."
        ),
        f"{path}, line 8, column 'valid_from': '2026-02-30' is not a date. Write it as 2026-01-31.",
    ]
    assert [row.faq.id for row in read_faqs(path).rows if row.faq] == ["a", "g"]


def test_too_long_texts_are_named(tmp_path: Path) -> None:
    rows = [f"x,{'q' * 2001},So.", f"y,How?,{'a' * 50_001}", f"{'i' * 201},How?,So."]
    path = text_file(tmp_path, "faq.csv", "\n".join(["id,question,answer", *rows]))

    found = problems_of(path)

    assert [
        "2,001 characters" in found[0],
        "50,001 characters" in found[1],
        "201 characters" in found[2],
    ] == [True] * 3


def test_an_open_quote_does_not_eat_the_rest_of_the_file(tmp_path: Path) -> None:
    path = text_file(
        tmp_path, "faq.csv", 'question,answer\nOne?,"Open\nTwo?,So.\nThree?,"So ""it"" is."\nFour?,So.\n'
    )

    questions = [row.faq.question for row in read_faqs(path).rows if row.faq]

    assert questions[-2:] == ["Three?", "Four?"]
    assert "line 2 of the text" in problems_of(path)[0]
    assert 'Write it twice ("")' in problems_of(path)[0]


def test_a_quote_that_never_closes_is_named_where_it_opens(tmp_path: Path) -> None:
    path = text_file(tmp_path, "faq.csv", 'question,answer\nOne?,"Open\nTwo?,So.\n')

    assert problems_of(path) == [
        (
            f'{path}, line 2: A quote (") that opens on line 2 of the text is never closed. '
            'Close it, or write it twice ("") if it belongs to the text.'
        )
    ]
    assert [row.faq.question for row in read_faqs(path).rows if row.faq] == ["Two?"]


def test_a_row_with_more_cells_than_the_header_is_named(tmp_path: Path) -> None:
    path = text_file(tmp_path, "faq.csv", "question,answer\nHow?,So, and so.\nWhy?,So.,\n")

    assert problems_of(path) == [
        (
            f"{path}, line 2: The row has 3 cells, but the header names 2 columns. "
            "Put texts that hold the separator in quotes, or name the columns."
        )
    ]


def test_a_formula_guard_is_taken_off(tmp_path: Path) -> None:
    path = text_file(tmp_path, "faq.csv", "question,answer\n'=1+1?,'-5 degrees\n'quoted',''=x\n")

    first, second = faqs_of(path)

    assert (first.question, first.answer) == ("=1+1?", "-5 degrees")
    assert (second.question, second.answer) == ("'quoted'", "'=x")


def test_workbooks_keep_numbers_dates_and_sheet_names(tmp_path: Path) -> None:
    rows = [
        ("id", "question", "answer", "enabled", "valid_from"),
        (12, "How many?", 3.0, True, datetime(2026, 1, 31)),  # noqa: DTZ001 - as a cell has it
        (None, None, None, None, None),
        (13.5, "How much?", None, False, None),
    ]
    path = xlsx_file(tmp_path, "faq.xlsx", {"FAQ": rows, "Notes": [("todo",), ("x",)], "Empty": []})

    file = read_faqs(path)

    good, bad = file.rows
    assert good.faq
    assert (good.faq.id, good.faq.answer, good.faq.valid_from) == ("12", "3", date(2026, 1, 31))
    assert str(bad.problems[0]).startswith(
        f"{path}, sheet 'FAQ', line 4, column 'answer': The answer is empty."
    )
    assert file.remarks == ("Sheet 'Notes' has no columns for question and answer and is left out.",)


def test_a_workbook_without_questions_is_refused(tmp_path: Path) -> None:
    path = xlsx_file(tmp_path, "faq.xlsx", {"Notes": [("todo", "who"), ("x", "y")]})

    with pytest.raises(UnreadableFileError, match="No column holds the question"):
        read_faqs(path)


def test_jsonl_rows_are_named_by_their_lines(tmp_path: Path) -> None:
    lines = [
        '{"question": "How?", "answer": "So.", "similar_questions": ["A", "B"], "enabled": false}',
        "",
        "{oops}",
        '["question"]',
        '{"question": {"zh": "x"}, "answer": "So."}',
    ]
    path = text_file(tmp_path, "faq.jsonl", "\n".join(lines))

    file = read_faqs(path)

    assert file.rows[0].faq
    assert (file.rows[0].faq.similar_questions, file.rows[0].faq.enabled) == (("A", "B"), False)
    assert [row.place.line for row in file.rows] == [1, 3, 4, 5]
    said = problems_of(path)
    assert "line 3: The line is not JSON, at character 2" in said[0]
    assert "line 4: This is a list, not an object" in said[1]
    assert "line 5, column 'question'" in said[2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON: Expecting property name enclosed in double quotes on line 1, character 2"),
        ('{"a": 1}', "holds no list of objects"),
        ('[{"x": "How?"}]', "No column holds the question; the columns are: x"),
    ],
)
def test_json_of_another_shape_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = text_file(tmp_path, "faq.json", text)

    with pytest.raises(UnreadableFileError, match=said):
        read_faqs(path)


def test_a_script_never_becomes_a_link(tmp_path: Path) -> None:
    path = text_file(
        tmp_path, "faq.csv", "question,answer,url\nHow?,So.,javascript:alert(1)\nWhy?,So.,/help/why\n"
    )

    file = read_faqs(path)

    assert [row.faq.source_url for row in file.rows if row.faq] == [None, "/help/why"]
    assert "The address is left out" in str(file.rows[0].notes[0])


def test_rows_without_id_get_one_from_language_and_question(tmp_path: Path) -> None:
    path = text_file(tmp_path, "faq.csv", "question,answer\n怎么退货？,好。\n怎麼退貨,好。\nHow?,So.\n")

    first, second, third = faqs_of(path)

    assert first.id == second.id == derived_id("怎么退货", "zh")
    assert third.id not in (first.id, derived_id("How?", "zh"))
    assert [row.own_id for row in read_faqs(path).rows] == [False] * 3


def test_the_language_is_stated_set_or_guessed(tmp_path: Path) -> None:
    path = text_file(
        tmp_path,
        "faq.csv",
        "question,answer,语言\nHow?,So.,\n如何删除,removeChild(x),\nHow?,So.,简体中文\nHow?,So.,zh_TW\nComment?,Ainsi.,fr\n",
    )

    assert [faq.locale for faq in faqs_of(path)] == ["en", "zh", "zh", "zh", "fr"]
    assert [faq.locale for faq in faqs_of(path, locale="zh")] == ["zh", "zh", "zh", "zh", "fr"]


def test_unknown_formats_and_endings_name_the_known_ones(tmp_path: Path) -> None:
    path = text_file(tmp_path, "faq.dat", "question,answer\nHow?,So.\n")

    with pytest.raises(UnreadableFileError, match=f"Did you mean 'xlsx'. Known are {', '.join(FORMATS)}"):
        read_faqs(path, format="xlsxx")
    with pytest.raises(UnreadableFileError, match=r"ends with '\.dat'"):
        read_faqs(path)
    with pytest.raises(UnreadableFileError, match=r"kind \.xls are not read"):
        read_faqs(tmp_path / "faq.xls")
    assert len(faqs_of(path, format="csv")) == 1


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="cannot be opened: No such file"):
        read_faqs(tmp_path / "faq.csv")


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    for name in ("faq.csv", "faq.jsonl"):
        assert read_faqs(text_file(tmp_path, name, "")).rows == ()


def test_progress_is_told_to_the_last_row(tmp_path: Path) -> None:
    path = text_file(tmp_path, "faq.csv", "question,answer\n" + "How?,So.\n" * 2_500)
    told: list[tuple[int, int]] = []

    read_faqs(path, progress=lambda done, total: told.append((done, total)))

    assert told == [(1000, 2500), (2000, 2500), (2500, 2500)]
