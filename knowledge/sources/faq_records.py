"""One record of an FAQ file -> one FAQ, with the rules that single vendors need."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from knowledge.clean import Language, language_of, normalise
from knowledge.items import Faq
from knowledge.sources.cells import CellError, day, locale_tag, plain, several, truth, unique, web_address
from knowledge.sources.headers import Vendor, column_of
from knowledge.sources.places import Place, Problem, excerpt

MAX_QUESTION = 2_000
MAX_ANSWER = 50_000
MAX_ID = 200

NOTHING: tuple[str, ...] = ()
NO_PAIRS: tuple[tuple[str, str], ...] = ()

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FaqRow:
    """What one row of a file says."""

    place: Place
    faq: Faq | None
    """None when it cannot be imported; the problems say why."""
    own_id: bool = False
    """Whether the file gave the id; otherwise it is derived from language and question."""
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    """What was left out of a row that is imported all the same."""


def derived_id(question: str, locale: str) -> str:
    """The id of a row that has none: the same for all spellings of the question, in every import."""
    digest = hashlib.sha256(f"{locale}\n{normalise(question)}".encode()).hexdigest()
    return f"q-{digest[:16]}"


def faq_of(place: Place, record: Mapping[str, Any], *, vendor: Vendor, locale: str | None) -> FaqRow:
    """Read one record.

    Args:
        place: Where it stands.
        record: Header as written -> value (text, or what JSON holds).
        vendor: Whose rules apply.
        locale: The language of rows that do not say; None guesses it from question and answer.
    """
    cells = _Cells(place, record)
    question, wordings = _questions(cells, vendor)
    answer = _answer(cells, vendor)
    category, tags = _labels(cells)
    language = cells.take("locale", locale_tag, None) or locale or _guess(question, answer)
    own_id = " ".join(cells.take("id", plain, "").split())
    faq = Faq(
        id=own_id or derived_id(question, language),
        question=question,
        answer=answer,
        locale=language,
        similar_questions=_others(question, (*wordings, *_similar(cells, vendor))),
        negative_questions=cells.take("negative_questions", several, NOTHING),
        category=category,
        tags=tags,
        enabled=_enabled(cells),
        buttons=unique((*cells.take("buttons", several, NOTHING), *_prompts(cells))),
        source_url=_address(cells),
        valid_from=cells.take("valid_from", day, None),
        valid_to=cells.take("valid_to", day, None),
    )
    _check(faq, cells)
    return FaqRow(
        place,
        None if cells.problems else faq,
        own_id=bool(own_id),
        problems=tuple(cells.problems),
        notes=tuple(cells.notes),
    )


def merge_wordings(rows: Sequence[FaqRow]) -> list[FaqRow]:
    """Azure writes one row a wording: rows with the same id and answer become one FAQ, at the first's place."""
    merged: list[FaqRow] = []
    places: dict[tuple[str, str], int] = {}
    for row in rows:
        if row.faq is None or not row.own_id:
            merged.append(row)
            continue
        key = (row.faq.id, row.faq.answer)
        if key not in places:
            places[key] = len(merged)
            merged.append(row)
            continue
        first = merged[places[key]]
        kept = first.faq or row.faq
        wordings = (*kept.similar_questions, row.faq.question, *row.faq.similar_questions)
        faq = replace(kept, similar_questions=_others(kept.question, wordings))
        merged[places[key]] = replace(first, faq=faq, notes=(*first.notes, *row.notes))
    return merged


class _Cells:
    """The cells of one record by our column names; gathers what is wrong with them."""

    def __init__(self, place: Place, record: Mapping[str, Any]) -> None:
        self.place = place
        self.problems: list[Problem] = []
        self.notes: list[Problem] = []
        self._cells: dict[str, tuple[str, Any]] = {}
        for header, value in record.items():
            self._add(header, value)

    def _add(self, header: str, value: Any) -> None:
        column = column_of(header)
        if column == "attributes" and isinstance(value, dict):  # Kendra keeps its fields one level down
            for inner, inner_value in value.items():
                self._add(inner, inner_value)
        elif column:
            self._cells.setdefault(column, (header, value))

    def has(self, column: str) -> bool:
        return column in self._cells

    def take(self, column: str, parse: Callable[[Any], T], default: T) -> T:
        """The parsed cell, or `default` when it is missing or wrong; what is wrong is kept."""
        header, value = self._cells.get(column, ("", None))
        if not header or value is None or value == "":
            return default
        try:
            return parse(value)
        except CellError as error:
            self.problems.append(Problem(self.place.at(header), error.what, error.do))
            return default

    def problem(self, column: str, what: str, do: str) -> None:
        self.problems.append(Problem(self.place.at(self._header(column)), what, do))

    def note(self, column: str, what: str, do: str) -> None:
        self.notes.append(Problem(self.place.at(self._header(column)), what, do))

    def _header(self, column: str) -> str:
        return self._cells.get(column, (column, None))[0]


def _questions(cells: _Cells, vendor: Vendor) -> tuple[str, tuple[str, ...]]:
    """The standard question, and other wordings that stand in the same cell."""

    def read(value: Any) -> tuple[str, ...]:
        if vendor == "maxkb" or isinstance(value, list):
            return several(value)
        text = plain(value)
        return (" ".join(_unescaped(text, vendor).split()),) if text else ()

    found = cells.take("question", read, NOTHING)
    if not found and vendor == "maxkb":
        found = cells.take("section_title", several, NOTHING)
    return (found[0], found[1:]) if found else ("", NOTHING)


def _answer(cells: _Cells, vendor: Vendor) -> str:
    column = "section_content" if vendor == "maxkb" and cells.has("section_content") else "answer"
    if vendor != "weknora":
        return _unescaped(cells.take(column, plain, ""), vendor)
    answers = cells.take("answer", _alternatives, NOTHING)
    together = cells.take("answer_all", lambda value: truth(value, default=False), False)
    if together or cells.take("answer_strategy", plain, "") == "all":
        return "\n\n".join(answers)
    if len(answers) > 1:
        cells.note(
            "answer",
            f"{len(answers) - 1} alternative answer(s) are left out: a question has one answer here.",
            "Merge them into the first one if they say more.",
        )
    return answers[0] if answers else ""


def _alternatives(value: Any) -> tuple[str, ...]:
    parts = value if isinstance(value, list) else plain(value).split("##")
    return unique(plain(part) for part in parts)


def _similar(cells: _Cells, vendor: Vendor) -> tuple[str, ...]:
    similar = cells.take("similar_questions", several, NOTHING)
    suggested = cells.take("suggested_questions", _suggestions, NOTHING)
    return tuple(_unescaped(text, vendor) for text in (*similar, *suggested))


def _suggestions(value: Any) -> tuple[str, ...]:
    """QnA Maker's clusters: [{"clusterHead": …, "alternateQuestionList": [{"question": …}]}]."""
    parsed = _json(value)
    if not isinstance(parsed, list):
        return several(value)
    texts = []
    for cluster in parsed:
        if isinstance(cluster, dict):
            fields = {key.casefold(): item for key, item in cluster.items()}
            texts.append(plain(fields.get("clusterhead")))
            others = fields.get("alternatequestionlist")
            for other in others if isinstance(others, list) else []:
                texts += [plain(item) for key, item in dict(other).items() if key.casefold() == "question"]
        else:
            texts.append(plain(cluster))
    return unique(texts)


def _prompts(cells: _Cells) -> tuple[str, ...]:
    dialog = cells.take("dialog", _json, None)
    own = dialog.get("prompts") if isinstance(dialog, dict) else None
    return cells.take("prompts", _prompt_texts, NOTHING) or _prompt_texts(own)


def _prompt_texts(value: Any) -> tuple[str, ...]:
    parsed = _json(value)
    if parsed in (None, ""):
        return ()
    if not isinstance(parsed, list) or not all(isinstance(prompt, dict) for prompt in parsed):
        raise CellError(
            f"{excerpt(value)} is no list of prompts.", 'Write [{"displayText": …}], or leave it empty.'
        )
    ordered = sorted(parsed, key=lambda prompt: int(prompt.get("displayOrder") or 0))
    return unique(plain(prompt.get("displayText")) for prompt in ordered)


def _labels(cells: _Cells) -> tuple[str | None, tuple[str, ...]]:
    """Category and tags; Azure's metadata are tags "key:value", but for the key "category"."""
    category = " ".join(cells.take("category", plain, "").split())
    tags = list(cells.take("tags", several, NOTHING))
    for key, value in cells.take("metadata", _metadata, NO_PAIRS):
        if key.casefold() == "category" and not category:
            category = value
        else:
            tags.append(f"{key}:{value}" if key else value)
    if cells.has("section_content"):
        category = category or " ".join(cells.take("section_title", plain, "").split())
    return (None if category in ("", "未分类") else category[:200]), unique(tags)


def _metadata(value: Any) -> tuple[tuple[str, str], ...]:
    parsed = _json(value)
    if isinstance(parsed, dict):
        return tuple((key, plain(item)) for key, item in parsed.items())
    if isinstance(parsed, list):
        return tuple(
            (plain(item.get("name")), plain(item.get("value"))) for item in parsed if isinstance(item, dict)
        )
    pairs = [part.partition(":") for part in re.split(r"[|\n]", plain(value)) if part.strip()]
    return tuple((key.strip(), item.strip()) if colon else ("", key.strip()) for key, colon, item in pairs)


def _enabled(cells: _Cells) -> bool:
    disabled = cells.take("disabled", lambda value: truth(value, default=False), False)
    return cells.take("enabled", truth, True) and not disabled


def _address(cells: _Cells) -> str | None:
    try:
        found = cells.take("source_url", plain, "")
        name = cells.take("source_name", plain, "")
        return web_address(found) or (name if re.match(r"https?://\S+$", name) else None)
    except CellError as error:
        cells.note("source_url", f"The address is left out: {error.what}", error.do)
        return None


def _check(faq: Faq, cells: _Cells) -> None:
    broken = {problem.place.column for problem in cells.problems}
    answer = "section_content" if cells.has("section_content") else "answer"
    if not faq.question and cells._header("question") not in broken:
        cells.problem("question", "The question is empty.", "Write one, or delete the row.")
    if not faq.answer and cells._header(answer) not in broken:
        cells.problem(answer, "The answer is empty.", "Write one, or delete the row.")
    if len(faq.question) > MAX_QUESTION:
        what = f"The question has {len(faq.question):,} characters; at most {MAX_QUESTION:,} are taken."
        cells.problem("question", what, "Shorten it; details belong to the answer.")
    if len(faq.answer) > MAX_ANSWER:
        what = f"The answer has {len(faq.answer):,} characters; at most {MAX_ANSWER:,} are taken."
        cells.problem(answer, what, "Import such a text as a document.")
    if len(faq.id) > MAX_ID:
        what = f"The id {excerpt(faq.id)} has {len(faq.id)} characters; at most {MAX_ID} are taken."
        cells.problem("id", what, "Shorten it.")
    if faq.valid_from and faq.valid_to and faq.valid_from > faq.valid_to:
        what = f"The answer would end on {faq.valid_to} before it begins on {faq.valid_from}."
        cells.problem("valid_to", what, "Exchange the dates, or empty one.")


def _others(question: str, wordings: Sequence[str]) -> tuple[str, ...]:
    return tuple(wording for wording in unique(wordings) if wording != question)


def _guess(question: str, answer: str) -> Language:
    """The language a customer gets: Chinese when either half is, as answers may be only a link or code."""
    return (
        "zh"
        if "zh" in (language_of(question, default="en"), language_of(answer[:2_000], default="en"))
        else "en"
    )


def _unescaped(text: str, vendor: Vendor) -> str:
    return text.replace("\\n", "\n") if vendor == "azure" else text


def _json(value: Any) -> Any:
    """JSON inside a cell; what is none stays as it is."""
    if not isinstance(value, str) or not value.strip():
        return value
    try:
        return json.loads(value)
    except (json.JSONDecodeError, RecursionError):
        return value
