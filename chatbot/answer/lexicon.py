"""The closed word classes that the guard knows: glue, negation, condition, comparison, duty, hedge.

They are lists and not learned, because a list can be read, argued about and tested; everything that stands
in none of them is content, which a source must support.
"""

from __future__ import annotations

import re
import threading
from functools import lru_cache

import Stemmer


def words(text: str) -> frozenset[str]:
    """A set of words, written as they are read."""
    return frozenset(text.split())


GLUE_EN = words(
    """
    a an the that you your yours we our ours us i my me mine is are was were be been being am do
    does did have has had having will would shall can could may to of in on at by for from with as
    into onto about and so then also too just please there here which who whom whose what where
    when how s t ll re ve d m get gets make makes take takes took taking takes simply kindly sure
    note hello hi dear thanks thank within via per
    """
)
"""Words that may stand in a composed sentence without standing in a source."""

_HAN_WORDS = words(
    """
    的 了 是 在 和 与 及 并 并且 而且 也 就 都 您 你 您的 你的 我们 我们的 您可以 可 可以 能
    能够 会 将 将会 请 把 被 由 对 对于 为 于 即 即可 此外 另外 同时 然后 以及 到 给 让 从 着
    过 呢 吗 吧 啊 哦 您好 你好 亲 温馨提示 关于 进行 来 去 则 且 通过 有 所
    """
)
GLUE_HAN = tuple(sorted(_HAN_WORDS, key=len, reverse=True))
"""The same for Chinese, longest first."""

_NEGATION = re.compile(
    r"\b(?:not|no|never|without|cannot|nor|neither|none|nothing|nobody|unable|non)\b|n't\b"
    r"|[不没無无未勿非否]|禁止|严禁|拒绝|谢绝"
)
_NO_NEGATION = re.compile(
    r"不锈钢|不仅|不但|不过|不同|不断|不久|不论|不管|不少|无线|无忧|无论|无人机|无理由|未来|非常|非凡|是否|能否|可否|否则|除非|南非|no\.\s?\d|no later than"
)
_CONDITIONS = {
    "if": r"\bif\b|\bprovided\b|\bas long as\b|如果|若|倘若|假如|只要|的情况下|的话",
    "only": r"\bonly\b|\bsolely\b|\bexclusively\b|仅|只(?!要)|才",
    "except": r"\bexcept\b|\bunless\b|\bexcluding\b|\bexcluded\b|\bapart from\b|除|不含|不包",
    "when": r"\bwhen\b|\bonce\b|\bin case\b|(?<![小及按临当随同实届暂平准])时(?![间效候段长])|的时候|一旦",
    "otherwise": r"\botherwise\b|否则|其他情况|其它情况",
}
_DUTY = re.compile(
    r"\b(?:must|should|shall|required?|requires|mandatory|needs? to|ha(?:s|ve) to)\b|必须|须|需(?:要(?![\d一二两三四五六七八九十])|(?![要\d一二两三四五六七八九十]))|应(?!用)|务必"
)
_HEDGE = re.compile(
    r"\b(?:usually|normally|typically|generally|often|sometimes|might|about|around|approximately|roughly|most|some|estimated)\b"
    r"|通常|一般|大多|大部分|部分|约|左右|可能|预计|往往|有时"
)
CONTRAST = re.compile(
    r"\s*(?:;|\b(?:but|however|whereas|while|although|though)\b|(?<!不)但是?|不过|然而)\s*,?\s*"
)
FOLLOWS_UP = re.compile(
    r"\s*(?:but|however|except|unless|only|this does not|exceptions?|但|不过|然而|除|例外|仅|注意)",
    re.IGNORECASE,
)
"""A sentence that begins so takes something back from the one before it."""

_MODIFIERS_BEFORE = {
    ">": r"(?:more than|over|above|exceed(?:s|ing)?|longer than|超过|多于|高于|大于|逾)",
    ">=": r"(?:at least|minimum(?: of)?|no less than|not less than|至少|不少于|不低于|最少|最低|满|达到?)",
    "<": r"(?:less than|under|below|fewer than|shorter than|不足|不满|少于|低于|小于)",
    "<=": r"(?:at most|up to|maximum(?: of)?|no more than|not more than|no later than|不超过|不多于|不高于|最多|最高|最长|至多)",
    "before": r"(?:before|until|till|prior to)",
    "after": r"(?:after|since)",
}
_MODIFIERS_AFTER = {
    ">=": r"(?:or (?:more|longer|above)|and (?:more|above)|minimum|及?以上|起)",
    "<=": r"(?:or (?:less|fewer|below)|maximum|at most|及?以下)",
    "before": r"(?:before|之?以?前(?!台|往))",
    "after": r"(?:after|之?以?后(?!台))",
}
_BEFORE = {name: re.compile(rf"{pattern}\s*(?:the\s|a\s)?$") for name, pattern in _MODIFIERS_BEFORE.items()}
_AFTER = {name: re.compile(rf"\s*{pattern}") for name, pattern in _MODIFIERS_AFTER.items()}

_SAME = {
    **dict.fromkeys(("buy", "bought"), "purchas"),
    **dict.fromkeys(("client", "shopper"), "custom"),
    **dict.fromkeys(("parcel",), "packag"),
    **dict.fromkeys(("telephon",), "phone"),
    **dict.fromkeys(("reach",), "contact"),
    **dict.fromkeys(("sent",), "send"),
    **dict.fromkeys(("paid",), "pay"),
    **dict.fromkeys(("cost",), "price"),
    **dict.fromkeys(("deliveri",), "deliv"),
}
"""Stems that may stand for each other in every support text."""

_stemming = threading.Lock()
_stemmer = Stemmer.Stemmer("english")


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """An English word without its ending; words that mean the same are one."""
    word = word.lower().split("'")[0]
    with _stemming:  # PyStemmer objects are not safe to share between threads
        stemmed: str = _stemmer.stemWord(word)
    return _SAME.get(stemmed, stemmed)


def negations(text: str) -> list[int]:
    """Where a lower-case text negates."""
    harmless = [match.span() for match in _NO_NEGATION.finditer(text)]
    return [
        match.start()
        for match in _NEGATION.finditer(text)
        if not any(start <= match.start() < end for start, end in harmless)
    ]


def conditions(text: str) -> frozenset[str]:
    """Which conditions a lower-case text makes: "if", "only", "except", "otherwise"."""
    return frozenset(name for name, pattern in _CONDITIONS.items() if re.search(pattern, text))


def duty(text: str) -> bool:
    """Whether a lower-case text says that something must be done."""
    return bool(_DUTY.search(text))


def hedge(text: str) -> bool:
    """Whether a lower-case text takes its claim back a little ("usually", "about")."""
    return bool(_HEDGE.search(text))


def modifier(before: str, after: str) -> str:
    """How a number is bounded by the words around it: "", ">", ">=", "<", "<=", "before" or "after"."""
    for name, pattern in _BEFORE.items():
        if pattern.search(before):
            return name
    return next((name for name, pattern in _AFTER.items() if pattern.match(after)), "")


_FUNCTION_EN = re.compile(
    r"not|no|never|without|cannot|nor|neither|none|nothing|unable|if|only|except|unless|otherwise|when|once|but|however"
    r"|whereas|while|although|though|don|doesn|didn|isn|aren|wasn|weren|won|wouldn|couldn|shouldn|can|hasn|haven|hadn"
)


def is_content(word: str) -> bool:
    """Whether a source must support this English word; the guard counts the function words apart."""
    low = word.lower().removesuffix("'s")
    return (
        low not in GLUE_EN
        and low.split("'")[0] not in GLUE_EN
        and not _FUNCTION_EN.fullmatch(low.split("'")[0])
    )


_GLUE_HAN = re.compile("|".join(GLUE_HAN))


def glue_length(text: str, start: int) -> int:
    """Length of the Chinese glue word at `start`, 0 if there is none."""
    match = _GLUE_HAN.match(text, start)
    return match.end() - start if match else 0
