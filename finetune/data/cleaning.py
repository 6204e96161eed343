"""What stands in a log and is no talk: system lines, greetings, signatures, marks of pictures, HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

import ftfy

from chatbot.answer.sentences import split
from chatbot.understand.acts import acknowledges, farewell
from knowledge.clean import width

_TAG = re.compile(
    r"</?(?:p|br|div|span|b|i|strong|em|a|ul|ol|li|img|table|tr|td|h\d|font)\b[^<>]{0,500}>", re.IGNORECASE
)
_LINE_TAG = re.compile(r"<(?:br|/p|/div|/li|/tr)\b[^<>]{0,50}>", re.IGNORECASE)
_MARKER = re.compile(
    r"[\[【<](?:图片|语音|视频|文件|表情|位置|链接|动画表情|名片|image|photo|picture|video|voice|audio|file|sticker|attachment|media)"
    r"(?: omitted| 已省略)?[\]】>]|<media omitted>",
    re.IGNORECASE,
)
_SYSTEM = re.compile(
    r"""^\W*(?:
    (?:系统(?:消息|提示|通知)|自动回复|auto(?:matic)?[- ]?reply|system\ message)[:：\]】].*
  | .{0,20}(?:已接入|为您服务中|加入了?会话|进入了?会话|离开了?会话|结束了?(?:本次)?会话|撤回了一条消息|正在排队|已转接).{0,20}
  | (?:本次)?(?:会话|服务|对话)(?:已|已经)?(?:结束|关闭|超时).{0,30}
  | .{0,10}请(?:您)?(?:对|为)(?:我的|本次|我们的|此次)?.{0,6}服务.{0,6}(?:评价|评分|打分).{0,30}
  | .{0,40}\b(?:joined|left|has\ (?:joined|left|ended))\ the\ (?:chat|conversation|room)\W*
  | (?:this\ )?(?:chat|conversation|ticket)\ (?:was|has\ been|is)\ (?:closed|ended|assigned|transferred|resolved|marked).{0,60}
  | .{0,40}\bassigned\ (?:this|the)?\ ?(?:chat|conversation|ticket)?\ ?to\b.{0,40}
  | please\ rate\ (?:this|your|our|my)\b.{0,80}
    )$""",
    re.IGNORECASE | re.VERBOSE,
)
_SIGNATURE = re.compile(
    r"\n\s*(?:--+\s*(?:\n|$)|(?:best|kind|warm)?\s?(?:regards|wishes)\b|sincerely\b|cheers,\s*\n|thanks,\s*\n|yours\b|此致|顺祝|敬礼|祝商祺).{0,400}\Z"
    r"|\s*\bsent from my (?:iphone|ipad|android|mobile|phone|samsung|huawei)\b.{0,40}\Z|\s*(?:发自|来自)我的\S{2,12}\Z",
    re.IGNORECASE | re.DOTALL,
)
_HELLO = re.compile(
    r"^(?:(?:您好|你好|亲爱的(?:顾客|客户|会员)?|亲亲?|尊敬的(?:顾客|客户|会员|用户)|在的|哈喽|早上好|上午好|下午好|晚上好|hi(?: there)?|hello(?: there)?|hey(?: there)?|good (?:morning|afternoon|evening))"
    r"(?![a-z])[\s,，.。!！~～:：、]*(?:[a-z]{2,12}[,，!]\s+)?)+",
    re.IGNORECASE,
)
_NAME = re.compile(r"[A-Z][a-z]{1,11}[!,.~]*")
_FILLER = re.compile(
    r"""^\W*(?:
    (?:我是|这里是|这边是).{0,16}(?:客服|专员|小\w{1,3}|助手)?.{0,14}
  | (?:很高兴|非常高兴|很荣幸)?(?:为|替)您服务 | 有什么(?:可以|能)(?:帮|为)(?:到|助)?您.{0,8}
  | (?:请|麻烦)?(?:您)?(?:稍等|稍候|等一下|稍等一下|等我一下).{0,12} | (?:我)?(?:这边)?(?:马上|正在|先|来|这就)?(?:帮|为|给)您(?:查|看|核实|处理)(?:一下|下|询)?.{0,6}
  | (?:请问)?(?:您)?还有(?:什么|其他|别的).{0,20} | (?:感谢|谢谢)(?:您|你)?(?:的)?.{0,16} | 祝(?:您|你).{0,20} | 不客气.{0,6} | (?:不好意思|抱歉)?让?您?久等了?.{0,6}
  | (?:非常|实在|真的|真是)?(?:抱歉|对不起|不好意思)(?:给您)?(?:带来)?(?:不便|困扰)?(?:了|呢)?
  | my\ name\ is\ \w{2,12}(?:\ .{0,20})? | (?:it's|this\ is|you're\ speaking\ (?:with|to)|i'm)\ \w{2,12}\ (?:here|from|with|speaking)\b.{0,30}
  | (?:one|just\ a|a)\ (?:moment|minute|second|sec)(?:,?\ please)? | (?:please\ )?(?:bear\ with\ me|hold\ on|wait)\b.{0,30}
  | (?:let\ me|i(?:'ll|\ will)|allow\ me\ to)\ (?:just\ )?(?:look|check|see|have\ a\ look|pull)\b.{0,40}
  | (?:how|what)\ (?:can|may|could)\ (?:i|we)\ (?:help|do\ for|assist)\b.{0,30} | (?:is|was)\ there\ anything\ else\b.{0,40}
  | (?:thanks?(?:\ you)?|thank\ you)\b(?:\ (?:so|very)\ much)?(?:\ for\ (?:contacting|reaching|waiting|your|calling|getting)\b.{0,40})?
  | (?:i'm|i\ am|we're|we\ are)?\ ?(?:truly|so|very|really|terribly)?\ ?sorry(?:\ (?:to\ hear\ (?:that|this)|about\ (?:that|this)|for\ the\ (?:inconvenience|wait|delay|trouble)))?
  | (?:have|enjoy)\ (?:a|the|your)\b.{0,30} | you(?:'re|\ are)\ (?:very\ |most\ )?welcome | my\ pleasure | no\ problem | anytime | glad\ .{0,30} | happy\ to\ help.{0,20}
    )\W*$""",
    re.IGNORECASE | re.VERBOSE,
)
_GREETING = re.compile(
    r"^\W*(?:您好|你好|在吗|在么|在不在|有人吗|有人在吗|人工|亲|喂|哈喽|嗨|早|hi|hello|hey|hiya|good (?:morning|afternoon|evening|day)|anyone there|is anyone there|yo)"
    r"(?:[\s,，!！?？.。~～]*(?:您好|你好|在吗|在么|there|all|team|again|啊|呀|呢))*\W*$",
    re.IGNORECASE,
)
_LONGEST_OK = 12
"""Width of an "ok" that is nothing more: 收到的电脑外壳有一道划痕 begins like one."""
_SPACES = re.compile(r"[ \t\u00a0\u3000]+")
_PART = re.compile(r"[，~～]\s*|,\s+")
_INVISIBLE = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\x00-\x08\x0b-\x1f\x7f]")


def tidy(text: str) -> str:
    """A message as a person would have read it: mended bytes, no markup, no signature, no marks of pictures.

    The customer's own words stay as they are, mistakes and all: that is how customers write.
    """
    mended = ftfy.fix_text(text, uncurl_quotes=False, fix_character_width=False, fix_latin_ligatures=False)
    if "<" in mended and _TAG.search(mended):
        mended = html.unescape(_TAG.sub("", _LINE_TAG.sub("\n", mended)))
    bare = _INVISIBLE.sub("", _MARKER.sub(" ", mended.replace("\r\n", "\n").replace("\r", "\n")))
    bare = _SIGNATURE.sub("", "\n" + bare)
    lines = (_SPACES.sub(" ", line).strip() for line in bare.split("\n"))
    return "\n".join(line for line in lines if line)


def is_system(text: str) -> bool:
    """Whether a line is the chat system's, whoever it is filed under."""
    return all(_SYSTEM.match(line) for line in text.split("\n")) if text else False


def asks_nothing(text: str) -> bool:
    """Whether a customer's message is a greeting, thanks, a good-bye, or "ok"."""
    if not re.search(r"\w", text) or _GREETING.match(text) or farewell(text) is not None:
        return True
    return width(text) <= _LONGEST_OK and acknowledges(text)


def substance(text: str) -> str:
    """What an agent says without greeting, name, thanks and "one moment please"; "" when that was all."""
    kept: list[str] = []
    for sentence in split(text):
        bare = _HELLO.sub("", sentence.strip())
        name = bare != sentence.strip() and _NAME.fullmatch(bare)
        if bare and not name and not _FILLER.match(bare):
            kept.append(_opened(bare))
    return joined(part for part in kept if part)


def joined(sentences: Iterable[str]) -> str:
    """Sentences as one text: with a space between two unless one of them is Chinese there."""
    text = ""
    for sentence in sentences:
        text += (" " if text and width(text[-1]) == width(sentence[0]) == 1 else "") + sentence
    return text.strip()


def _opened(sentence: str) -> str:
    """A sentence without the clauses of courtesy before its point: "我是客服小禾，请稍等，…"."""
    rest = sentence
    while (mark := _PART.search(rest)) and _FILLER.match(rest[: mark.start()]):
        rest = rest[mark.end() :]
    return rest if re.search(r"\w", rest) and not _FILLER.match(rest) else ""
