"""Past chats in which it is known what answered each message, and how a message is read after what came before it.

JSON lines, one chat a line:

    {"locale": "en", "messages": [{"text": "what does delivery to Macao cost", "answers": ["faq:dlv-08-en"]},
                                  {"text": "thanks", "answers": null}, {"text": "and how long?", "answers": [...]}]}

`answers` names stored answers ("faq:ID") and intents ("intent:NAME"), the best first; [] where nothing stored
answers; null for what asks nothing (thanks, a good-bye).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chatbot.types import AnswerFrom, AskSlot, Turn, UseTemplate, each_of
from knowledge.errors import KnowledgeError, first_problem
from knowledge.sources.intents import Intent
from knowledge.types import Entry

INTENT_PREFIX = "intent:"
_LONGEST = 70
"""Characters of what came before that are read: of the answer's title, and of the customer's line."""
_JOINT = " < "


class Line(BaseModel):
    """One message of a customer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(min_length=1)
    answers: tuple[str, ...] | None
    remembered: bool = True
    """False where its answer is found without it; see `chatbot.memory.condense`."""


class Chat(BaseModel):
    """The customer's messages of one chat."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    locale: str
    messages: tuple[Line, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """A message, with what it is read after."""

    text: str
    after: str
    """"" for the first question of a chat."""
    locale: str
    answers: tuple[str, ...] | None
    """As `Line.answers` has them: () where nothing stored answers, None for a remark, which asks nothing."""

    @property
    def read_as(self) -> str:
        """It with what it is read after; "" for the first question of a chat."""
        return in_context(self.text, self.after) if self.after else ""


def read_chats(path: Path) -> list[Chat]:
    """The chats of a file.

    Raises:
        KnowledgeError: It cannot be read, or a line is none; names the line.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KnowledgeError(f"{path} cannot be read ({error}). Name a UTF-8 file of chats.") from error
    chats = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            chats.append(Chat.model_validate_json(line))
        except ValidationError as error:
            raise KnowledgeError(
                f'{path}, line {number}: {first_problem(error)}. A chat is written as {{"locale": "en", '
                '"messages": [{"text": "...", "answers": ["faq:ID"]}]}.'
            ) from error
    if not chats:
        raise KnowledgeError(f"{path} holds no chats. Put one on each line.")
    return chats


def write_chats(chats: Iterable[Chat], path: Path) -> None:
    """Write what `read_chats` reads."""
    path.write_text("".join(f"{chat.model_dump_json(exclude_defaults=True)}\n" for chat in chats), "utf-8")


def titles_of(entries: Iterable[Entry], intents: Iterable[Intent]) -> dict[tuple[str, str], str]:
    """(answer, locale) -> its title: the question of a stored answer, what an intent is called."""
    titles = {(entry.passage.id, entry.passage.locale): entry.passage.title for entry in entries}
    for intent in intents:
        for locale, examples in intent.examples.items():
            titles[INTENT_PREFIX + intent.name, locale] = examples[0] if examples else intent.description
    return titles


def asked_in(chat: Chat, titles: Mapping[tuple[str, str], str]) -> list[Asked]:
    """The messages of a chat that ask something and are remembered.

    Args:
        chat: The chat.
        titles: From `titles_of`; answers that are not among them are no longer known, and count as none.
    """
    return [one for one in remembered_in(chat, titles) if one.answers is not None]


def remembered_in(chat: Chat, titles: Mapping[tuple[str, str], str]) -> list[Asked]:
    """As `asked_in`, with the remarks."""
    return [one for place, one in messages_in(chat, titles) if chat.messages[place].remembered]


def messages_in(chat: Chat, titles: Mapping[tuple[str, str], str]) -> Iterator[tuple[int, Asked]]:
    """The messages of a chat, remembered or not, each with its place in the chat."""
    before: list[tuple[str, str]] = []
    for place, message in enumerate(chat.messages):
        if message.answers is None:
            yield place, Asked(message.text, after(before), chat.locale, None)
            continue
        known = tuple(answer for answer in message.answers if (answer, chat.locale) in titles)
        if known or not message.answers:
            yield place, Asked(message.text, after(before), chat.locale, known)
        before.append((message.text, titles[known[0], chat.locale] if known else ""))


def after(before: Sequence[tuple[str, str]]) -> str:
    """What a message is read after, by an encoder that learned it from chats.

    Args:
        before: The customer's earlier questions, oldest first, each with the title of what answered it ("": nothing
            did; then what was told before that is still what is spoken of).
    """
    if not before:
        return ""
    told = next((title for _, title in reversed(before[-2:]) if title), "")
    return _JOINT.join(part[:_LONGEST] for part in (told, before[-1][0]) if part)


def said_in(turns: Sequence[Turn], titles: Mapping[tuple[str, str], str]) -> str:
    """What the next message is read after.

    Args:
        turns: Those that it may hang on, oldest first.
        titles: Of intents at least, from `titles_of`.
    """
    return after([(turn.message.text, _told(turn, titles)) for turn in turns])


def _told(turn: Turn, titles: Mapping[tuple[str, str], str]) -> str:
    """The title of what answered; "" where nothing did."""
    decision = each_of(turn.decision)[-1]
    found = {hit.passage.id: hit.passage.title for hit in turn.hits}
    match decision:
        case AskSlot(passage_id=str(rule)) if rule in found:
            return found[rule]
        case UseTemplate() | AskSlot():
            return titles.get((INTENT_PREFIX + decision.intent, turn.understanding.language), "")
        case AnswerFrom(verbatim=True, passage_ids=[first, *_]):
            return found.get(first, "")
        case AnswerFrom():
            return turn.reply.text
        case _:
            return ""


def in_context(text: str, said: str) -> str:
    """The text that is encoded for a message that is read after what was `said` (from `after`)."""
    return f"{text}{_JOINT}{said}" if said else text
