"""Customers' questions as other customers would have typed them; answers and passages are never touched.

| kind | what becomes of the question |
|---|---|
| typo | a character that sounds the same or a neighbouring key; letters swapped or left out |
| width | letters, digits and signs full width, or half |
| traditional | Traditional characters, with Taiwan's words |
| pinyin | the Chinese characters as pinyin |
| code_switch | a word or two in the other language |
| noise | signs doubled or missing, a filler, an emoji |
| paraphrase | another frame for the question; falls back to a polite one where none fits |

Numbers, codes, names of products and placeholders stay: they are what the answer turns on.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias, TypeVar, get_args

from pypinyin import Style, lazy_pinyin

from chatbot.answer.script import in_script
from finetune.data.division import LIKENESS
from finetune.data.terms import TERMS
from finetune.data.values import Example, Labelled, Pair
from knowledge.clean import near_duplicates

Kind: TypeAlias = Literal["typo", "width", "traditional", "pinyin", "code_switch", "noise", "paraphrase"]
KINDS: tuple[Kind, ...] = get_args(Kind)
RowT = TypeVar("RowT", Example, Pair, Labelled)

_HAN = r"\u3400-\u9fff"
_KEEP = re.compile(r"\[(?:secret|email|id|card|phone)\]|\S*[@/]\S*|[A-Za-z]*\d[\w.,-]*|[¥$€]\d[\d.,]*")
"""What no variation may touch."""
_UNTOUCHED = re.compile(r"\[(?:secret|email|id|card|phone)\]|\S*[@/]\S*")
"""What may not even change its width."""
_HOMOPHONES = ("的地得", "在再", "做作", "哪那", "账帐", "他她它", "到道", "以已", "是事", "订定", "吗嘛", "呢捏", "换还", "单但", "货或", "退腿", "快块", "款宽", "怎咋", "么末", "什啥", "里理", "了啦")  # fmt: skip
_KEYS = {"a": "sq", "e": "wr", "i": "uo", "o": "ip", "n": "bm", "r": "et", "s": "ad", "t": "ry", "u": "yi", "l": "kp", "c": "xv", "d": "sf", "h": "gj", "m": "n"}  # fmt: skip
_FILLERS = {"zh": ("那个", "就是", "额", "请问下", "话说"), "en": ("um", "so", "hey", "well", "pls")}
_END_SIGNS = re.compile(r"[?？!！.。]+$")
_COMMAS = re.compile(r"[，,、]\s*")
_EMOJI = ("🙏", "😅", "😭", "🤔")
_FRAMES: dict[str, tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]] = {
    "zh": (
        (re.compile(r"^(?:请问)?怎么(.{2,30}?)[?？。]*$"), ("要怎样才能{}", "{}要怎么操作", "想问下如何{}")),
        (re.compile(r"^(?:请问)?(.{2,30}?)(?:多久|要多长时间)(?:到账|到|啊)?[?？。]*$"), ("{}大概要几天", "{}一般得多长时间")),
        (re.compile(r"^(?:请问)?(.{1,20})可以(.{1,20}?)[吗么][?？。]*$"), ("{}能不能{}", "{}能{}不")),
        (re.compile(r"^(?:请问)?(.{1,20})能(.{1,20}?)[吗么][?？。]*$"), ("{}可不可以{}", "{}能否{}")),
        (re.compile(r"^(?:请问)?(.{2,30}?)在哪(?:里|儿)?(.{0,10}?)[?？。]*$"), ("去哪儿{1}{0}", "想知道{0}在什么地方{1}")),
    ),
    "en": (
        (re.compile(r"^how (?:do|can) i (.{3,80}?)[?.]*$", re.IGNORECASE), ("what's the way to {}?", "i want to {}, how?", "can you tell me how to {}")),
        (re.compile(r"^how long (?:does|do) (.{3,60}?) take[?.]*$", re.IGNORECASE), ("how many days for {}?", "{} - how long is that?")),
        (re.compile(r"^can i (.{3,80}?)[?.]*$", re.IGNORECASE), ("is it possible to {}?", "am i able to {}", "would it be ok to {}?")),
        (re.compile(r"^do you (.{3,80}?)[?.]*$", re.IGNORECASE), ("i'd like to know if you {}", "could you tell me whether you {}")),
        (re.compile(r"^what (?:is|are) (.{3,80}?)[?.]*$", re.IGNORECASE), ("tell me about {}", "i'd like to know {}")),
    ),
}  # fmt: skip
_PLAIN_SIGNS = str.maketrans("？，！。、", "?,!.,")
_POLITE = {"zh": ("你好，{}", "麻烦问一下，{}", "{}，谢谢", "想咨询一下，{}"), "en": ("hi, {}", "hello there - {}", "{}, thanks", "quick question: {}")}  # fmt: skip
_LOCALES = ("zh", "en")


def varied(
    rows: Sequence[RowT], *, seed: int, held_out: Sequence[str] = (), share: float = 1.0
) -> list[RowT]:
    """A varied copy of a share of the rows; one seed gives one result.

    Args:
        rows: Of the training split.
        seed: Chooses rows, kinds and changes.
        held_out: Keys of valid and test: a copy that comes too near to one of them is thrown away.
        share: Of the rows that get a copy.
    """
    copies: list[RowT] = []
    for row in rows:
        rng = random.Random(f"{seed}:{row.unit}:{row.key}")
        if rng.random() < share and (copy := _copy(row, rng)) is not None:
            copies.append(copy)
    keys = [*held_out, *(copy.key for copy in copies)]
    near = {
        pair.second
        for pair in near_duplicates(keys, likeness=LIKENESS)
        if pair.first < len(held_out) <= pair.second
    }
    return [copy for place, copy in enumerate(copies, start=len(held_out)) if place not in near]


def vary(text: str, kind: Kind, locale: str, rng: random.Random) -> str:
    """The text changed in one way; the text itself where that way does not apply."""
    return _WAYS[kind](text, locale if locale in _LOCALES else "en", rng)


def _copy(row: RowT, rng: random.Random) -> RowT | None:
    text = _text(row)
    for kind in rng.sample(KINDS, k=len(KINDS)):
        changed = vary(text, kind, row.locale, rng)
        if changed != text:
            return _with_text(row, changed, f"{row.source}~{kind}")
    return None


def _text(row: Example | Pair | Labelled) -> str:
    return row.text if isinstance(row, Labelled) else row.question


def _with_text(row: RowT, text: str, source: str) -> RowT:
    if isinstance(row, Example):
        kind = source.rpartition("~")[2]
        messages = (*row.messages[:-1], ("user", text))
        return replace(row, id=f"{row.id}~{kind}", messages=messages, source=source)
    if isinstance(row, Pair):
        return replace(row, question=text, source=source)
    return replace(row, text=text, source=source)


def _typo(text: str, _locale: str, rng: random.Random) -> str:
    """One slip: a homophone or a neighbouring key; in English also two letters swapped, or one left out."""
    slips = [(place, _near(text[place])) for start, end in _free(text) for place in range(start, end)]
    places = [(place, near) for place, near in slips if near]
    if not places:
        return text
    place, near = rng.choice(places)
    letter, following = text[place], text[place + 1 : place + 2]
    if letter.isascii() and following.isascii() and following.isalpha() and rng.random() < 0.6:
        return text[:place] + (following + letter if rng.random() < 0.5 else following) + text[place + 2 :]
    return text[:place] + rng.choice(near) + text[place + 1 :]


def _near(character: str) -> str:
    """What a finger or an input method puts in its place."""
    sounding = next((group for group in _HOMOPHONES if character in group), "")
    return sounding.replace(character, "") or _KEYS.get(character, "")


def _width(text: str, _locale: str, rng: random.Random) -> str:
    wide = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
    if re.search(r"[\uff01-\uff5e]", text) and rng.random() < 0.7:
        return text.translate({full: narrow for narrow, full in wide.items()})
    return "".join(part if fixed else part.translate(wide) for part, fixed in _parts(text, _UNTOUCHED))


def _traditional(text: str, _locale: str, _rng: random.Random) -> str:
    return in_script(text, "Hant")


def _pinyin(text: str, _locale: str, _rng: random.Random) -> str:
    def spelled(found: re.Match[str]) -> str:
        return " " + " ".join(lazy_pinyin(found[0], style=Style.NORMAL)) + " "

    changed = re.sub(rf"[{_HAN}]+", spelled, text)
    if changed == text:
        return text
    return re.sub(r" ([?,!.])", r"\1", " ".join(changed.translate(_PLAIN_SIGNS).split()))


def _code_switch(text: str, locale: str, rng: random.Random) -> str:
    words = _dictionary(locale)
    present = [word for word in words if re.search(_word(word), text, re.IGNORECASE)]
    for word in rng.sample(present, k=min(2, len(present))):
        text = re.sub(_word(word), words[word], text, count=1, flags=re.IGNORECASE)
    return re.sub(r" {2,}", " ", text).strip()


def _word(word: str) -> str:
    return rf"\b{word}\b" if word.isascii() else word


def _dictionary(locale: str) -> Mapping[str, str]:
    return (
        {zh: f" {en} " for zh, en in TERMS.items()}
        if locale == "zh"
        else {en: zh for zh, en in reversed(TERMS.items())}
    )


def _noise(text: str, locale: str, rng: random.Random) -> str:
    """Sloppy: lower case without a last sign, signs doubled, a filler before, an emoji behind, no commas."""
    match rng.randrange(5):
        case 0:
            return "".join(
                part if kept else part.lower() for part, kept in _parts(_END_SIGNS.sub("", text), _KEEP)
            )
        case 1:
            return _END_SIGNS.sub("", text) + ("？？" if locale == "zh" else "??")
        case 2:
            return f"{rng.choice(_FILLERS.get(locale, _FILLERS['en']))}{'' if locale == 'zh' else ' '}{text}"
        case 3:
            return f"{text}{rng.choice(_EMOJI)}"
        case _:
            return "".join(part if kept else _COMMAS.sub(" ", part) for part, kept in _parts(text, _KEEP))


def _paraphrase(text: str, locale: str, rng: random.Random) -> str:
    for pattern, frames in _FRAMES[locale]:
        if found := pattern.match(text.strip()):
            return rng.choice(frames).format(*found.groups())
    bare = re.sub(r"[。.]+$", "", text.strip())
    return rng.choice(_POLITE[locale]).format(bare)


def _free(text: str) -> list[tuple[int, int]]:
    """The stretches that may be changed."""
    edges, position = [], 0
    for found in _KEEP.finditer(text):
        edges.append((position, found.start()))
        position = found.end()
    return [*edges, (position, len(text))]


def _parts(text: str, kept: re.Pattern[str]) -> list[tuple[str, bool]]:
    """The text in pieces, and whether each must stay."""
    pieces, position = [], 0
    for found in kept.finditer(text):
        pieces += [(text[position : found.start()], False), (found[0], True)]
        position = found.end()
    return [*pieces, (text[position:], False)]


_WAYS: Mapping[Kind, Callable[[str, str, random.Random], str]] = {
    "typo": _typo,
    "width": _width,
    "traditional": _traditional,
    "pinyin": _pinyin,
    "code_switch": _code_switch,
    "noise": _noise,
    "paraphrase": _paraphrase,
}
