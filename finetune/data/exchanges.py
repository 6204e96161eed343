"""Conversations cut into exchanges: a question in its context, its answer, and how good that answer was.

Good is told by whom it concerns: the customer's stars or thumb, whether the matter was resolved, and what the
customer said next ("thanks, that worked" or "that is not what I asked").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from chatbot.answer.sentences import split
from chatbot.understand.acts import acknowledges, farewell, is_plain_denial, is_question
from chatbot.understand.rewrite import content_words
from finetune.data.cleaning import asks_nothing, is_system, joined, substance, tidy
from finetune.data.values import Conversation, Said, SetAside
from knowledge.clean import normalise, width

MOST_CONTEXT = 6
"""Messages before the question that go with it."""
_THUMB_WEIGHT = 3.0
_NEXT_WEIGHT = 2.0
"""What the customer says next is about this answer; stars are about all of them."""

_DENIES = re.compile(
    r"答非所问|不是(?:这个|我问的|我要的)|没(?:有)?(?:回答|用|解决)|听不懂|看不懂|说了等于没说|(?:再也)?不(?:会)?(?:再)?(?:买|来)了|投诉|不合理|不接受|骗|敷衍|呵呵|^[?？]+$"
    r"|\b(?:not what i (?:asked|meant)|doesn['’]?t (?:help|work|answer)|didn['’]?t (?:help|work|answer)|not helpful|useless|unacceptable|not acceptable|ridiculous|that['’]?s wrong|heard that before|makes no sense)\b",
    re.IGNORECASE,
)
_CONFIRMS = re.compile(
    r"解决了|可以了|好了|搞定|成功了|明白了|清楚了|放心|完美|太好了|多谢|谢谢|感谢|唔該"
    r"|\b(?:that (?:worked|helps|helped|did it)|works now|perfect|brilliant|great|thanks|thank you|thx|got it|awesome|sorted|reassuring)\b",
    re.IGNORECASE,
)
_ASKS_BACK = re.compile(
    r"(?:(?<!申)请|麻烦|烦请)(?:您|你)?(?:再)?(?:提供|报|告诉|告知|说|发(?:我|给我|来|一下|单号|订单|过来)).{0,16}$"
    r"|(?:订单号|单号|号码|邮箱|姓名|手机号).{0,6}(?:报|发|说|给)(?:一下|我)?.{0,4}$"
    r"|(?:please|could you|can you) (?:send|tell|give|share|provide|confirm)(?: (?:me|us|it|your|the))?\b.{0,40}$",
    re.IGNORECASE,
)
_PUTS_OFF = re.compile(
    r"^.{0,10}(?:我|帮您|为您|给您|这边|已)(?:再|去|先|会|来|帮您)?(?:查|问|核实|记|反馈|登记|催|备注|转|升级).{0,24}$|^(?:已|记下)(?:记录|登记|备注|反馈|了).{0,16}$"
    r"|^(?:ok(?:ay)?|sure|right|done|yes|no|noted|exactly|confirmed|对|是的|没错|可以|能|行|正常|好的?|理解)\W*$"
    r"|^[^.]{0,60}\b(?:i|we)(?:'ll| will) (?:check|ask|find out|look into|get back|pass|forward|escalate)\b[^.]{0,60}\.?$",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(
    r"不(?:太)?(?:清楚|确定|敢确定|知道)|没有.{0,10}(?:信息|资料|记录|数据)|查不到|我这(?:边|里)?(?:也)?没有"
    r"|\b(?:can['’]?t|cannot|could(?:n['’]t| not)) (?:find|see|confirm|say|tell)|\b(?:don['’]?t|do not) (?:know|have (?:that|any|the)\b.{0,20}\b(?:data|information|details?|hours))|\bhave no (?:data|information|details)|\bfind nothing\b|\bnot sure\b",
    re.IGNORECASE,
)

_QUESTION_END = re.compile(r"[?？]\W*$")
_CODE = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z]{0,6}[-_]?\d{3,}[A-Za-z0-9_-]*|\[(?:secret|email|id|card|phone)\]"
)
_FEWEST_WORDS = 2
_LONGEST_BACK = 80
"""Width up to which a request for a number or a photo is the whole answer."""

Mask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question, what came before it, and what was answered."""

    conversation: Conversation
    number: int
    """1 is the first exchange of the conversation."""
    context: tuple[tuple[str, str], ...]
    """(role, content), oldest first."""
    asked: Said
    answer: str
    """Without greetings and the like; "" when nothing else was said."""
    reply: Said
    quality: float
    """0..1: the mean of what speaks for and against it; 0.5 when nothing does."""
    judged: bool = True
    """Whether anything speaks for or against it."""

    @property
    def id(self) -> str:
        """Names it in all datasets."""
        return f"{self.conversation.id}#{self.number}"


def cleaned(conversation: Conversation, mask: Mask) -> Conversation | SetAside:
    """The conversation as it was talked, one message a turn, personal data masked before anything else is done.

    Args:
        conversation: As it was read.
        mask: The redactor.
    """
    said = [
        replace(one, text=mask(tidy(one.text)), standalone=mask(one.standalone))
        for one in conversation.messages
    ]
    talk = [one for one in said if one.text and not is_system(one.text)]
    merged = tuple(_merged(list(group)) for _, group in groupby(talk, key=lambda one: one.speaker))
    if len({one.speaker for one in merged}) < 2:
        return SetAside(
            conversation.place,
            "Nothing is left but system lines or one side.",
            conversation_id=conversation.id,
        )
    return replace(conversation, messages=merged)


def exchanges(conversation: Conversation) -> Iterator[Exchange | SetAside]:
    """Every question of a cleaned conversation with its answer; what is none is set aside with the reason."""
    messages = conversation.messages
    number = 0
    for place, (asked, reply) in enumerate(pairwise(messages)):
        if asked.speaker != "customer":
            continue
        number += 1
        answer = _told(reply.text)
        why = _no_question(asked.text) or no_answer(answer)
        if why:
            told = f"{asked.text} -> {reply.text}"
            yield SetAside(conversation.place, why, told[:300], conversation.id)
            continue
        yield _exchange(conversation, place, number, answer)


def _exchange(conversation: Conversation, place: int, number: int, answer: str) -> Exchange:
    messages = conversation.messages
    asked, reply, *rest = messages[place:]
    following = next((one.text for one in rest if one.speaker == "customer"), "")
    signs = _signs(conversation, reply, following, asked.text)
    return Exchange(
        conversation,
        number,
        tuple(
            ("user" if one.speaker == "customer" else "assistant", one.text)
            for one in messages[max(0, place - MOST_CONTEXT) : place]
        ),
        asked,
        answer,
        reply,
        sum(value * weight for value, weight in signs) / sum(weight for _, weight in signs) if signs else 0.5,
        judged=bool(signs),
    )


def no_answer(answer: str) -> str:
    """Why an agent's words answer nothing; "" when they may."""
    if not re.search(r"\w", answer):
        return "The answer only asks back, or is nothing but courtesy."
    if does_not_know(answer):
        return ""
    if _ASKS_BACK.search(answer) and width(answer) <= _LONGEST_BACK:
        return "The answer asks back."
    return "The answer puts off or only acknowledges." if _PUTS_OFF.search(answer) else ""


def does_not_know(answer: str) -> bool:
    """Whether an agent admits that nothing is known about it."""
    return bool(_UNKNOWN.search(answer)) and width(answer) <= 2 * _LONGEST_BACK


def _told(reply: str) -> str:
    """What an agent tells: the substance without the questions asked back."""
    kept = [sentence for sentence in split(substance(reply)) if not _QUESTION_END.search(sentence)]
    return joined(kept)


def _no_question(text: str) -> str:
    if all(asks_nothing(line) for line in text.split("\n")):
        return "The customer asks nothing."
    if not is_question(text) and len(content_words(_CODE.sub(" ", text))) < _FEWEST_WORDS:
        return "The customer's message is a value or a remark, no question."
    return ""


def _signs(conversation: Conversation, reply: Said, following: str, asked: str) -> list[tuple[float, float]]:
    """What speaks for (1) or against (0) an answer, with its weight."""
    signs = (
        (conversation.satisfaction, 1.0),
        (conversation.resolved, 1.0),
        (reply.thumb, _THUMB_WEIGHT),
        (_reaction(following, asked), _NEXT_WEIGHT),
    )
    return [(float(value), weight) for value, weight in signs if value is not None]


def _reaction(following: str, asked: str) -> float | None:
    """What the customer's next message says about the answer: 1 confirmed, 0 denied."""
    if not following:
        return None
    if _DENIES.search(following) or is_plain_denial(following) or normalise(following) == normalise(asked):
        return 0.0
    confirmed = _CONFIRMS.search(following) or acknowledges(following) or farewell(following) == "thanks"
    return 1.0 if confirmed else None


def _merged(group: Sequence[Said]) -> Said:
    """Messages sent one after the other as one, the parts on lines of their own."""
    if len(group) == 1:
        return group[0]
    asking = [one for one in group if one.speaker == "agent" or not asks_nothing(one.text)] or group[-1:]
    return replace(
        group[-1],
        text="\n".join(one.text for one in asking),
        thumb=next((one.thumb for one in group if one.thumb is not None), None),
        passage_ids=tuple(dict.fromkeys(id_ for one in group for id_ in one.passage_ids)),
        standalone=group[-1].standalone if len(asking) == 1 else "",
    )
