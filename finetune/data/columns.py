"""Which field of a log is which, and what its values mean: our names, and what other systems call them.

| system | what it writes |
|---|---|
| kefu export | turns, or OpenAI messages |
| fine-tuning sets | OpenAI messages, ShareGPT (conversations, from, value), Alpaca (instruction, output) |
| Chatwoot | message_type 0 in, 1 out, 2 activity; content; private |
| Zendesk chat | history of chat.msg with sender_type |
| WeChat desktop | TalkerId, IsSender, StrContent, StrTime |
| WeCom | roomid, from (customers begin with wm or wo), msgtime in ms |
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, TypeAlias

from finetune.data.values import Speaker
from knowledge.sources.headers import bare_header

_ALIASES = {
    "conversation_id": "conversation dialogid dialogueid sessionid session chatid ticketid threadid caseid talkerid roomid "
    "会话id 会话编号 会话 对话id 对话编号 工单号 工单编号",
    "id": "dialog dialogue uuid",
    "role": "from sender sendertype speaker author authortype messagetype issender direction 角色 发送者 发送人 发言人 说话人 发送方",
    "text": "content message msg body value utterance plainbody strcontent 内容 消息 消息内容 文本 聊天内容 发言",
    "at": "timestamp time createdat createtime sentat msgtime strtime date startedat 时间 发送时间 创建时间 日期",
    "locale": "language lang 语言 语种",
    "rating": "csat satisfaction stars score 评分 满意度 评价",
    "resolved": "issolved solved isresolved 已解决 是否解决 解决",
    "topic": "intent category label 主题 分类 业务类型 意图 问题类型",
    "private": "isprivate internal 内部",
    "messages": "turns conversations history dialogue dialoguecontext utterances 消息列表",
    "context": "上文 历史",
    "current": "followup",
    "rewrite": "standalone 改写",
    "question": "instruction prompt query 问题 提问 客户问题",
    "input": "补充",
    "answer": "response output completion reply 答案 回答 答复 客服回复 回复",
}
_CUSTOMER = "user usr customer client visitor human enduser contact guest caller 客户 用户 顾客 访客 买家 会员 来访者 incoming in 客 inbound"
_AGENT = (
    "agent assistant bot admin operator staff gpt chatgpt model sys teammate employee representative rep support "
    "客服 坐席 座席 商家 卖家 店家 机器人 人工客服 outgoing out outbound"
)
_SYSTEM = "system tool function activity event note 系统 系统消息 2"
_GOOD = "good up like liked satisfied positive yes 满意 非常满意 很满意 好评 赞"
_BAD = "bad down dislike disliked unsatisfied dissatisfied negative offered no 不满意 非常不满意 很不满意 差评 踩"
_TRUE = "true yes y 1 solved resolved closed 是 已解决 解决 已完成"
_FALSE = "false no n 0 unsolved unresolved open pending 否 未解决 没解决 处理中"
_STARS = 5

Side: TypeAlias = Literal["customer", "agent", "system"]


def fields_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record by our names; a field that is not known keeps its own."""
    found: dict[str, Any] = {}
    for header, value in record.items():
        name = _index().get(bare_header(header), header)
        if found.get(name) in (None, ""):
            found[name] = value
            if name == "role":
                found["role_column"] = record.get("role_column") or bare_header(header)
    return found


def side_of(value: Any, column: str = "") -> Side | None:
    """Who speaks; None when the word is not known.

    Args:
        value: As the log has it: a word, a number, or an object with a type.
        column: The header it stands under: 1 is the company in Chatwoot's and WeChat's columns.
    """
    if isinstance(value, Mapping):
        value = value.get("type") or value.get("role") or value.get("sender_type") or ""
    word = bare_header(str(value))
    if column in ("messagetype", "issender") and word in ("0", "1", "2", "true", "false"):
        return {"0": "customer", "false": "customer", "2": "system"}.get(word, "agent")  # type: ignore[return-value]
    if column == "from" and word.startswith(("wm", "wo")) and len(word) > 20:  # WeCom's external ids
        return "customer"
    for side, words in _sides().items():
        if word in words:
            return side
    return None


def speaker_of(side: Side) -> Speaker | None:
    """The side as a speaker; None for the system."""
    return None if side == "system" else side


def time_of(value: Any) -> datetime | None:
    """A moment: ISO 8601, "2026/1/8 10:12", or seconds or milliseconds since 1970; UTC where it says no zone.

    Raises:
        ValueError: It is none of them.
    """
    if value in (None, ""):
        return None
    text = str(value).strip()
    if isinstance(value, int | float) or text.replace(".", "", 1).isdigit():
        seconds = float(text)
        if not math.isfinite(seconds) or seconds < 10**8:
            raise ValueError(text)
        return datetime.fromtimestamp(seconds / 1000 if seconds > 10**11 else seconds, UTC)
    try:
        moment = datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        day, _, clock = text.replace("/", "-").partition(" ")
        year, month, date = (int(part) for part in day.split("-"))
        moment = datetime.fromisoformat(f"{year:04}-{month:02}-{date:02}T{clock or '00:00'}")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def satisfaction_of(value: Any) -> float | None:
    """1..5 stars, a thumb or a word as 0..1; None for no rating.

    Raises:
        ValueError: It is none of them.
    """
    if isinstance(value, Mapping):
        value = value.get("value", value.get("score"))
    if value in (None, "", "unoffered"):
        return None
    word = bare_header(str(value))
    if word in _GOOD.split():
        return 1.0
    if word in _BAD.split():
        return 0.0
    stars = float(word)
    if not 1 <= stars <= _STARS:
        raise ValueError(word)
    return (stars - 1) / (_STARS - 1)


def truth_of(value: Any) -> bool | None:
    """Yes or no, in the words of ticket systems; None when it does not say.

    Raises:
        ValueError: The word is not known.
    """
    if value in (None, "") or isinstance(value, bool):
        return value if isinstance(value, bool) else None
    word = bare_header(str(value))
    if word in _TRUE.split():
        return True
    if word in _FALSE.split():
        return False
    raise ValueError(word)


@cache
def _index() -> dict[str, str]:
    return {
        bare_header(alias): name for name, aliases in _ALIASES.items() for alias in (name, *aliases.split())
    }


@cache
def _sides() -> dict[Side, frozenset[str]]:
    return {
        "customer": frozenset(_CUSTOMER.split()),
        "agent": frozenset(_AGENT.split()),
        "system": frozenset(_SYSTEM.split()),
    }
