"""The whole bot on past chats: is each message answered by what answered it then?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from chatbot.chats import INTENT_PREFIX, Chat
from chatbot.types import AnswerFrom, AskSlot, Clarify, Decline, Handoff, Turn, UseTemplate, each_of
from knowledge.sources.builtin import SMALLTALK

Outcome: TypeAlias = Literal["right", "offered", "unanswered", "wrong"]
"""right: the answer was given, or nothing was where nothing answers; offered: it was among what was proposed;
unanswered: declined, asked back or handed over although something answers; wrong: something else was said."""

_HEARD = ("heard", "answered", "not_understood")


def outcome_of(turn: Turn, answers: Sequence[str]) -> Outcome:
    """What became of a message whose answers are known; none: nothing answers."""
    given, proposed = _given(turn), _proposed(turn)
    if given:
        return "right" if given & set(answers) else "wrong"
    if not answers:
        return "wrong" if proposed and not isinstance(turn.decision, Clarify) else "right"
    return "offered" if proposed & set(answers) else ("wrong" if _claims(turn) else "unanswered")


def measure_chats(played: Sequence[tuple[Chat, Sequence[Turn]]]) -> dict[str, Any]:
    """Shares of messages by outcome, over all and by place and language, and of chats without a wrong turn.

    Remarks, which ask nothing, are counted apart: heard by small talk or a person, answered as if they asked, or not understood.

    Args:
        played: Each chat with a turn for each of its messages.
    """
    outcomes: list[tuple[str, str, Outcome]] = []
    whole, without_wrong = [], []
    remarks: Counter[str] = Counter()
    for chat, turns in played:
        judged: list[Outcome] = []
        for line, turn in zip(chat.messages, turns, strict=True):
            if line.answers is None:
                remarks[_heard(turn)] += 1
                continue
            place = "follow_up" if judged else "first"
            judged.append(outcome_of(turn, line.answers))
            outcomes.append((place, chat.locale, judged[-1]))
        whole.append(all(one in ("right", "offered") for one in judged))
        without_wrong.append("wrong" not in judged)
    groups = {"all": outcomes}
    for one in outcomes:
        groups.setdefault(one[0], []).append(one)
        groups.setdefault(one[1], []).append(one)
    return {
        "chats": len(played),
        "messages": len(outcomes),
        "chats_good": sum(whole) / max(1, len(whole)),
        "chats_without_wrong": sum(without_wrong) / max(1, len(without_wrong)),
        **{name: _shares([one for _, _, one in group]) for name, group in sorted(groups.items())},
        **({"remarks": {name: remarks[name] / remarks.total() for name in _HEARD}} if remarks else {}),
    }


def _shares(outcomes: Sequence[Outcome]) -> dict[str, float]:
    counts = Counter(outcomes)
    return {
        name: counts[name] / max(1, len(outcomes)) for name in ("right", "offered", "unanswered", "wrong")
    }


def _heard(turn: Turn) -> str:
    """What became of a message that asks nothing."""
    match turn.decision:
        case Handoff(reason="requested" | "unhappy") | Decline(reason="unhappy"):
            return "heard"
        case UseTemplate(intent=name) if name.startswith(SMALLTALK):
            return "heard"
        case Decline() | Clarify() | Handoff():
            return "not_understood"
        case _:
            return "answered"


def _given(turn: Turn) -> set[str]:
    """Ids of the answers and intents that the reply rests on."""
    given: set[str] = set()
    for decision in each_of(turn.decision):
        match decision:
            case UseTemplate():
                given.add(INTENT_PREFIX + decision.intent)
            case AskSlot():
                given |= {INTENT_PREFIX + decision.intent, decision.passage_id or ""}
            case AnswerFrom(verbatim=True, sure=True):
                given.add(decision.passage_ids[0])
            case AnswerFrom(verbatim=False):
                given.update(citation.passage_id for citation in turn.reply.citations)
            case _:
                pass
    return given - {""}


def _proposed(turn: Turn) -> set[str]:
    """Ids of what the reply lets the customer choose from."""
    match turn.decision:
        case AnswerFrom(sure=False):
            return set(turn.decision.passage_ids)
        case Clarify():
            options = turn.decision.options
            intents = {INTENT_PREFIX + option.intent for option in options if option.intent}
            return intents | {option.passage_id for option in options if option.passage_id}
        case _:
            return set()


def _claims(turn: Turn) -> bool:
    """Whether the reply tells something: an answer that is offered is read, whatever stands above it."""
    return isinstance(turn.decision, AnswerFrom)
