"""Every stored sentence, changed in one place: none of the changed ones may be said."""

import re

import pytest
from answer_cases import EN, ZH

from chatbot.answer.guard import check
from chatbot.answer.sentences import split


def _numbers(text: str) -> list[str]:
    """Each number made one larger, ten times larger, and another one."""
    changed = []
    for match in re.finditer(r"\d+(?:\.\d+)?", text):
        value = match.group()
        others = {str(int(float(value)) + 1), f"{value.replace('.', '')}0", "7" if value != "7" else "8"}
        changed += [text[: match.start()] + other + text[match.end() :] for other in others - {value}]
    return changed


_SWAPS = [
    # units and money
    *(("business days", "hours"), ("business days", "weeks"), ("days", "months"), ("months", "years"), ("$", "€")),
    *(("个工作日", "天"), ("个工作日", "小时"), ("天内", "小时内"), ("个月", "年"), ("元", "美元"), ("g.", "kg.")),
    # dates and times
    *(("March", "May"), ("2027", "2028"), ("2 pm", "2 am"), ("14点", "16点"), ("3月5日", "5月3日"), ("1月1日", "1月2日")),
    # addresses
    *(("service@", "sales@"), ("example.com", "example.net"), ("https://lumo", "https://evil"), ("/repair", "/pay")),
    *(("400-800-1234", "400-800-4321"), ("400-800-1234", "13800138000")),
    # names
    *(("Lumo X200", "Lumo X300"), ("Lumo", "Acme"), ("Standard", "Premium"), ("Express", "Lightning")),
    *(("我的订单", "我的卡包"), ("服务协议", "隐私协议"), ("港澳台", "新疆"), ("电池", "屏幕")),
    # negation
    *((" can be ", " cannot be "), ("cannot be", "can be"), ("do not deliver", "deliver"), (" is free", " is not free")),
    *((" covers ", " never covers "), ("but not damage", "and damage"), (" are ", " are not "), ("takes", "never takes")),
    *(("不支持", "支持"), ("暂不支持", "支持"), ("可在", "不可在"), ("不包括", "包括"), ("未使用", "使用"), ("涵盖", "不涵盖")),
    *(("免运费", "不免运费"), ("享受", "不享受"), ("会收到", "不会收到"), ("将", "不将")),
    # bounds and conditions
    *(("before 2 pm", "after 2 pm"), ("over $49", "under $49"), ("over $49", "up to $49"), (" only", ""), ("usually ", "")),
    *(("if the item is defective", ""), ("30 days", "at least 30 days"), ("24-month", "more than 24-month")),
    *(("满199", "不满199"), ("点前", "点后"), ("有质量问题时", ""), ("通常", ""), ("大多数", "所有"), ("Most", "All")),
    # duties
    *((" must be ", " can be "), (" can be ", " must be "), ("须", "可"), ("可在", "必须在")),
    # what is spoken of
    *(("earphones", "laptops"), ("memory cards", "gift cards"), ("refund", "bonus"), ("PO boxes", "Canada")),
    *(("photo", "passport"), ("invoice", "credit card"), ("defects", "scratches"), ("warehouse", "office")),
    *(("耳机", "手机"), ("存储卡", "礼品卡"), ("运费", "会员费"), ("发票", "身份证"), ("短信", "现金"), ("签收", "付款")),
    *(("质量问题", "外观问题"), ("原支付账户", "会员余额"), ("保修", "保险"), ("发货", "退款"), ("制造缺陷", "人为损坏")),
]  # fmt: skip


def _mutations() -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    stored = {sentence for passage in (*EN, *ZH) for sentence in split(passage.text)}
    for sentence in stored:
        for changed in [
            *_numbers(sentence),
            *(sentence.replace(old, new, 1) for old, new in _SWAPS if old in sentence),
        ]:
            if changed not in stored:
                found[changed] = sentence
    return sorted((original, changed) for changed, original in found.items())


MUTATIONS = _mutations()


def test_there_are_enough_mutations_in_both_languages() -> None:
    chinese = [changed for _, changed in MUTATIONS if re.search(r"[\u4e00-\u9fff]", changed)]

    assert len(MUTATIONS) >= 200
    assert len(chinese) >= 80


@pytest.mark.parametrize(("original", "changed"), MUTATIONS)
def test_a_changed_sentence_is_refused(original: str, changed: str) -> None:
    assert check(changed, (*EN, *ZH)) != [], f"{original!r} became {changed!r}"
