"""Import in two steps: a plan that says what each row would do, then writing it.

    plan = plan_import_faq(store, [Path("faq.xlsx")])
    print(plan.counts, *plan.problems)                   # --dry-run stops here
    apply(store, plan, progress=print)

What a row can be:

| outcome | meaning | written |
|---|---|---|
| new | no entry has its id, nor its question | yes |
| changed | the entry has other content | unless on_conflict="skip" |
| same | nothing to do | no |
| duplicate | another row or entry has the question and the same answer | no |
| conflicting | another row or entry has the question and another answer | when it brings an id of its own |
| invalid | it cannot be read; place and remedy are named | no |

A row without an id belongs to the stored entry with the same question in the same language (all spellings
of a question are one, see `clean.normalise`); a new entry gets an id made of both, so importing a file
twice changes nothing. Edit the *answer* of such a row and the entry changes; edit the *question* and it is
a new entry beside the old one: to reword a question, export, edit there (the export has ids) and import.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeAlias, TypeVar

from knowledge.errors import ConflictError, KnowledgeError
from knowledge.items import Document, Faq
from knowledge.sources.intents import Intent
from knowledge.sources.places import Place, Problem
from knowledge.store import DOCUMENT_PAGE, PAGE, KnowledgeStore, chunks

Outcome: TypeAlias = Literal["new", "changed", "same", "duplicate", "conflicting", "invalid"]
OUTCOMES: tuple[Outcome, ...] = ("new", "changed", "same", "duplicate", "conflicting", "invalid")
OnConflict: TypeAlias = Literal["overwrite", "skip", "fail"]
"""What becomes of a row that contradicts what is stored: taken, left out, or nothing at all is written."""
Progress: TypeAlias = Callable[[int, int], None]
"""Called with how many are done and how many there are."""

Item = TypeVar("Item", Faq, Document, Intent)


@dataclass(frozen=True, slots=True)
class RowReport:
    """What one row would do."""

    place: Place
    outcome: Outcome
    item_id: str = ""
    """Of the entry that it is, or would become; of the twin for a duplicate."""
    message: str = ""
    """Why, and what to do; empty where there is nothing to say."""
    written: bool = False

    def __str__(self) -> str:
        return f"{self.outcome}: {self.message or self.place}"


@dataclass(frozen=True, slots=True)
class ImportPlan(Generic[Item]):
    """The report of an import, and what it would write."""

    rows: tuple[RowReport, ...]
    writes: tuple[Item, ...]
    remarks: tuple[str, ...] = ()
    """About whole files: columns that are not known, cells that were left out, how a file was understood."""
    on_conflict: OnConflict = "overwrite"

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """Rows by outcome, all six."""
        found = Counter(row.outcome for row in self.rows)
        return {outcome: found[outcome] for outcome in OUTCOMES}

    @property
    def problems(self) -> tuple[RowReport, ...]:
        """Rows that a person should look at: invalid, conflicting, duplicate."""
        return tuple(row for row in self.rows if row.outcome in ("invalid", "conflicting", "duplicate"))

    @property
    def failed(self) -> bool:
        """Whether some row could not be imported."""
        return any(row.outcome == "invalid" for row in self.rows)


@dataclass(slots=True)
class Draft(Generic[Item]):
    """A plan in the making."""

    on_conflict: OnConflict
    rows: list[RowReport] = field(default_factory=list)
    writes: list[Item] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def invalid(self, problems: Iterable[Problem]) -> None:
        """A row that cannot be read, with all that is wrong with it."""
        found = list(problems)
        self.rows.append(RowReport(found[0].place, "invalid", message=" ".join(map(str, found))))

    def add(self, place: Place, outcome: Outcome, item: Item, *, item_id: str, message: str = "") -> None:
        """A row that is to be written, unless it contradicts and `on_conflict` says otherwise."""
        written = outcome == "new" or (
            outcome in ("changed", "conflicting") and self.on_conflict == "overwrite"
        )
        self.rows.append(RowReport(place, outcome, item_id, message, written))
        if written:
            self.writes.append(item)

    def leave(self, place: Place, outcome: Outcome, *, item_id: str, message: str = "") -> None:
        """A row that is not to be written."""
        self.rows.append(RowReport(place, outcome, item_id, message))

    def plan(self) -> ImportPlan[Item]:
        """The finished plan."""
        return ImportPlan(tuple(self.rows), tuple(self.writes), tuple(self.remarks), self.on_conflict)


def apply(
    store: KnowledgeStore,
    plan: ImportPlan[Item],
    *,
    progress: Progress | None = None,
    strict: bool = False,
) -> int:
    """Write what the plan says; returns how many items changed.

    FAQs are written 2,000 in a transaction, documents 50, intents all in one. A process killed in
    between leaves whole transactions, and the same import then does the rest.

    Raises:
        KnowledgeError: `strict`, and a row is invalid; nothing was written.
        ConflictError: The plan was made with on_conflict="fail" and a row contradicts; nothing was written.
    """
    _refuse(plan, strict=strict)
    total, done, changed = len(plan.writes), 0, 0
    for chunk in chunks(plan.writes, _chunk_size(plan.writes)):
        changed += _write(store, chunk)
        done += len(chunk)
        if progress:
            progress(done, total)
    return changed


def _refuse(plan: ImportPlan[Item], *, strict: bool) -> None:
    bad = [row for row in plan.rows if row.outcome == "invalid"]
    if strict and bad:
        raise KnowledgeError(
            f"{len(bad)} row(s) cannot be imported, the first: {bad[0].message} "
            "Nothing was written; mend them, or import without --strict."
        )
    against = [row for row in plan.rows if row.outcome in ("changed", "conflicting")]
    if plan.on_conflict == "fail" and against:
        raise ConflictError(
            f"{len(against)} row(s) contradict what is stored, the first: {against[0].message or against[0].place} "
            "Nothing was written; choose --on-conflict overwrite or skip."
        )


def _chunk_size(writes: Sequence[Item]) -> int:
    if writes and isinstance(writes[0], Faq):
        return PAGE
    return DOCUMENT_PAGE if writes and isinstance(writes[0], Document) else max(1, len(writes))


def _write(store: KnowledgeStore, chunk: Sequence[Faq | Document | Intent]) -> int:
    faqs = [item for item in chunk if isinstance(item, Faq)]
    documents = [item for item in chunk if isinstance(item, Document)]
    intents = [item for item in chunk if isinstance(item, Intent)]
    changed = store.upsert_faqs(faqs) if faqs else 0
    changed += store.upsert_documents(documents) if documents else 0
    return changed + (store.upsert_intents(intents) if intents else 0)
