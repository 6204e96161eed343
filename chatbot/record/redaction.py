"""Mask what identifies or endangers a person, before anything is stored, logged or learnt from.

    "我的手机号是13800138000，订单KF20260311008"  ->  "我的手机号是[phone]，订单KF20260311008"

Found are phone numbers, e-mail addresses, national IDs and passports, bank cards and IBANs, and secrets
(keys, tokens, passwords, one-time codes) in the shapes that people and programs write them. Not found are
names and addresses. Order numbers, tracking numbers, prices and dates stay: the bot needs them.

A number alone is often ambiguous, so the last word before it decides ("order number 4111…" stays, "call me
on 451 5986" goes). All patterns have bounded repeats: 50,000 hostile characters take milliseconds. They read
words as ASCII, so that a Chinese character ends one ("邮箱abc@example.com").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

import phonenumbers
from stdnum import iban, luhn
from stdnum.cn import ric

Kind: TypeAlias = Literal["secret", "email", "id", "card", "phone"]
_Context: TypeAlias = Literal["number", "order", "phone", "card", "id", ""]

# Full-width letters, digits and signs read as ASCII; one character stays one, so that places agree.
_FOLD = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0xA0: 0x20}
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_ASCII_RUN = re.compile(r"[0-9A-Za-z０-９Ａ-Ｚａ-ｚ]{3}|\d[ -]\d", re.ASCII)
"""Texts without one, most Chinese messages, have nothing to find."""
_NUMBER = re.compile(r"\d(?:[ .()-]{0,3}\d){6}", re.ASCII)
_SIGN_OR_CASE = re.compile(r"[a-z][^\w\s'’.,:;/-]|[a-z][A-Z]", re.ASCII)
_PROVINCES = frozenset(
    [
        "11",
        "12",
        "13",
        "14",
        "15",
        "21",
        "22",
        "23",
        "31",
        "32",
        "33",
        "34",
        "35",
        "36",
        "37",
        "41",
        "42",
        "43",
        "44",
        "45",
        "46",
        "50",
        "51",
        "52",
        "53",
        "54",
        "61",
        "62",
        "63",
        "64",
        "65",
        "71",
        "81",
        "82",
        "83",
    ]
)
_WINDOW = 32
"""Characters before a number in which a word may tell what it is."""
_WORDS = re.compile(
    r"""(?P<number>订单号码?|订单编号|单号|运单号?|流水号|序列号|编号|货号|型号|条形?码|\bimei\b|\bsn\b|\bsku\b|\bean\b
        |(?:order|ticket|invoice|item|part|model|case|booking|reference|serial|tracking|article|product|tag)
         \s?(?:numbers?|no\b\.?|nr\b\.?|id\b|code|\#)|tracking|waybill|\bawb\b|\bref\b\.?)
    |(?P<order>订单|快递|物流|包裹|order|parcel|shipment|invoice)
    |(?P<phone>手机|电话|座机|固话|联系方式|联系我|致电|拨打|来电|打给|传真|phone|mobile|\bcell\b|\btel\b|\bfax\b|desk
        |\bcall(?:ed|ing)?\b|\btext\ me|contact|whatsapp|reach\ (?:me|us)|answering\ at|messages?\ to|registered)
    |(?P<card>卡号|银行卡|信用卡|储蓄卡|借记卡|(?:credit|debit|bank)\ ?card|\bcard\b|\bcc\b|账号|帐号|\baccount\b)
    |(?P<id>身份证|证件号|护照|通行证|台胞证|回乡证|passport|social\ security|\bssn\b|national\ id|identity\ card
        |\bid\ (?:card|number|no\b))
    """,
    re.VERBOSE | re.ASCII,
)
"""Read in lower case: matching without regard to case is five times slower."""
_AFTER = re.compile(r"[ \t,(-]{0,3}(?:office|fax|mobile|cell|phone|手机|电话)", re.ASCII)
_ORDER_AFTER = re.compile(r".{0,4}(?:发货|到货|到哪|没到|签收|物流|快递|订单|shipped|delivered)", re.ASCII)
_CLAUSE_END = re.compile(r"[,，。;；!！?？\n]", re.ASCII)

_EMAIL = re.compile(
    r"(?<![\w.%+-])[A-Za-z0-9_][\w.%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}(?![A-Za-z0-9-])",
    re.ASCII,
)
_TOKEN = re.compile(
    r"""(?<![A-Za-z0-9_])(?:
        sk-[\w-]{16,200} | [srp]k_(?:live|test)_\w{10,200} | gh[pousr]_\w{20,255} | github_pat_\w{20,255}
      | glpat-[\w-]{16,100} | xox[abeprs]-[\w-]{10,200} | hf_\w{20,100} | npm_\w{30,100} | SG\.[\w-]{16,40}\.[\w-]{16,60}
      | (?:AKIA|ASIA)[0-9A-Z]{16} | AKID\w{13,60} | LTAI\w{12,40} | AIza[\w-]{35} | ya29\.[\w-]{20,500}
      | eyJ[\w-]{8,2000}\.[\w-]{8,4000}(?:\.[\w-]{0,1000})?
      )
    | -----BEGIN\ [A-Z ]{0,30}PRIVATE\ KEY-----(?>(?:\s{0,4}[A-Za-z0-9+/=]{16,100}){0,200})
      (?:\s{0,4}-----END\ [A-Z ]{0,30}PRIVATE\ KEY-----)?
    """,
    re.VERBOSE | re.ASCII,
)
_NAMED_SECRET = re.compile(
    r"""(?P<name>\b(?:pass(?:word|wd|code|phrase)|pwd|pin|api[_ -]?key|secret(?:[_ -]?key)?|access[_ -]?(?:key|token)
        |auth[_ -]?token|token|bearer)\b|\bcv[vc]2?\b|(?:verification|security|one-time|confirmation)\ code|\botp\b
        |密码|口令|密钥|验证码|校验码|安全码|动态码)
        (?P<link>[ \t]{0,3}(?:(?:is|was|为|(?:应该|就)?是|[:=]|->)[ \t"'“]{0,3})?)
        (?P<value>[!-~]{3,256})""",
    re.VERBOSE | re.ASCII,
)
_CN_ID = re.compile(r"(?<![0-9A-Za-z])\d{6}([ -]?)\d{8}\1\d{3}[\dXx](?![0-9A-Za-z])", re.ASCII)
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}([- ])(?!00)\d{2}\1(?!0000)\d{4}(?![\w-])", re.ASCII)
_NAMED_ID = re.compile(
    r"(?<![0-9A-Za-z])(?:[A-Za-z]{1,3}\d{6,10}(?:\(\d\))?|\d{7,18}[Xx]?)(?![0-9A-Za-z])", re.ASCII
)
_CARD = re.compile(
    r"(?<![0-9A-Za-z])(?:\d{4}([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?|\d{4}[ -]\d{6}[ -]\d{4,5}|\d{12,19})(?![0-9A-Za-z])",
    re.ASCII,
)
_IIN = re.compile(
    r"""4\d{15}(?:\d{3})?|4\d{12} | 5[1-5]\d{14} | 2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}
      | 3[47]\d{13} | 3(?:0[0-5]|[68]\d)\d{11} | (?:6011|64[4-9]\d|65\d\d)\d{12}(?:\d{3})? | 62\d{14,17}
      | 35(?:2[89]|[3-8]\d)\d{12}(?:\d{3})? | (?:2131|1800)\d{11} | (?:50|5[6-8]|60|63|67)\d{10}(?:\d{1,7})?""",
    re.VERBOSE | re.ASCII,
)
_IBAN = re.compile(
    r"(?<![0-9A-Za-z])[A-Z]{2}\d{2}(?: ?[0-9A-Z]{4}){2,7}(?: ?[0-9A-Z]{1,3})?(?![0-9A-Za-z])", re.ASCII
)
_IBAN_NAMED = re.compile(r"\biban\b", re.ASCII)
_MOBILE = re.compile(
    r"(?<![0-9A-Za-z.+])(?:(?:\+|00)?86[- ]?)?1[3-9]\d([ -]?)\d{4}\1\d{4}(?![0-9A-Za-z])", re.ASCII
)
_LANDLINE = re.compile(
    r"(?<![0-9A-Za-z.+-])(?:\(0\d{2,3}\)|0(?:10|2\d|[3-9]\d\d))[- ]?[2-9]\d{6,7}(?:(?:-|转|\ ?ext\.? ?)\d{1,6})?(?![0-9A-Za-z])",
    re.ASCII,
)
_ABROAD = re.compile(
    r"(?<![0-9A-Za-z])(?<!\d-)(?:\+|00)[1-9](?:[ .()-]{0,2}\d){6,14}(?:x\d{1,5})?(?![0-9A-Za-z])", re.ASCII
)
_AMERICAN = re.compile(
    r"(?<![0-9A-Za-z.-])(?:1[-. ])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[-. ])\d{3}[-. ]\d{4}(?: ?x\d{1,5})?(?![0-9A-Za-z-])",
    re.ASCII,
)
_GROUPED = re.compile(r"(?<![0-9A-Za-z.,-])0\d{1,4}(?:[ .-]\d{2,4}){2,4}(?![0-9A-Za-z])", re.ASCII)
_LOCAL = re.compile(
    r"(?<![0-9A-Za-z.,/:$¥€£+-])\(?\d{2,5}\)?(?:[ .-]?\d{2,4}){1,5}(?: ?x\d{1,5})?(?![0-9A-Za-z:%])", re.ASCII
)
_DATE = re.compile(
    r"(?:19|20)\d\d([-./ ]?)(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])(?:\D.*)?|(?:19|20)\d\d ?- ?(?:19|20)\d\d|\d\d?[-./]\d\d?[-./](?:19|20)\d\d",
    re.ASCII,
)
_HOTLINE = re.compile(
    r"(?:1[-. ])?\(?(?:400|800|833|844|855|866|877|888)\)?(?:[-. ]?\d){7}|95\d{3,4}|1(?:00|2)\d{2,3}",
    re.ASCII,
)
"""Numbers that only companies have: the customer asks about them, they tell nothing about the customer."""


@dataclass(frozen=True, slots=True)
class Span:
    """A private piece of a text: text[start:end]."""

    start: int
    end: int
    kind: Kind


def redact(text: str, *, public: Collection[str] = ()) -> str:
    """The text with private pieces replaced by [phone], [email], [id], [card] or [secret].

    The same text always gives the same result.

    Args:
        text: Any text, in any length.
        public: What may stay, as `contacts` gives it: the company's own phone numbers and addresses.
    """
    pieces, position = [], 0
    for span in find_private(text):
        if _plain(text[span.start : span.end]) in public:
            continue
        pieces += [text[position : span.start], f"[{span.kind}]"]
        position = span.end
    return "".join([*pieces, text[position:]]) if pieces else text


def contacts(texts: Iterable[str]) -> frozenset[str]:
    """Phone numbers and addresses in the company's own texts, in the form that `redact` compares."""
    return frozenset(_plain(text[span.start : span.end]) for text in texts for span in find_private(text))


def find_private(text: str) -> Sequence[Span]:
    """All private pieces, in order, without overlap."""
    if not _ASCII_RUN.search(text):
        return ()
    read = _Text(text)
    taken = bytearray(len(text))
    found: list[Span] = []
    for kind, detect in _DETECTORS:
        for start, end in detect(read):
            if taken.find(1, start, end) < 0:
                taken[start:end] = b"\1" * (end - start)
                found.append(Span(start, end, kind))
    return sorted(found, key=lambda span: span.start)


class _Text:
    """A text in the forms that the patterns read; all of the same length."""

    def __init__(self, text: str) -> None:
        self.folded = text.translate(_FOLD)
        self.lowered = self.folded.translate(_LOWER)
        self.has_number = _NUMBER.search(self.folded) is not None
        self._contexts: dict[int, _Context] = {}

    def ends_clause(self, end: int) -> bool:
        """Whether no other word follows there."""
        return self.folded[end : end + 2].strip(" ")[:1] in {"", "\n", *",，。;；"}

    def context(self, start: int) -> _Context:
        """What the last word before a number says that it is; "" when there is none, or a number between."""
        if start not in self._contexts:
            self._contexts[start] = self._read_context(start)
        return self._contexts[start]

    def _read_context(self, start: int) -> _Context:
        window = self.lowered[max(0, start - _WINDOW) : start]
        last: _Context = ""
        for match in _WORDS.finditer(window):
            rest = window[match.end() :]
            if any(character.isdigit() for character in rest):
                continue
            kind: _Context = match.lastgroup  # type: ignore[assignment]  # the groups are named so
            # "Where is my order? 13800138000": an order's number stands in the same clause.
            last = "" if kind in {"number", "order"} and _CLAUSE_END.search(rest) else kind
        return last


def _secrets(text: _Text) -> Iterator[tuple[int, int]]:
    for match in _TOKEN.finditer(text.folded):
        yield match.span()
    for match in _NAMED_SECRET.finditer(text.lowered):
        start = match.start("value")
        value = text.folded[start : match.end()].rstrip("\"'.,;!?)")
        if _is_secret(match["name"], match["link"].strip(), value, last=text.ends_clause(match.end())):
            yield start, start + len(value)


def _is_secret(name: str, link: str, value: str, *, last: bool) -> bool:
    """Whether the word after "password" is one: "my password is wrong" tells nothing."""
    if name[0] in "验校安动" or name.endswith("code") or name in {"otp", "pin", "cvv", "cvc", "cvv2", "cvc2"}:
        return value.isdigit() and len(value) <= 10
    # After a colon anything may follow; without one a sign is punctuation, a price, or a placeholder.
    named = link[:1] in {":", "=", "-"}
    if len(value) < 4 or value.startswith(("[", "http", "//")) or not (value[0].isalnum() or named):
        return False
    mixed = any(character.isdigit() for character in value) or bool(_SIGN_OR_CASE.search(value))
    return mixed or (named and last and len(value) >= 6 and value.isalnum() and not value.istitle())


def _emails(text: _Text) -> Iterator[tuple[int, int]]:
    if "@" in text.folded:
        for match in _EMAIL.finditer(text.folded):
            yield match.span()


def _ids(text: _Text) -> Iterator[tuple[int, int]]:
    if not text.has_number:
        return
    for match in _CN_ID.finditer(text.folded):
        if _is_chinese_id(match[0]):
            yield match.span()
    for match in _SSN.finditer(text.folded):
        if text.context(match.start()) not in {"number", "order", "phone"}:
            yield match.span()
    for match in _NAMED_ID.finditer(text.folded):
        if text.context(match.start()) == "id":
            yield match.span()


def _is_chinese_id(text: str) -> bool:
    digits = re.sub(r"[ -]", "", text).upper()
    try:
        born = date(int(digits[6:10]), int(digits[10:12]), int(digits[12:14]))
    except ValueError:
        return False
    return (
        1900 <= born.year <= 2100 and digits[:2] in _PROVINCES and digits[-1] == ric.calc_check_digit(digits)
    )


def _cards(text: _Text) -> Iterator[tuple[int, int]]:
    if not text.has_number:
        return
    for match in _CARD.finditer(text.folded):
        digits = re.sub(r"[ -]", "", match[0])
        context = text.context(match.start())
        ordered = context in {"number", "order"} or _ORDER_AFTER.match(text.lowered, match.end())
        shaped = _IIN.fullmatch(digits) and luhn.is_valid(digits)
        if (context == "card" and len(digits) >= 13) or (shaped and not ordered):
            yield match.span()
    for match in _IBAN.finditer(text.folded):
        if iban.is_valid(match[0]) or _IBAN_NAMED.search(
            text.lowered, max(0, match.start() - 12), match.start()
        ):
            yield match.span()


def _phones(text: _Text) -> Iterator[tuple[int, int]]:
    if not text.has_number:
        return
    for match in _MOBILE.finditer(text.folded):
        if text.context(match.start()) != "number":
            yield match.span()
    for pattern in (_ABROAD, _LANDLINE, _AMERICAN, _GROUPED):
        for match in pattern.finditer(text.folded):
            context = text.context(match.start())
            if context not in {"number", "order"} and _is_phone(match[0], named=context == "phone"):
                yield match.span()
    for match in _LOCAL.finditer(text.folded):
        if not 7 <= _count_digits(match[0].split("x")[0]) <= 13:
            continue
        named = text.context(match.start()) == "phone" or _AFTER.match(text.lowered, match.end()) is not None
        if named and _is_phone(match[0], named=True):
            yield match.span()


def _is_phone(number: str, *, named: bool) -> bool:
    if _DATE.fullmatch(number) or _HOTLINE.fullmatch(number):
        return False
    bare = number.split("x")[0]
    if bare.startswith(("+", "00")):
        # Bar codes begin with zeros too: without a "+" or a gap, only a word before it tells.
        return (number[0] == "+" or named or not number.isdigit()) and _is_possible(bare)
    return named or _count_digits(bare) >= 9


def _is_possible(number: str) -> bool:
    international = "+" + re.sub(r"\D", "", re.sub(r"^00|\(0\)", "", number))
    try:
        length = phonenumbers.is_possible_number_with_reason(phonenumbers.parse(international))
    except phonenumbers.NumberParseException:
        return False
    return length == phonenumbers.ValidationResult.IS_POSSIBLE


def _count_digits(text: str) -> int:
    return sum(character.isdigit() for character in text)


def _plain(text: str) -> str:
    """E-mails in lower case, numbers as their digits: how a contact is compared."""
    folded = text.translate(_FOLD).lower()
    return folded if "@" in folded else re.sub(r"[^0-9a-z]", "", folded)


_Detector: TypeAlias = Callable[[_Text], Iterator[tuple[int, int]]]
_DETECTORS: Sequence[tuple[Kind, _Detector]] = (
    ("secret", _secrets),
    ("email", _emails),
    ("id", _ids),
    ("card", _cards),
    ("phone", _phones),
)
"""In this order: what an earlier one found, a later one leaves."""
