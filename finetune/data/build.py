"""From logs, records, FAQs and intents to datasets: the whole way on one page, and nothing written."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from chatbot.chats import Chat
from finetune.data.augmentation import varied
from finetune.data.division import LIKENESS, Division, check_leaks, divide
from finetune.data.exchanges import Exchange, cleaned, exchanges
from finetune.data.grounding import Grounder
from finetune.data.logs import Read
from finetune.data.material import (
    Material,
    best_of,
    learn_completions,
    learn_entries,
    learn_exchange,
    learn_intent,
    learn_intents,
    with_negatives,
)
from finetune.data.values import (
    SPLITS,
    Completion,
    Conversation,
    DataError,
    Example,
    Labelled,
    Pair,
    Row,
    SetAside,
    Split,
)
from knowledge.clean import duplicate_groups, language_of, normalise
from knowledge.sources.intents import Intent
from knowledge.sources.places import Place
from knowledge.types import Entry, Passage, Progress, Retriever

PLACEHOLDERS = ("[phone]", "[email]", "[id]", "[card]", "[secret]")

RowT = TypeVar("RowT", Example, Pair, Labelled)


@dataclass(frozen=True, slots=True)
class Options:
    """What the data may be made like."""

    held_out: float = 0.1
    """Share of the rows for valid, and again for test."""
    least_quality: float = 0.5
    """An answer is learned from where what speaks for it weighs as much as what speaks against."""
    augment: float = 0.0
    """Share of the training rows that get a varied copy."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Company:
    """What the company knows, and how it is searched."""

    entries: Sequence[Entry]
    intents: Mapping[str, Intent]
    retriever: Retriever
    passages: int = 3
    """How many passages the dialogue model reads."""


@dataclass(slots=True)
class Built:
    """The datasets, divided, with all that was set aside and counted on the way."""

    rows: dict[str, list[tuple[Split, Row]]]
    passages: dict[str, Passage]
    aside: list[SetAside]
    division: Division
    chats: dict[Split, list[Chat]]
    """What customers asked, message by message, with what answered it; by the split of their conversation."""
    read: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)


def build(
    reads: Iterable[Read],
    company: Company,
    *,
    mask: Callable[[str], str],
    options: Options,
    progress: Progress | None = None,
) -> Built:
    """Make the datasets.

    Args:
        reads: What the logs and the records hold.
        company: What it knows.
        mask: The redactor; everything that was said goes through it before anything else.
        options: Shares, limits, seed.
        progress: Told how far it is.

    Raises:
        DataError: There is nothing to learn from.
        LeakError: The split would leak; a mistake of the program, never of the data.
    """
    material = Material()
    counted: Counter[str] = Counter()
    masked: Counter[str] = Counter()
    counting = _counting(mask, masked)
    grounder = Grounder(company.retriever, company.entries, passages=company.passages)
    taken, completions = _taken(reads, counting, material, counted)
    for done, exchange in enumerate(taken, start=1):
        learn_exchange(exchange, grounder, material, least=options.least_quality)
        learn_intent(exchange, company.intents, material, least=options.least_quality)
        if progress and (done % 20 == 0 or done == len(taken)):
            progress("Searching passages", done / len(taken))
    learn_completions(completions, material)
    learn_entries(company.entries, grounder, material, seed=options.seed, progress=progress)
    learn_intents(company.intents.values(), material)
    known = {entry.passage.id: entry.passage for entry in company.entries}
    material.pairs = with_negatives(material.pairs, known, grounder)
    return _divided(material, known, options, counted, masked, progress)


def _taken(
    reads: Iterable[Read], mask: Callable[[str], str], material: Material, counted: Counter[str]
) -> tuple[list[Exchange], list[Completion]]:
    """The exchanges and completions of all that was read; each conversation once."""
    taken: list[Exchange] = []
    completions: list[Completion] = []
    seen: set[str] = set()
    for read in reads:
        if isinstance(read, SetAside):
            counted["lines set aside"] += 1
            material.aside.append(replace(read, text=mask(read.text), why=mask(read.why)))
        elif isinstance(read, Completion):
            counted["completions"] += 1
            completions.append(_masked(read, mask))
        elif read.id in seen:
            why = "A conversation of this id was read before."
            material.aside.append(SetAside(read.place, why, conversation_id=read.id))
        else:
            counted["conversations"] += 1
            seen.add(read.id)
            taken += _exchanges(read, mask, material)
    counted["exchanges"] = len(taken)
    return taken, completions


def _exchanges(conversation: Conversation, mask: Callable[[str], str], material: Material) -> list[Exchange]:
    clean = cleaned(conversation, mask)
    if isinstance(clean, SetAside):
        material.aside.append(clean)
        return []
    found = list(exchanges(clean))
    material.aside += [one for one in found if isinstance(one, SetAside)]
    return [one for one in found if isinstance(one, Exchange)]


def _masked(completion: Completion, mask: Callable[[str], str]) -> Completion:
    context = tuple(mask(text) for text in completion.context)
    return replace(
        completion,
        context=context,
        question=mask(completion.question),
        standalone=mask(completion.standalone),
    )


def _counting(mask: Callable[[str], str], masked: Counter[str]) -> Callable[[str], str]:
    def counted(text: str) -> str:
        clean = mask(text)
        if clean != text:
            masked.update(
                {mark: clean.count(mark) - text.count(mark) for mark in PLACEHOLDERS if mark in clean}
            )
        return clean

    return counted


def _divided(
    material: Material,
    known: dict[str, Passage],
    options: Options,
    counted: Counter[str],
    masked: Counter[str],
    progress: Progress | None,
) -> Built:
    if progress:
        progress("Finding near-duplicates", 0.0)
    groups = duplicate_groups([example.key for example in material.examples], likeness=LIKENESS)
    datasets: dict[str, list[Row]] = {
        "dialogue": [*best_of(material, groups)],
        "retriever": [*_once(material.pairs, lambda pair: pair.answer_id)],
        "intents": [*_unambiguous(material)],
    }
    if not any(datasets.values()):
        raise DataError(
            "There is nothing to learn from. Import an FAQ with 'kefu import faq', or name logs with --logs."
        )
    division = divide(datasets, held_out=options.held_out, seed=options.seed)
    if progress:
        progress("Finding near-duplicates", 0.5)
    check_leaks(datasets, division)
    if progress:
        progress("Finding near-duplicates", 1.0)
    rows = {
        name: [(split, row) for split in SPLITS for row in _ordered(rows, division, split, options)]
        for name, rows in datasets.items()
    }
    chats = _chats(material, division)
    return Built(rows, known, material.aside, division, chats, counted, material.verdicts, masked)


def _chats(material: Material, division: Division) -> dict[Split, list[Chat]]:
    """Conversations of which it is known what answered something."""
    chats: dict[Split, list[Chat]] = {split: [] for split in SPLITS}
    for conversation, lines in material.chats.items():
        split = division.splits.get(conversation)
        if split and any(line.answers for line in lines):
            locale = language_of(" ".join(line.text for line in lines))
            chats[split].append(Chat(locale=locale, messages=tuple(lines)))
    return chats


def _ordered(rows: Sequence[Row], division: Division, split: Split, options: Options) -> list[Row]:
    """The rows of a split in an order of the seed, the varied copies of the training rows among them."""
    own: list[Any] = [row for row in rows if division.of(row) == split]
    if split == "train" and options.augment:
        held_out = [row.key for row in rows if division.of(row) != "train"]
        own += varied(own, seed=options.seed, held_out=held_out, share=options.augment)
    random.Random(f"{options.seed}:{split}").shuffle(own)
    return own


def _once(rows: Iterable[RowT], label: Callable[[RowT], str]) -> list[RowT]:
    """Without rows that say the same of the same label in another spelling; the first stays."""
    kept: dict[tuple[str, str], RowT] = {}
    for row in rows:
        kept.setdefault((normalise(row.key), label(row)), row)
    return list(kept.values())


def _unambiguous(material: Material) -> list[Labelled]:
    """Messages of intents; one that a log files under another intent than before is set aside."""
    kept = _once(material.labelled, lambda row: row.intent)
    first: dict[str, Labelled] = {}
    # What people wrote for an intent outweighs under what a conversation was filed.
    for row in sorted(kept, key=lambda row: row.source != "intents"):
        other = first.setdefault(normalise(row.text), row)
        if other is not row:
            why = f"The message is filed under '{row.intent}', but it stands for '{other.intent}' already."
            material.aside.append(SetAside(Place(row.source), why, row.text, row.conversation_id or row.unit))
    chosen = {id(row) for row in first.values()}
    return [row for row in kept if id(row) in chosen]
