"""A large FAQ for speed tests: products times aspects, so that many entries are near-twins."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from knowledge.items import Faq

MAKES = ("Aster", "Borealis", "Cobalt", "Drift", "Ember", "Fjord", "Gale", "Harbor", "Iris", "Juniper")
KINDS = (
    "phone",
    "laptop",
    "tablet",
    "headphones",
    "watch",
    "camera",
    "speaker",
    "router",
    "charger",
    "monitor",
)
SERIES = ("A1", "B2", "C3", "D4")
ASPECTS = (
    ("How long is the warranty of the {p}?", "The {p} comes with {n} months of warranty."),
    ("How long does the battery of the {p} last?", "The battery of the {p} lasts up to {n} hours."),
    ("Is the {p} waterproof?", "The {p} withstands splashes and {n} minutes under water."),
    ("How do I reset the {p}?", "Hold the power button of the {p} for {n} seconds."),
    ("How much does the {p} weigh?", "The {p} weighs {n}0 grams."),
    ("Can I return an opened {p}?", "An opened {p} can be returned within {n} days."),
    ("How do I pair the {p} with my phone?", "Open Bluetooth and choose {p}; it takes about {n} seconds."),
    ("What is in the box of the {p}?", "The {p}, a cable, a guide, and {n} spare parts."),
    ("Does the {p} work abroad?", "The {p} works in {n} countries with the right plug."),
    ("Where can I get spare parts for the {p}?", "Spare parts for the {p} are sold for {n} years."),
    ("{p}的保修期是多久？", "{p}的保修期为{n}个月。"),
    ("{p}的电池能用多久？", "{p}的电池续航可达{n}小时。"),
    ("{p}防水吗？", "{p}防溅水，可在水下停留{n}分钟。"),
    ("怎么重置{p}？", "长按{p}的电源键{n}秒即可。"),
    ("{p}有多重？", "{p}重{n}0克。"),
    ("拆封的{p}能退吗？", "拆封的{p}可在{n}天内退货。"),
    ("{p}怎么和手机配对？", "打开蓝牙选择{p}，大约需要{n}秒。"),
    ("{p}的包装里有什么？", "{p}、一根数据线、说明书和{n}个配件。"),
    ("{p}在国外能用吗？", "配上合适的插头，{p}可在{n}个国家使用。"),
    ("哪里能买到{p}的配件？", "{p}的配件会供应{n}年。"),
    ("Which colours does the {p} come in?", "The {p} comes in {n} colours."),
    ("How fast does the {p} charge?", "The {p} charges fully in {n} minutes."),
    ("{p}有哪些颜色？", "{p}有{n}种颜色。"),
    ("{p}充满电要多久？", "{p}充满电需要{n}分钟。"),
    ("Is there a student discount on the {p}?", "Students get {n} percent off the {p}."),
)
REWORDED = (
    "warranty period {p}", "{p} battery life", "can the {p} get wet", "{p} factory reset how", "weight of {p}",
    "i opened my {p}, can i send it back", "{p} bluetooth pairing", "what do i get with the {p}", "use {p} overseas",
    "{p} replacement parts", "{p}保修多长时间", "{p}续航怎么样", "{p}能沾水吗", "{p}恢复出厂设置", "{p}重量",
    "{p}拆了还能退货吗", "{p}连接手机蓝牙", "买{p}送什么", "{p}可以带出国用吗", "{p}配件哪里买", "{p} color options",
    "{p} charging time", "{p}颜色", "{p}多久能充满", "{p} price for students",
)  # fmt: skip


def products() -> list[str]:
    """400 product names."""
    return [f"{make} {kind} {series}" for make, kind, series in product(MAKES, KINDS, SERIES)]


def large_faq(count: int = 10_000) -> Iterator[Faq]:
    """`count` entries (at most 10,000), English and Chinese."""
    pairs = ((name, aspect) for name in products() for aspect in ASPECTS)
    for number, (name, (question, answer)) in zip(range(count), pairs, strict=False):
        locale = "zh" if question[-1] == "？" else "en"
        values = {"p": name, "n": str(3 + number % 57)}
        short = question.replace("the {p}", "it").replace("{p}", "它")
        yield Faq(
            id=f"bench-{number}",
            question=question.format(**values),
            similar_questions=(f"{name}: {short}",),
            answer=answer.format(**values),
            locale=locale,
        )


def queries(count: int) -> Iterator[str]:
    """Questions in other words than the FAQ's; no two are the same within 10,000."""
    names, wordings = products(), REWORDED
    for number in range(count):
        step = number * 7919  # a prime: neighbours ask about different products and aspects
        yield wordings[step % len(wordings)].format(p=names[(step // len(wordings)) % len(names)])
