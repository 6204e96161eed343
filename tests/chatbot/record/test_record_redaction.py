"""What identifies a person is masked; what the bot needs stays."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn
from stdnum.cn import ric

from chatbot.record.redaction import contacts, find_private, redact

PRIVATE = {
    # phone numbers, mainland mobile and fixed
    "我的手机号是13800138000": "我的手机号是[phone]",
    "电话138 0013 8000，谢谢": "电话[phone]，谢谢",
    "打+86 138-0013-8000": "打[phone]",
    "１３８００１３８０００": "[phone]",
    "微信同号19912345678": "微信同号[phone]",
    "联系13800138000或13900139000": "联系[phone]或[phone]",
    "我的订单还没到？13800138000": "我的订单还没到？[phone]",
    "座机 010-62345678": "座机 [phone]",
    "(0755)82345678转801": "[phone]",
    "座机62345678": "座机[phone]",
    # abroad
    "Call me on +44 7700 677662 please": "Call me on [phone] please",
    "+41 (0)62 585 51 90": "[phone]",
    "0044 20 7946 0958": "[phone]",
    "my number is (415) 555-2671": "my number is [phone]",
    "415-555-2671 x35": "[phone]",
    "They're not answering at 451 5986": "They're not answering at [phone]",
    "7811704 office": "[phone] office",
    "056 590 36 33": "[phone]",
    # e-mail
    "邮箱zhang.san+kefu@mail.example.com。": "邮箱[email]。",
    "write to Jo_Doe@example.co.uk, thanks": "write to [email], thanks",
    "ａｂｃ＠ｅｘａｍｐｌｅ．ｃｏｍ": "[email]",
    # identity
    "身份证号11010519491231002X": "身份证号[id]",
    "110105 19491231 002x": "[id]",
    "身份证 110105194912310021": "身份证 [id]",
    "护照号E12345678": "护照号[id]",
    "passport number X1234567": "passport number [id]",
    "my SSN is 550-53-3582": "my SSN is [id]",
    "SSN 123456789": "SSN [id]",
    # cards and accounts
    "卡号6222 0212 3456 7890 128": "卡号[card]",
    "4111-1111-1111-1111 exp 12/27": "[card] exp 12/27",
    "amex 3782 822463 10005": "amex [card]",
    "账号6222020200112233445": "账号[card]",
    "GB82WEST12345698765432": "[card]",
    # secrets
    "密码：abc123": "密码：[secret]",
    "密码是Qwerty!9，登不上": "密码是[secret]，登不上",
    "my password: hunter2": "my password: [secret]",
    "password=iloveyou": "password=[secret]",
    "验证码482913": "验证码[secret]",
    "cvv是123": "cvv是[secret]",
    "我的PIN 1234": "我的PIN [secret]",
    "verification code is 482913": "verification code is [secret]",
    'api_key = "9f8a7b6c5d4e3f2a"': 'api_key = "[secret]"',
    "Authorization: Bearer abcdef1234567890": "Authorization: Bearer [secret]",
    "key sk-proj-abcdefghijklmnop1234": "key [secret]",
    "AKIAIOSFODNN7EXAMPLE": "[secret]",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N": "[secret]",
    f"-----BEGIN RSA PRIVATE KEY-----\n{'A1b2' * 16}\n-----END RSA PRIVATE KEY----- ok": "[secret] ok",
}

HARMLESS = [
    "我的订单KF20260311008还没到",
    "order AB12345678",
    "订单号：20260311123456789",
    "单号7712345678901，请查一下",
    "快递单号 SF1234567890123 到哪了",
    "JD0012345678901 / YT2345678901234",
    "tracking 1Z999AA10123456784",
    "order number 4111111111111111",
    "4111111111111111 还没发货",
    "order 114-1234567-1234567",
    "IMEI 490154203237518",
    "ISBN 978-7-111-12345-6",
    "手机型号12345678",
    "手机一共 12999 元",
    "¥1,299.00 or US$ 12,345,678",
    "2026-03-11 10:30, 2026年3月11日, 11.03.2026, 20260311",
    "联系我们 Copyright 1999-2008",
    "call me after 2026-03-11",
    "400-820-6666 和 95588、10086 打不通",
    "call 1-800-555-1234",
    "192.168.1.100 v1.2.3.4567",
    "尾号1234的卡",
    "密码忘了怎么办，验证码收不到",
    "my password is wrong, I can't sign in",
    "Password: please reset it",
    "Forgot password? Token $75.00",
    "输入支付密码,g164",
    "what is your e-mail @ the desk?",
    "5 + 5 = 10, 24/7, 100%",
    "barcode 0012345678905",
    "",
]


@pytest.mark.parametrize(("text", "masked"), PRIVATE.items())
def test_private_pieces_are_masked(text: str, masked: str) -> None:
    assert redact(text) == masked


@pytest.mark.parametrize("text", HARMLESS)
def test_what_the_bot_needs_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text(max_size=200) | st.text("0123456789 -+()@.ab密码:=", max_size=80))
def test_redacting_is_repeatable_and_finds_places_in_order(text: str) -> None:
    spans = find_private(text)
    masked = redact(text)

    assert masked == redact(text)
    assert all(first.end <= second.start for first, second in pairwise(spans))
    assert all(0 <= span.start < span.end <= len(text) for span in spans)


def test_the_companys_own_contacts_stay() -> None:
    own = contacts(["Call 010-6234 5678 or write to Help@Example.com.", "热线：010-62345678"])

    masked = redact("我打了010-62345678，写了help@example.com，我的是13800138000", public=own)

    assert masked == "我打了010-62345678，写了help@example.com，我的是[phone]"


# ---- measured: recall at least 98 % on formats, false alarms at most 1 %


def test_public_data_in_english_is_masked(shared_data: Path) -> None:
    lines = (shared_data / "safety" / "pii_en.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    wanted = {"PHONE_NUMBER", "US_SSN", "CREDIT_CARD", "EMAIL_ADDRESS", "IBAN_CODE"}
    found, missed, alarms = 0, [], []

    for row in rows:
        spans = find_private(row["text"])
        for start, end, kind in row["spans"]:
            if kind in wanted:
                covered = any(span.start <= start + 1 and end - 1 <= span.end for span in spans)
                found += covered
                missed += [] if covered else [row["text"][start:end]]
        alarms += [
            row["text"][span.start : span.end]
            for span in spans
            if not any(a < span.end and span.start < b and kind in wanted for a, b, kind in row["spans"])
        ]

    assert found / (found + len(missed)) >= 0.98, missed
    assert len(alarms) <= 0.01 * len(rows), alarms


_ZH = [
    "你好，我的{}是{}，请尽快联系",
    "{}：{}",
    "麻烦把货送到，{}{}谢谢",
    "订单KF20260311008，{} {}，急",
    "刚才填错了，正确的{}应该是{}。",
]


def _planted(chance: random.Random) -> list[tuple[str, str]]:
    def digits(count: int) -> str:
        return "".join(chance.choice("0123456789") for _ in range(count))

    def mobile() -> str:
        number = "1" + chance.choice("3456789") + digits(9)
        return chance.choice(
            [
                number,
                f"{number[:3]} {number[3:7]} {number[7:]}",
                f"+86 {number}",
                f"{number[:3]}-{number[3:7]}-{number[7:]}",
            ]
        )

    def identity() -> str:
        body = f"{chance.choice(['110105', '310104', '440305', '510107'])}{chance.randint(1950, 2008)}{chance.randint(1, 12):02}{chance.randint(1, 28):02}{digits(3)}"
        return body + ric.calc_check_digit(body + "0")

    def card() -> str:
        body = chance.choice(["622202", "621700", "623668"]) + digits(12)
        number = body + luhn.calc_check_digit(body)
        return chance.choice([number, " ".join(number[at : at + 4] for at in range(0, 19, 4))])

    makers: list[tuple[str, Callable[[], str]]] = [
        ("手机号", mobile),
        ("座机", lambda: f"0{chance.choice(['10', '21', '755', '571'])}-{chance.choice('23568')}{digits(7)}"),
        ("身份证号", identity),
        ("银行卡号", card),
        ("邮箱", lambda: f"user{digits(4)}@{chance.choice(['qq.com', '163.com', 'gmail.com'])}"),
        ("验证码", lambda: digits(6)),
        ("护照号", lambda: f"E{digits(8)}"),
    ]
    return [(name, make()) for _ in range(72) for name, make in makers]


def test_planted_chinese_items_are_masked() -> None:
    chance = random.Random(11)
    planted = _planted(chance)

    missed = []
    for name, value in planted:
        text = chance.choice(_ZH).format(name, value)
        if value in redact(text) or value[-4:] in redact(text):
            missed.append(text)

    assert len(missed) <= 0.02 * len(planted), missed


def test_order_and_tracking_numbers_are_left_alone() -> None:
    chance = random.Random(12)

    def digits(count: int) -> str:
        return "".join(chance.choice("0123456789") for _ in range(count))

    shapes: list[Callable[[], str]] = [
        lambda: f"KF202603{digits(6)}",
        lambda: f"AB{digits(8)}",
        lambda: f"SF{digits(13)}",
        lambda: f"1Z{digits(16)}",
        lambda: f"RR{digits(9)}CN",
        lambda: f"20260311{digits(9)}",
        lambda: f"77{digits(11)}",
        lambda: f"{chance.randint(1, 9)}{digits(18)}",
        lambda: f"{digits(3)}-{digits(7)}-{digits(7)}",
        lambda: digits(8),
        lambda: f"¥{chance.randint(1, 99)},{digits(3)}.00",
    ]
    frames = [
        "我的订单{}还没到",
        "订单号：{}",
        "单号{}，请查一下",
        "Where is my order {}?",
        "快递单号{}",
        "tracking number {}",
    ]

    texts = [chance.choice(frames).format(chance.choice(shapes)()) for _ in range(3000)]
    alarms = [text for text in texts if redact(text) != text]

    assert len(alarms) <= 0.01 * len(texts), alarms


@pytest.mark.parametrize(
    "piece",
    ["1", "1 ", "1-", "a@", "a.", "(0", "+1 ", "00 ", "password ", "密码", "sk-", "eyJ", "order 1 ", "ghp_", "GB05 ", "x@a.",
     "secret secret: ", "-----BEGIN PRIVATE KEY-----", "A" * 90 + " "],
)  # fmt: skip
def test_hostile_texts_take_linear_time(piece: str) -> None:
    def seconds(length: int) -> float:
        start = time.process_time()
        find_private((piece * length)[:length])
        return time.process_time() - start

    seconds(1000)
    short, long = max(seconds(10_000), 0.005), seconds(50_000)

    # Five times the text; a quadratic pattern would take twenty-five times as long.
    assert long < 15 * short
