"""What customers asked in past chats, remembered beside what answered it: the index finds by it, too.

A retriever that learned from chats (`kefu train retriever --chats`) reads a message after what was said before it. The
chats it learned from stand in its folder, and others can be added without training (`kefu models remember`); each of
their messages is one more wording of what answered it, in the same reading. Those whose answer is found without them are
not kept in mind (`condense`).
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from chatbot.chats import INTENT_PREFIX, Chat, messages_in, read_chats, titles_of, write_chats
from chatbot.registry import CHATS, METRICS, REMEMBERED, Registry, asked_of, remembered_by
from knowledge.errors import ModelError
from knowledge.index.condensing import needed_to_find
from knowledge.index.snapshot import Snapshot
from knowledge.index.texts import KnowingEncoder, encode, text_of
from knowledge.packaged.manifest import MANIFEST
from knowledge.sources.intents import Intent
from knowledge.store import KnowledgeStore
from knowledge.types import Encoder, Entry, KnowledgeSource, Progress

if TYPE_CHECKING:
    from chatbot.understand.intent import IntentClassifier, Tuned


class Remembering:
    """A source of entries with what was asked of them; implements KnowledgeSource.

    Args:
        source: The knowledge.
        asked: Id of a passage -> messages that it answered.
    """

    def __init__(self, source: KnowledgeSource, asked: Mapping[str, Sequence[str]]) -> None:
        self._source, self._asked = source, asked

    def entries(self) -> Iterator[Entry]:
        """All that may be answered now."""
        return map(self._with, self._source.entries())

    def entry(self, passage_id: str) -> Entry | None:
        """One of them."""
        found = self._source.entry(passage_id)
        return self._with(found) if found else None

    def version(self) -> int:
        """Of the knowledge."""
        return self._source.version()

    def changes_since(self, sequence: int) -> Sequence[tuple[int, str, str]]:
        """Of the knowledge."""
        return self._source.changes_since(sequence)

    def _with(self, entry: Entry) -> Entry:
        asked = self._asked.get(entry.passage.id)
        return replace(entry, asked=tuple(asked)) if asked else entry


def with_chats(knowledge: KnowledgeStore, retriever: Path | None) -> KnowledgeSource:
    """The knowledge with what was asked in the chats that a retriever remembers.

    Args:
        knowledge: Of the company.
        retriever: Folder of the one in force; None where there is none.
    """
    chats = remembered_by(retriever, knowledge.entries(), knowledge.intents())
    if not chats:
        return knowledge
    by_answer = defaultdict[str, list[str]](list)
    for one in chats:
        if one.answers:
            by_answer[one.answers[0]].append(one.read_as or one.text)
    return Remembering(knowledge, by_answer)


def open_classifier(
    intents: Sequence[Intent],
    encoder: Encoder,
    snapshot: Snapshot,
    *,
    retriever: Path | None,
    folder: Path,
    tuned: Tuned | None = None,
) -> tuple[IntentClassifier, bool]:
    """The classifier of intents, fitted to what the retriever in force knows of chats; whether it knows any.

    Args:
        intents: With their examples.
        encoder: Of the retriever.
        snapshot: Its entries' questions are none of the intents, and most that is encoded stands there.
        retriever: Its folder; None where there is none.
        folder: Where the fitted classifier is kept.
        tuned: See `IntentClassifier.fit`.
    """
    from chatbot.understand.intent import IntentClassifier

    entries = snapshot.entries
    chats = asked_of(retriever, entries, intents)
    classifier = IntentClassifier.fit(
        intents,
        encoder,
        negatives=[question for entry in entries for question in entry.questions],
        chats=chats,
        remembered=remembered_by(retriever, entries, intents),
        knowing=KnowingEncoder(encoder, snapshot.texts),
        folder=folder,
        tuned=tuned,
    )
    return classifier, bool(chats)


def condense(
    retriever: Path,
    encoder: Encoder,
    entries: Iterable[Entry],
    intents: Iterable[Intent],
    *,
    progress: Progress | None = None,
) -> tuple[int, int]:
    """Mark which messages a retriever need not remember: their answer is nearest by a margin without them.

    Fewer messages are found as surely and sooner, and the first start, which encodes them, is shorter. What nothing answered
    stays. Source: the condensed nearest neighbour rule (Hart, 1968), with a margin.

    Args:
        retriever: Folder of one that remembers chats; its file of them is written anew.
        encoder: Of that retriever.
        entries: Of the knowledge.
        intents: Of the company.
        progress: Told how far the encoding is.

    Returns:
        How many messages that something answered are remembered, and of how many.
    """
    stored, known = list(entries), list(intents)
    titles = titles_of(stored, known)
    chats = read_chats(retriever / REMEMBERED)
    asked = [
        (number, place, one.read_as or one.text, (one.answers[0], one.locale))
        for number, chat in enumerate(chats)
        for place, one in messages_in(chat, titles)
        if one.answers
    ]
    wordings = [
        (question, (entry.passage.id, entry.passage.locale))
        for entry in stored
        for question in entry.questions
    ]
    wordings += [
        (text, (INTENT_PREFIX + intent.name, locale))
        for intent in known
        for locale, texts in intent.examples.items()
        for text in texts
    ]
    messages = [(text, owner) for _, _, text, owner in asked]
    numbers = {owner: number for number, owner in enumerate(titles)}
    texts, owners = zip(*((text, numbers[owner]) for text, owner in [*wordings, *messages]), strict=True)
    needed = needed_to_find(
        encode([text_of("question", text) for text in texts], encoder, progress=progress),
        np.array(owners),
        given=len(wordings),
        groups=np.unique([locale for _, locale in numbers], return_inverse=True)[1],
    )
    spare = {
        (number, place)
        for (number, place, *_), is_needed in zip(asked, needed.tolist(), strict=True)
        if not is_needed
    }
    write_chats([_marked(chat, number, spare) for number, chat in enumerate(chats)], retriever / REMEMBERED)
    return int(needed.sum()), len(asked)


def _marked(chat: Chat, number: int, spare: Container[tuple[int, int]]) -> Chat:
    lines = (
        line.model_copy(update={"remembered": (number, place) not in spare})
        for place, line in enumerate(chat.messages)
    )
    return chat.model_copy(update={"messages": tuple(lines)})


def remember(
    registry: Registry, name: str, chats: Iterable[Chat], *, new: str, condense: Callable[[Path], object]
) -> tuple[int, int]:
    """Make a retriever that remembers more chats of one that reads chats; nothing is trained.

    Args:
        registry: Has the one, and gets the other.
        name: Of the one.
        chats: To be remembered beside those that it remembers.
        new: Name of the other.
        condense: Called with the folder of the other before it is done.

    Returns:
        How many were added, and how many were left out because they are known: remembered already, or held out to
        fit thresholds on, which must stay unknown.

    Raises:
        ModelError: There is no such retriever, it reads no chats, the new name is taken, or no chat is new.
    """
    before = registry.model("retriever", name).folder
    if not (before / CHATS).is_file():
        raise ModelError(
            f"The retriever '{name}' did not learn to read chats. Train one with 'kefu train retriever --chats'."
        )
    held_out = set(read_chats(before / CHATS))
    there = read_chats(before / REMEMBERED) if (before / REMEMBERED).is_file() else []
    kept = dict.fromkeys(_marked(chat, 0, ()) for chat in there)
    offered = list(chats)
    fresh = [chat for chat in dict.fromkeys(offered) if chat not in kept and chat not in held_out]
    if not fresh:
        raise ModelError(f"The retriever '{name}' knows all of these chats. Name others.")
    of_the_one = shutil.ignore_patterns(MANIFEST, "calibration.json")
    with registry.making("retriever", new) as place:
        shutil.copytree(before, place, ignore=of_the_one, dirs_exist_ok=True)
        write_chats([*kept, *fresh], place / REMEMBERED)
        metrics = json.loads((place / METRICS).read_text("utf-8"))
        metrics |= {"chats_remembered": len(kept) + len(fresh), "remembers_more_than": name}
        (place / METRICS).write_text(json.dumps(metrics, indent=2, ensure_ascii=False) + "\n", "utf-8")
        condense(place)
    return len(fresh), len(offered) - len(fresh)
