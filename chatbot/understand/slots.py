"""Slots: what a message says about them, and what the conversation said before.

`values_in` reads one slot from one text; `known_values` lists what the conversation has mentioned;
`fill` puts both together for an intent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, tzinfo

import phonenumbers

from chatbot.types import AskSlot, Turn, UseTemplate, each_of
from chatbot.understand.choices import DENIAL, choice_values, choice_words
from chatbot.understand.dates import find_dates
from chatbot.understand.language import ENGLISH_FUNCTION_WORDS
from chatbot.understand.numerals import find_numbers, format_number, read_number
from knowledge.sources.intents import Intent, Slot

EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
_CHINESE_MOBILE = re.compile(r"(?<!\d)(?:\+?86[- ]?)?(1[3-9]\d)[- ]?(\d{4})[- ]?(\d{4})(?!\d)")
# "the first one", 第二个: which of the values that were mentioned.
_PLACE_NAMED = re.compile(
    r"第(?P<zh>[一二三])(?:个|单|笔|件|张|台|款|条)(?!问题)|(?P<former>前(?:一|面那|面的那)个|前者|\bformer\b)|(?P<latter>后(?:一|面那|面的那)个|后者|\blatter\b)"
    r"|\b(?P<en>first|1st|second|2nd|third|3rd|last)\s+(?:one|order|parcel|package|number|repair|code|coupon)\b",
    re.IGNORECASE,
)
_PLACES = {
    "一": 0,
    "二": 1,
    "三": 2,
    "first": 0,
    "1st": 0,
    "second": 1,
    "2nd": 1,
    "third": 2,
    "3rd": 2,
    "last": -1,
}
_PREFIX = re.compile(r"[A-Z]{1,5}(?=\\d|\[0-9\])")
"""The letters that a pattern begins with, before its digits."""
_LATIN = re.compile(r"[a-z]{3,}|\d+")
_CONTRAST = re.compile(r"\b(?:but|just|only|except)\b|但|不过|只是|就是有", re.IGNORECASE)
_LONGEST_TEXT = 200
_PREFIX_OF_TEXT = re.compile(
    r"^(?:(?:it'?s|it is|(?:my|the) (?:name|reason|address|e-?mail|problem|issue|number) is|because|well|um+|是因为|因为|就是|我的(?:名字|姓名|地址|原因|邮箱|问题)是|是的?)[\s,，:：]*)+",
    re.IGNORECASE,
)


def values_in(slot: Slot, text: str, *, today: date, asked: bool = False) -> list[str]:
    """The values of `slot` in `text`, left to right, each once, without those the customer denies.

    Args:
        slot: What is looked for.
        text: Normalised text (full-width folded).
        today: Day the message was sent, in the customer's time zone; relative dates start there.
        asked: True when the bot just asked for this slot: then less certain readings count too.
    """
    match slot.type:
        case "pattern":
            found = _pattern_values(slot, text, asked=asked)
        case "choice":
            found = choice_values(slot, text, asked=asked)
        case "number":
            found = _number_values(text, asked=asked)
        case "date":
            found = find_dates(text, today)
        case "email":
            found = [match[0].lower() for match in EMAIL.finditer(text)]
        case "phone":
            found = _phone_values(text)
        case "text":
            found = _text_value(text) if asked else []
    return list(dict.fromkeys(found))


def said_in(
    slot: Slot,
    text: str,
    *,
    today: date,
    asked: bool = False,
    named: Mapping[str, Sequence[str]] | None = None,
) -> list[str]:
    """As `values_in`, also by what a fine-tuned model found in the text.

    Args:
        slot: What is looked for.
        text: Normalised text.
        today: See `values_in`.
        asked: See `values_in`.
        named: Kind -> what was found; what is called like the slot counts as if it was asked for.
    """
    spans = (named or {}).get(slot.name, ())
    found = [value for span in spans for value in values_in(slot, span, today=today, asked=True)]
    if slot.type == "text" and found:  # more than the whole message tells
        return list(dict.fromkeys(found))
    return values_in(slot, text, today=today, asked=asked) or list(dict.fromkeys(found))


def resembles(slot: Slot, text: str) -> bool:
    """Whether a message is such a number but for its length: "LM20261100" where LM and ten digits are wanted."""
    prefix = _PREFIX.match(_core(slot))
    return prefix is not None and re.fullmatch(rf"\W*{prefix[0]}\d{{3,}}\W*", text, re.IGNORECASE) is not None


def states_contact(text: str) -> bool:
    """Whether a message holds a phone number or an e-mail address."""
    return bool(EMAIL.search(text) or _phone_values(text))


def known_values(history: Sequence[Turn], slot: Slot, *, timezone: tzinfo | None = None) -> list[str]:
    """Every value of `slot` that the conversation has mentioned; the latest mention is last.

    A free text counts only where it was understood as this slot; other types are also read from what the
    customer wrote and from the bot's answers (not from its questions, whose examples are nobody's).
    """
    examples = (
        {value for ask in slot.ask.values() for value in values_in(slot, ask, today=date.min)}
        if slot.type == "pattern"
        else set()
    )
    mentioned: dict[str, None] = {}
    for turn in history:
        decided = _decided(turn)
        understood = [known[slot.name] for known in (turn.understanding.slots, decided) if slot.name in known]
        read: list[str] = []
        if slot.type not in ("text", "number", "date", "choice"):
            texts = [turn.message.text] + (
                [turn.reply.text] if isinstance(each_of(turn.decision)[-1], UseTemplate) else []
            )
            day = day_of(turn.message.sent_at, timezone)
            read = [value for text in texts for value in values_in(slot, text, today=day)]
        for value in [*read, *understood]:
            if value not in examples:
                mentioned.pop(value, None)
                mentioned[value] = None
    return list(mentioned)


def fill(
    intent: Intent,
    text: str,
    history: Sequence[Turn],
    *,
    today: date,
    asked: str | None = None,
    continues: bool = False,
    brief: bool = False,
    named: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, str]:
    """The slots of `intent` that hold after this message.

    Args:
        intent: What the customer wants.
        text: The message, normalised.
        history: Earlier turns, oldest first.
        today: See `values_in`.
        asked: Name of the slot that the bot just asked for.
        continues: True when the last turn was about the same intent: everything said there still holds.
        brief: True when the message names nothing itself ("price?"): then it is about what was mentioned last, however
            long ago; any other message only about what the last turn spoke of.
        named: See `said_in`.
    """
    held = _mentioned(intent, history if brief else history[-1:])
    held |= carried(intent, history, continues=continues)
    held |= telling_values(intent, held, text)
    for slot in intent.slots:
        said = said_in(slot, text, today=today, asked=slot.name == asked, named=named)
        if said:
            held[slot.name] = one_of(said, text, slot=slot)
    return held


def _mentioned(intent: Intent, history: Sequence[Turn]) -> dict[str, str]:
    """The sticky choices that were named last, by the customer or, one alone, by a reply."""
    held: dict[str, str] = {}
    for slot in intent.slots:
        if slot.type != "choice" or not slot.sticky:
            continue
        for turn in reversed(history):
            asked = choice_values(slot, turn.message.text, asked=False)
            told = set(choice_values(slot, turn.reply.text, asked=False))
            if asked or len(told) == 1:
                held[slot.name] = asked[0] if asked else told.pop()
                break
    return held


def one_of(values: Sequence[str], text: str, *, slot: Slot) -> str:
    """The value that is meant of those in a message: the one whose place it names, else the last one stated.

    Of choices it is the first: "the camera of the Arvon X5" is about the phone, and what is denied is no value; but
    "works fine, just scratched" is scratched.
    """
    place = place_named(text)
    if place is not None and place < len(values):
        return values[place]
    return values[0] if slot.type == "choice" and not _CONTRAST.search(text) else values[-1]


def place_named(text: str) -> int | None:
    """Index for "the first one", 第二个, 后者 anywhere in a message; None when no place is named."""
    match = _PLACE_NAMED.search(text)
    if match is None:
        return None
    if match["former"] or match["latter"]:
        return 0 if match["former"] else -1
    return _PLACES[(match["zh"] or match["en"]).lower()]


def stated_values(history: Sequence[Turn], slot: Slot, *, timezone: tzinfo | None = None) -> list[str]:
    """The values of `slot` that the customer wrote, in the order in which each was first stated."""
    return list(
        dict.fromkeys(
            value
            for turn in history
            for value in values_in(slot, turn.message.text, today=day_of(turn.message.sent_at, timezone))
        )
    )


def carried(intent: Intent, history: Sequence[Turn], *, continues: bool) -> dict[str, str]:
    """What earlier turns left for `intent`: all slots of the task that goes on, the sticky ones of any other."""
    spoken = [turn for turn in history if turn.understanding.act != "smalltalk"]
    last = current_slots(spoken[-1]) if spoken else {}
    held: dict[str, str] = {}
    for slot in intent.slots:
        if continues and slot.name in last:
            held[slot.name] = last[slot.name]
        elif slot.sticky and not (continues and history):
            value = _last_value(history, slot.name)
            if value:
                held[slot.name] = value
    return held


def current_slots(turn: Turn) -> Mapping[str, str]:
    """What the turn knew at its end."""
    return {**turn.understanding.slots, **_decided(turn)}


def _decided(turn: Turn) -> Mapping[str, str]:
    """The slots that the reply rested on; of several questions the last one's."""
    last = each_of(turn.decision)[-1]
    return last.slots if isinstance(last, UseTemplate | AskSlot) else {}


def day_of(moment: datetime, timezone: tzinfo | None) -> date:
    """The day on the customer's calendar."""
    return moment.astimezone(timezone).date() if timezone and moment.tzinfo else moment.date()


def _last_value(history: Sequence[Turn], name: str) -> str | None:
    for turn in reversed(history):
        value = current_slots(turn).get(name)
        if value:
            return value
    return None


def _core(slot: Slot) -> str:
    """The slot's pattern without the marks of beginning and end."""
    return (slot.pattern or "").removeprefix("^").removesuffix("$")


def _pattern_values(slot: Slot, text: str, *, asked: bool) -> list[str]:
    core = _core(slot)
    pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{core})(?![A-Za-z0-9])", re.IGNORECASE)
    found = _undenied(text, pattern)
    if not found:
        # "KF 2026-0311": people group digits as they like.
        found = _undenied(re.sub(r"(?<=[A-Za-z0-9])[ \-_.]+(?=\d)", "", text), pattern)
    if not found and asked:
        prefix = _PREFIX.match(core)
        digits = re.findall(r"(?<![A-Za-z0-9])\d{3,}(?![A-Za-z0-9])", text)
        found = (
            [value for value in (f"{prefix[0]}{each}" for each in digits) if pattern.fullmatch(value)]
            if prefix
            else []
        )
    return [_as_written_in(core, value) for value in found]


def _as_written_in(core: str, value: str) -> str:
    """kf20260311 -> KF20260311 where the pattern has capitals only."""
    return value if re.fullmatch(core, value) or not re.fullmatch(core, value.upper()) else value.upper()


def _undenied(text: str, pattern: re.Pattern[str]) -> list[str]:
    return [match[0] for match in pattern.finditer(text) if not DENIAL.search(text[: match.start()])]


def telling_values(intent: Intent, held: Mapping[str, str], text: str) -> dict[str, str]:
    """Choices that a word names which no other choice has: "and the 14?" after the Boreal 16.

    Only of slots that the conversation holds a value of: elsewhere "14" may be anything.
    """
    found: dict[str, str] = {}
    for slot in intent.slots:
        if slot.type != "choice" or slot.name not in held:
            continue
        holders: dict[str, set[str]] = {}
        for name, value in choice_words(slot).items():
            for word in _LATIN.findall(name):
                holders.setdefault(word, set()).add(value)
        for word in _LATIN.findall(text.lower()):
            values = holders.get(word) or holders.get(word.removesuffix("s"), set())
            if len(values) == 1 and word not in ENGLISH_FUNCTION_WORDS:
                found[slot.name] = next(iter(values))
    return found


def _number_values(text: str, *, asked: bool) -> list[str]:
    found = find_numbers(text)
    if not found and asked:
        whole = read_number(re.sub(r"[\s。.!！~]|(?:个|件|台|部|只|吧|呢)$", "", text))
        found = [format_number(whole)] if whole is not None else []
    # Unasked, several numbers may mean anything.
    return found if asked or len(found) == 1 else []


def _phone_values(text: str) -> list[str]:
    chinese = ["".join(match.groups()) for match in _CHINESE_MOBILE.finditer(text)]
    if chinese:
        return chinese
    found = []
    for match in phonenumbers.PhoneNumberMatcher(text, "CN"):
        national = match.number.country_code == 86
        style = phonenumbers.PhoneNumberFormat.NATIONAL if national else phonenumbers.PhoneNumberFormat.E164
        found.append(phonenumbers.format_number(match.number, style).replace(" ", ""))
    return found


def _text_value(text: str) -> list[str]:
    value = _PREFIX_OF_TEXT.sub("", text.strip()).strip(" 。.!！")
    return [value[:_LONGEST_TEXT]] if value else []


def slot_held(intent: Intent, held: dict[str, str]) -> Slot | None:
    """The slot that "the other one" and "wrong" speak of: the first that has a value."""
    return next((slot for slot in intent.slots if slot.name in held), None)
