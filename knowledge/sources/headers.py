"""Which column is which: our names, what people call them, and what vendors export.

| vendor | shape |
|---|---|
| Chatwoot, QAnything | question, answer |
| Dify, Kendra CSV | the same without a header; Kendra with the address as the third column |
| Kendra CSV_WITH_HEADER, JSON | _question, _answer, _category, _source_uri, _language_code; FaqDocuments |
| WeKnora | eight Chinese columns, values and alternative answers parted by ## |
| MaxKB | section title, section content (the answer), questions one a line, the first being the standard one |
| Azure, QnA Maker | TSV; one row a wording with the same QnaId; Metadata k:v|k:v; JSON in two columns |
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, TypeAlias

Vendor: TypeAlias = Literal["kefu", "azure", "maxkb", "weknora"]
"""Whose rules apply to the cells; all others need none of their own."""

COLUMNS = (
    "id", "question", "similar_questions", "negative_questions", "answer", "category", "tags", "locale",
    "enabled", "buttons", "source_url", "valid_from", "valid_to",
)  # fmt: skip
"""Our columns, in the order in which they are exported."""

_ALIASES = {
    "id": "faqid 编号 questionid 问题id qnaid",
    "question": "q questions 问题 標準問題 标准问 标准问题 standardquestion 提问 问",
    "similar_questions": "similarquestion similars 相似问题 相似问 相似问法 扩展问 扩展问题 alternatequestions synonyms",
    "negative_questions": "negativequestion negatives 反例问题 反例",
    "answer": "a answers 答案 回答 机器人回答 答复 回复 答",
    "category": "分类 类别 topic tagname",
    "tags": "tag 标签",
    "locale": "language lang 语言 languagecode",
    "enabled": "isenabled 启用 是否启用 active isactive",
    "buttons": "button quickreplies 按钮 快捷回复",
    "source_url": "url link 链接 来源链接 sourceuri",
    "valid_from": "生效日期 生效时间 开始日期 startdate",
    "valid_to": "失效日期 失效时间 过期日期 结束日期 enddate expires",
    # Vendors' columns that need a rule of their own; see faq.py.
    "disabled": "是否停用 停用 isdisabled",
    "answer_all": "是否全部回复 answerall",
    "answer_strategy": "answerstrategy",
    "section_title": "分段标题 sectiontitle paragraphtitle",
    "section_content": "分段内容 sectioncontent paragraphcontent",
    "metadata": "metadata 元数据",
    "suggested_questions": "suggestedquestions",
    "prompts": "prompts",
    "dialog": "dialog context",
    "attributes": "attributes",
    "source_name": "source 来源",
    # Known, and without a meaning here.
    "ignored": "iscontextonly sourcedisplayname 是否禁止被推荐 isrecommended 错误原因 createdat updatedat "
    "lastupdateddatetime accesscontrollist schemaversion",
}

_INDEX = {
    alias: column
    for column, aliases in _ALIASES.items()
    for alias in (column.replace("_", ""), *aliases.split())
    if column != "ignored" or alias != "ignored"
}


@lru_cache(maxsize=4096)
def column_of(header: str) -> str | None:
    """Our name of a column, or None when it is not known.

    Case, spaces, underscores, full-width forms and remarks in brackets do not matter: "问题（必填）",
    "_question" and "Question" are all "question".
    """
    return _INDEX.get(bare_header(header))


def bare_header(header: str) -> str:
    """A header without case, spaces, signs and remarks in brackets."""
    folded = unicodedata.normalize("NFKC", header).casefold()
    return re.sub(r"[\s_\-*:\ufeff]+", "", re.sub(r"\(.*?(?:\)|$)|\[.*?\]", "", folded))


def vendor_of(headers: Iterable[str]) -> Vendor:
    """Whose file this is, from its headers."""
    columns = {column_of(header) for header in headers}
    bare = {bare_header(header) for header in headers}
    if "section_content" in columns:
        return "maxkb"
    if "机器人回答" in bare or {"answer_all", "disabled"} & columns or "standardquestion" in bare:
        return "weknora"
    if "qnaid" in bare or {"suggested_questions", "prompts", "dialog"} & columns:
        return "azure"
    return "kefu"
