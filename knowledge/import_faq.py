"""What each row of FAQ files would do to the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from knowledge.clean import normalise
from knowledge.imports import Draft, ImportPlan, OnConflict, Progress
from knowledge.items import Faq
from knowledge.sources.encodings import UnreadableFileError
from knowledge.sources.faq import FaqFile, read_faqs
from knowledge.sources.faq_records import FaqRow
from knowledge.sources.places import Place, Problem, excerpt
from knowledge.store import KnowledgeStore

Question: TypeAlias = tuple[str, str]
"""Language and normalised question: what makes two questions one."""


def plan_import_faq(
    store: KnowledgeStore,
    paths: Iterable[Path],
    *,
    format: str | None = None,  # noqa: A002 - the command line's word
    locale: str | None = None,
    on_conflict: OnConflict = "overwrite",
    progress: Progress | None = None,
) -> ImportPlan[Faq]:
    """Compare FAQ files with the store; nothing is written.

    Args:
        store: What is known.
        paths: FAQ files, see `sources.faq`.
        format: One of `sources.faq.FORMATS`, where names and headers do not tell.
        locale: "zh" or "en" for rows that do not say; None guesses each.
        on_conflict: What becomes of rows that contradict what is stored.
        progress: Called now and then with how many rows of a file are read and how many it has.
    """
    draft: Draft[Faq] = Draft(on_conflict)
    known = _Known.of(store)
    for path in paths:
        try:
            file = read_faqs(path, format=format, locale=locale, progress=progress)
        except UnreadableFileError as error:
            draft.invalid([error.problem])
            continue
        draft.remarks += _remarks(file)
        for row in file.rows:
            if row.faq is None:
                draft.invalid(row.problems)
            else:
                _place_row(draft, known, row, row.faq)
    return draft.plan()


@dataclass(slots=True)
class _Known:
    """The entries of the store and of the rows read so far."""

    stored: dict[str, Faq]
    asked: dict[Question, list[str]] = field(default_factory=dict)
    """Question -> ids of the entries that have it."""
    answers: dict[str, str] = field(default_factory=dict)
    """Id -> answer, in the store or as these files will have it."""
    read: dict[str, tuple[Place, Faq]] = field(default_factory=dict)
    """Id -> where this import has it."""

    @classmethod
    def of(cls, store: KnowledgeStore) -> _Known:
        known = cls({faq.id: faq for faq in store.faqs()})
        for faq in known.stored.values():
            known.asked.setdefault(_question(faq), []).append(faq.id)
            known.answers[faq.id] = faq.answer
        return known

    def twins(self, faq: Faq) -> list[str]:
        """Other entries with the question."""
        return [other for other in self.asked.get(_question(faq), []) if other != faq.id]

    def where(self, faq_id: str) -> str:
        """An entry in words: the row of this import, or the stored one."""
        return f"{self.read[faq_id][0]}" if faq_id in self.read else f"the stored entry '{faq_id}'"

    def take(self, place: Place, faq: Faq) -> None:
        self.read[faq.id] = (place, faq)
        self.answers[faq.id] = faq.answer
        ids = self.asked.setdefault(_question(faq), [])
        if faq.id not in ids:
            ids.append(faq.id)


def _place_row(draft: Draft[Faq], known: _Known, row: FaqRow, faq: Faq) -> None:
    if not row.own_id:
        adopted = _adopt(known, faq)
        if adopted is None:
            _leave_contradiction(draft, known, row, faq)
            return
        faq = adopted
    if faq.id in known.read:
        _second_row(draft, known, row, faq)
        return
    old = known.stored.get(faq.id)
    if old is not None:
        faq = replace(faq, source=old.source)
        if faq == old:
            draft.leave(row.place, "same", item_id=faq.id)
        else:
            draft.add(row.place, "changed", faq, item_id=faq.id, message=_difference(row.place, old, faq))
        known.take(row.place, faq)
        return
    _new_row(draft, known, row, faq)


def _adopt(known: _Known, faq: Faq) -> Faq | None:
    """A row without id belongs to the entry with its question; None when it cannot be told to which."""
    owners = known.asked.get(_question(faq), [])
    same = [owner for owner in owners if known.answers[owner] == faq.answer]
    if same:
        return replace(faq, id=same[0])
    stored = [owner for owner in owners if owner in known.stored and owner not in known.read]
    if len(stored) == 1 == len(owners):
        return replace(faq, id=stored[0])
    return None if owners else faq


def _leave_contradiction(draft: Draft[Faq], known: _Known, row: FaqRow, faq: Faq) -> None:
    other = known.asked[_question(faq)][0]
    message = (
        f"{row.place}: The question {excerpt(faq.question)} has another answer in {known.where(other)}. "
        "Delete one of them, or give this row an id of its own; it is left out."
    )
    draft.leave(row.place, "conflicting", item_id=other, message=message)


def _second_row(draft: Draft[Faq], known: _Known, row: FaqRow, faq: Faq) -> None:
    place, first = known.read[faq.id]
    if _question(first) == _question(faq) and first.answer == faq.answer:
        _duplicate(draft, row, faq, first, where=str(place))
        return
    draft.invalid(
        [
            Problem(
                row.place,
                f"The id {excerpt(faq.id)} stands already in {place}, with another question or answer.",
                "Give each row an id of its own.",
            )
        ]
    )


def _new_row(draft: Draft[Faq], known: _Known, row: FaqRow, faq: Faq) -> None:
    twins = known.twins(faq)
    same = [twin for twin in twins if known.answers[twin] == faq.answer]
    if same:
        first = known.read[same[0]][1] if same[0] in known.read else known.stored[same[0]]
        _duplicate(draft, row, faq, first, where=known.where(same[0]))
        return
    if twins:
        message = (
            f"{row.place}: The question {excerpt(faq.question)} has another answer in {known.where(twins[0])}. "
            "Both are kept under their ids; delete the wrong one."
        )
        draft.add(row.place, "conflicting", faq, item_id=faq.id, message=message)
    else:
        draft.add(row.place, "new", faq, item_id=faq.id)
    known.take(row.place, faq)


def _duplicate(draft: Draft[Faq], row: FaqRow, faq: Faq, first: Faq, *, where: str) -> None:
    message = f"{row.place}: Question and answer stand already in {where}."
    lost = set(faq.similar_questions) - {first.question, *first.similar_questions}
    if lost:
        message += f" {len(lost)} similar question(s) are left out: add them there."
    else:
        message += " Delete one of them."
    draft.leave(row.place, "duplicate", item_id=first.id, message=message)


def _difference(place: Place, old: Faq, new: Faq) -> str:
    names = [name for name in Faq.__slots__ if getattr(old, name) != getattr(new, name)]
    return f"{place}: The entry '{old.id}' changes in {', '.join(names)}."


def _question(faq: Faq) -> Question:
    return faq.locale, normalise(faq.question)


def _remarks(file: FaqFile) -> Sequence[str]:
    remarks = [f"{file.path}: {remark}" for remark in file.remarks]
    if file.unknown_columns:
        names = ", ".join(f"'{name}'" for name in file.unknown_columns)
        remarks.append(f"{file.path}: These columns are not known and are left out: {names}.")
    notes = [note for row in file.rows for note in row.notes]
    return [*remarks, *map(str, notes)]
