"""Read logs: whatever shape a line has, it becomes a conversation, a completion, or is set aside with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from chatbot.record.codec import decode_turn
from finetune.data.columns import fields_of, satisfaction_of, side_of, speaker_of, time_of, truth_of
from finetune.data.records import said_of
from finetune.data.values import Completion, Conversation, Said, SetAside
from knowledge.errors import StoreError
from knowledge.sources.json_records import read_json, read_jsonl
from knowledge.sources.places import Place, Problem, excerpt
from knowledge.sources.tables import read_delimited
from knowledge.types import Progress

Read: TypeAlias = Conversation | Completion | SetAside
ENDINGS = (".jsonl", ".json", ".csv", ".tsv")
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_PREFIXES = (":", "：")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Line:
    """A message that stands on a line of its own; lines of one conversation are joined."""

    conversation_id: str
    place: Place
    messages: tuple[Said, ...]
    source: str
    about: Conversation


def read_logs(paths: Sequence[Path], *, progress: Progress | None = None) -> Iterator[Read]:
    """All that the files hold, in their order.

    Raises:
        UnreadableFileError: A file is missing, or no text.
    """
    for number, path in enumerate(paths, start=1):
        yield from read_log(path)
        if progress:
            progress("Reading logs", number / len(paths))


def read_log(path: Path) -> Iterator[Read]:
    """What one file holds: JSON lines, JSON, CSV or TSV, told by its ending."""
    lines: dict[str, list[_Line]] = {}
    for record in _records(path):
        if isinstance(record, SetAside):
            yield record
            continue
        place, values = record
        for read in _shape(place, values):
            if isinstance(read, _Line):
                lines.setdefault(read.conversation_id, []).append(read)
            else:
                yield read
    for joined in lines.values():
        yield _joined(joined)


def _records(path: Path) -> Iterator[tuple[Place, Mapping[str, Any]] | SetAside]:
    if path.suffix.lower() in (".csv", ".tsv"):
        yield from _table(path)
        return
    for record in read_json(path) if path.suffix.lower() == ".json" else read_jsonl(path):
        if isinstance(record, Problem):
            yield SetAside(record.place, record.what)
        else:
            yield record.place, record.values


def _table(path: Path) -> Iterator[tuple[Place, Mapping[str, Any]] | SetAside]:
    header: tuple[str, ...] = ()
    for row in read_delimited(path):
        if isinstance(row, Problem):
            yield SetAside(row.place, row.what)
        elif row.blank:
            continue
        elif not header:
            header = row.cells
        elif len(row.cells) != len(header):
            why = f"The row has {len(row.cells)} cells, but the header has {len(header)}."
            yield SetAside(row.place, why, " | ".join(row.cells))
        else:
            yield row.place, dict(zip(header, row.cells, strict=True))


def _shape(place: Place, record: Mapping[str, Any]) -> Iterator[Read | _Line]:
    """What a record is, by the fields it has."""
    fields = fields_of(record)
    if isinstance(record.get("message"), Mapping) and isinstance(record.get("reply"), Mapping):
        yield _turn(place, record)
    elif "rewrite" in fields and "current" in fields:
        yield _completion(place, fields)
    elif isinstance(fields.get("messages"), list):
        yield from _conversation(place, fields)
    elif "text" in fields and "role" in fields:
        yield from _message(place, fields)
    elif "question" in fields and "answer" in fields:
        yield from _exchange(place, fields)
    else:
        known = "messages, or role and text, or question and answer"
        yield SetAside(place, f"The fields {', '.join(record) or '(none)'} are no log: it needs {known}.")


def _turn(place: Place, record: Mapping[str, Any]) -> _Line | SetAside:
    """A line of `kefu export chats`."""
    try:
        turn = decode_turn({name: value for name, value in record.items() if name != "rating"})
        thumb = satisfaction_of(record.get("rating"))
    except (StoreError, ValueError) as error:
        return SetAside(place, f"The turn cannot be read: {error}")
    id_ = turn.message.conversation_id
    about = Conversation(id_, place, (), "record", locale=turn.understanding.language or None)
    return _Line(id_, place, said_of(turn, thumb), "record", about)


def _completion(place: Place, fields: Mapping[str, Any]) -> Read:
    context, question, standalone = fields.get("context", ()), fields["current"], fields["rewrite"]
    texts = context if isinstance(context, list) else [context]
    if not all(isinstance(text, str) for text in (*texts, question, standalone)):
        return SetAside(place, "Context, current and rewrite must be texts.")
    return Completion(place, tuple(text for text in texts if text), question, standalone)


def _conversation(place: Place, fields: Mapping[str, Any]) -> Iterator[Read | _Line]:
    id_ = str(fields.get("conversation_id") or fields.get("id") or f"{Path(place.file).name}:{place.line}")
    about, odd = _about(place, id_, fields)
    yield from odd
    messages: list[Said] = []
    for number, item in enumerate(fields["messages"], start=1):
        said = _said(item)
        if isinstance(said, str):
            yield SetAside(place, f"Message {number}: {said}", excerpt(item, characters=200), id_)
        elif said is not None:
            messages.append(said)
    answer = fields.get("answer")
    if isinstance(answer, str) and messages and messages[-1].speaker == "customer":
        gold = fields.get("relevant_ids") or ()
        ids = tuple(gold if isinstance(gold, list) else str(gold).split())
        messages.append(Said("agent", answer, passage_ids=ids))
    if {said.speaker for said in messages} != {"customer", "agent"}:
        yield SetAside(place, "Customer and company do not both speak.", conversation_id=id_)
    else:
        yield replace(about, messages=tuple(messages))


def _message(place: Place, fields: Mapping[str, Any]) -> Iterator[Read | _Line]:
    id_ = str(fields.get("conversation_id") or "")
    if not id_:
        yield SetAside(
            place, "The message names no conversation.", excerpt(fields.get("text"), characters=200)
        )
        return
    if str(fields.get("private", "")).lower() in ("true", "1", "yes"):
        yield SetAside(place, "An internal note, which no customer read.", conversation_id=id_)
        return
    said = _said(fields)
    if isinstance(said, str):
        yield SetAside(place, said, excerpt(fields.get("text"), characters=200), id_)
    elif said is not None:
        about, odd = _about(place, id_, fields)
        yield from odd
        yield _Line(id_, place, (said,), "log", about)


def _exchange(place: Place, fields: Mapping[str, Any]) -> Iterator[Read | _Line]:
    """A question with its answer on one line, as Alpaca sets and ticket exports have it."""
    id_ = str(fields.get("conversation_id") or f"{Path(place.file).name}:{place.line}")
    question, answer = fields["question"], fields["answer"]
    if not isinstance(question, str) or not isinstance(answer, str):
        yield SetAside(place, "Question and answer must be texts.", conversation_id=id_)
        return
    about, odd = _about(place, id_, fields)
    yield from odd
    at = _try(time_of, fields.get("at"))
    asked = "\n".join(part for part in (question, str(fields.get("input", ""))) if part)
    yield _Line(id_, place, (Said("customer", asked, at), Said("agent", answer, at)), "log", about)


def _about(place: Place, id_: str, fields: Mapping[str, Any]) -> tuple[Conversation, list[SetAside]]:
    """What is said about a whole conversation; a value that cannot be read is named and left out."""
    parsers: tuple[tuple[str, Callable[[Any], Any]], ...] = (
        ("rating", satisfaction_of),
        ("resolved", truth_of),
    )
    found: dict[str, Any] = {}
    odd: list[SetAside] = []
    for name, parse in parsers:
        try:
            found[name] = parse(fields.get(name))
        except (ValueError, TypeError, OverflowError):
            why = f"The {name} {excerpt(fields[name])} means nothing here; it is left out."
            odd.append(SetAside(place, why, conversation_id=id_))
    conversation = Conversation(
        id_,
        place,
        (),
        locale=str(fields["locale"]).split("-")[0].lower() if fields.get("locale") else None,
        resolved=found.get("resolved"),
        satisfaction=found.get("rating"),
        topic=str(fields.get("topic") or ""),
    )
    return conversation, odd


def _said(item: object) -> Said | str | None:
    """A message; a sentence that says why it is none; None for a line of the system."""
    if isinstance(item, str):
        mark = min((item.find(sign) for sign in _PREFIXES if sign in item), default=-1)
        item = {"role": item[:mark], "text": item[mark + 1 :]} if 0 < mark < 20 else {"text": item}
    if not isinstance(item, Mapping):
        return "It is no object with a role and a text."
    fields = fields_of(item)
    side = side_of(fields.get("role", ""), fields.get("role_column", ""))
    if side is None:
        return f"The role {excerpt(fields.get('role', ''))} is not known; write customer or agent."
    speaker, text = speaker_of(side), fields.get("text")
    if speaker is None:
        return None
    if isinstance(text, Mapping):  # WeCom: {"content": …}
        text = text.get("content")
    if not isinstance(text, str) or not text.strip():
        return "It has no text."
    try:
        return Said(speaker, text, time_of(fields.get("at")))
    except (ValueError, OverflowError, OSError):
        return f"The time {excerpt(fields['at'])} is none that can be read."


def _joined(lines: Sequence[_Line]) -> Conversation | SetAside:
    first = lines[0]
    messages = [said for line in lines for said in line.messages]
    if all(said.at for said in messages):
        messages.sort(key=lambda said: said.at or _EARLIEST)
    if {said.speaker for said in messages} != {"customer", "agent"}:
        return SetAside(
            first.place, "Customer and company do not both speak.", conversation_id=first.conversation_id
        )
    return replace(
        first.about,
        messages=tuple(messages),
        source=first.source,
        locale=_first(line.about.locale for line in lines),
        resolved=_first(line.about.resolved for line in lines),
        satisfaction=_first(line.about.satisfaction for line in lines),
        topic=_first(line.about.topic or None for line in lines) or "",
    )


def _first(values: Iterable[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)


def _try(parse: Callable[[Any], T], value: Any) -> T | None:
    try:
        return parse(value)
    except (ValueError, OverflowError, OSError):
        return None
