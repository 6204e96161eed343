"""Messages understood in their conversation."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from understand_turns import answered, asked, message, told, turn

from chatbot.chats import Asked
from chatbot.types import Clarify, Decline, Handoff, Option, Turn, Understander, Understanding, UseTemplate
from chatbot.understand.intent import IntentClassifier
from chatbot.understand.reader import Reader
from fakes import FakeEncoder
from knowledge.sources.builtin import load_builtin_intents
from knowledge.sources.intents import Intent, Slot, Template

ORDER = Slot(
    name="order_id",
    type="pattern",
    pattern=r"KF\d{8}",
    ask={"zh": "订单号是多少？", "en": "Your order number?"},
)
NAME = Slot(name="name", type="text", ask={"zh": "您的姓名？", "en": "Your name?"})
ANSWER = [Template(text={"zh": "好", "en": "ok"})]
STATUS = Intent(
    name="order_status",
    examples={
        "zh": ["我的订单到哪了", "查一下物流", "快递到哪里了", "帮我查订单"],
        "en": ["where is my order", "track my order", "when will my order arrive", "order status"],
    },
    slots=[ORDER],
    templates=ANSWER,
)
CANCEL = Intent(
    name="cancel_order",
    examples={
        "zh": ["取消订单", "我要取消订单", "帮我取消"],
        "en": ["cancel my order", "please cancel the order", "cancel it please"],
    },
    slots=[ORDER, NAME],
    templates=ANSWER,
)
WORDINGS = [
    "怎么退货",
    "国际订单怎么退货",
    "会员怎么升级",
    "wo 的 iPhone 坏了",
    "How do I return a phone?",
    "订单号在哪里看",
    "多久能退款",
]
FIRST, SECOND = "KF20260311", "KF20260312"


@pytest.fixture(scope="module")
def reader() -> Reader:
    intents = [STATUS, CANCEL, *load_builtin_intents()]
    classifier = IntentClassifier.fit(intents, FakeEncoder(), negatives=WORDINGS)
    return Reader(intents=intents, classifier=classifier, wordings=WORDINGS)


def read(reader: Understander, text: str, *history: Turn) -> Understanding:
    return reader.understand(message(text), history)


def test_the_reader_is_an_understander_with_a_version(reader: Reader) -> None:
    understander: Understander = reader

    assert len(understander.version) == 12


@pytest.mark.parametrize(
    ("text", "query", "language", "script"),
    [
        ("我的訂單到哪了", "我的订单到哪了", "zh", "Hant"),
        ("Ｗｈｅｒｅ　ｉｓ　ｍｙ　ｏｒｄｅｒ", "Where is my order", "en", "Latn"),
        ("wo de dingdan dao na le", "我的订单到哪了", "zh", "Latn"),
        ("wher is my oder", "where is my order", "en", "Latn"),
        ("hi, where is my order?", "where is my order?", "en", "Latn"),
        ("你好，我的订单到哪了，谢谢", "我的订单到哪了", "zh", "Hans"),
    ],
)
def test_however_it_is_typed_the_same_question_is_understood(
    reader: Reader, text: str, query: str, language: str, script: str
) -> None:
    understood = read(reader, text)

    assert (understood.query, understood.language, understood.script) == (query, language, script)
    assert (understood.intent, understood.act, understood.rewritten) == ("order_status", "ask", False)


def test_a_number_keeps_the_language_of_the_conversation(reader: Reader) -> None:
    assert read(reader, "123", turn("where is it", language="en")).language == "en"
    assert read(reader, "👍", turn("where is it", language="en")).language == "en"


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("你好", "smalltalk.greeting"),
        ("thanks!", "smalltalk.thanks"),
        ("are you a robot?", "smalltalk.bot_identity"),
        ("ok thanks", "smalltalk.thanks"),
        ("好的", "smalltalk.acknowledge"),
    ],
)
def test_small_talk_is_small_talk(reader: Reader, text: str, intent: str) -> None:
    understood = read(reader, text)

    assert (understood.act, understood.intent) == ("smalltalk", intent)


def test_a_person_and_danger_come_before_everything_else(reader: Reader) -> None:
    waiting = asked("取消订单", "cancel_order", "name")

    person = read(reader, "转人工", waiting)
    pinyin = read(reader, "zhuan ren gong", waiting)
    danger = read(reader, "我不想活了", waiting)

    assert (person.act, pinyin.act, danger.act) == ("human", "human", "urgent")
    assert danger.intent == "care.emergency"


def test_danger_is_named_even_where_no_caring_answer_is_known() -> None:
    bare = Reader(intents=[STATUS], classifier=IntentClassifier.fit([STATUS], FakeEncoder()))

    assert read(bare, "I want to kill myself").act == "urgent"
    assert read(bare, "I want to kill myself").intent is None


def test_the_slot_that_was_asked_for_is_filled(reader: Reader) -> None:
    understood = read(reader, "是kf20260311", asked("查订单", "order_status", "order_id"))

    assert (understood.act, understood.intent, understood.slots) == (
        "inform",
        "order_status",
        {"order_id": FIRST},
    )
    assert understood.confidence == 1.0


def test_free_text_fills_a_slot_unless_it_is_clearly_something_else(reader: Reader) -> None:
    waiting = asked("取消订单", "cancel_order", "name", order_id=FIRST)

    name = read(reader, "张三", waiting)
    question = read(reader, "为什么要姓名？", waiting)
    other = read(reader, "我的订单到哪了", waiting)
    known = read(reader, "怎么退货", waiting)
    dropped = read(reader, "算了", waiting)

    assert (name.act, name.slots) == ("inform", {"order_id": FIRST, "name": "张三"})
    assert (question.act, other.intent, known.act) == ("ask", "order_status", "ask")
    assert (dropped.act, dropped.intent) == ("cancel", "cancel_order")


def test_a_slot_that_was_not_understood_is_asked_again(reader: Reader) -> None:
    understood = read(reader, "我手边没有", asked("查订单", "order_status", "order_id"))

    assert (understood.act, understood.intent, understood.slots) == ("inform", "order_status", {})


def test_a_value_after_a_question_in_between_returns_to_the_task(reader: Reader) -> None:
    history = [asked("查订单", "order_status", "order_id"), answered("订单号在哪里看", "订单号在哪里看")]

    assert read(reader, FIRST, *history).act == "inform"
    assert read(reader, FIRST, *history, turn("a"), turn("b")).act == "ask"
    assert read(reader, FIRST, history[0], turn("转人工", Handoff("requested"), act="human")).act == "ask"


@pytest.mark.parametrize(
    "text", ["no, I meant KF20260312", "不对，是KF20260312", "改成KF20260312", "不是KF20260311，是KF20260312"]
)
def test_a_corrected_value_replaces_the_old_one(reader: Reader, text: str) -> None:
    understood = read(reader, text, told("查订单", "order_status", order_id=FIRST))

    assert (understood.act, understood.intent, understood.slots) == (
        "correct",
        "order_status",
        {"order_id": SECOND},
    )


@pytest.mark.parametrize(
    "text", ["no, the other order", "不是这个，是另一个", "what about the other one?", "wrong order"]
)
def test_the_other_one_is_the_other_value_of_the_conversation(reader: Reader, text: str) -> None:
    history = [turn(f"I have {SECOND} and {FIRST}"), told("track it", "order_status", order_id=FIRST)]

    understood = read(reader, text, *history)

    assert (understood.intent, understood.slots) == ("order_status", {"order_id": SECOND})


def test_the_other_one_is_asked_for_when_the_conversation_knows_only_one(reader: Reader) -> None:
    understood = read(reader, "no, the other order", told("track it", "order_status", order_id=FIRST))

    assert (understood.act, understood.intent, understood.slots) == ("correct", "order_status", {})


def test_a_new_wish_for_another_order_does_not_take_the_old_number(reader: Reader) -> None:
    understood = read(reader, "where is my other order", told("track it", "order_status", order_id=FIRST))

    assert (understood.intent, understood.slots) == ("order_status", {})


def test_no_without_more_is_no_correction(reader: Reader) -> None:
    assert read(reader, "no", told("track it", "order_status", order_id=FIRST)).act != "correct"
    assert read(reader, "不对，怎么退货还要运费", told("查", "order_status", order_id=FIRST)).act != "correct"
    assert read(reader, "不对", told("你好", "smalltalk.greeting")).act != "correct"


def test_the_same_wish_for_another_number_needs_only_the_number(reader: Reader) -> None:
    understood = read(reader, "那KF20260312呢", told("查订单", "order_status", order_id=FIRST))

    assert (understood.act, understood.intent, understood.slots) == (
        "inform",
        "order_status",
        {"order_id": SECOND},
    )


def test_an_order_number_is_carried_to_the_next_wish(reader: Reader) -> None:
    understood = read(reader, "取消订单", told("查订单", "order_status", order_id=FIRST))

    assert (understood.intent, understood.slots) == ("cancel_order", {"order_id": FIRST})


def test_an_order_number_is_not_asked_for_again_after_something_in_between(reader: Reader) -> None:
    status = told("where is my order", "order_status", order_id=FIRST)
    declined, thanks = turn("do I have to pay anything"), turn("thanks", act="smalltalk")

    for between in ((declined,), (thanks,), (declined, thanks)):
        understood = read(reader, "when will my order arrive", status, *between)
        assert (understood.intent, understood.slots) == ("order_status", {"order_id": FIRST})


def test_a_short_follow_up_of_an_answered_task_stays_with_it(reader: Reader) -> None:
    understood = read(
        reader, "and when will it arrive?", told("where is my order", "order_status", order_id=FIRST)
    )

    assert (understood.intent, understood.rewritten) == ("order_status", True)
    assert understood.confidence >= 0.9
    assert understood.slots == {"order_id": FIRST}


def test_a_follow_up_of_an_answer_is_made_standalone(reader: Reader) -> None:
    understood = read(reader, "那国际的呢", answered("怎么退货", "怎么退货"))

    assert (understood.query, understood.rewritten) == ("退货 国际的", True)


def test_a_word_for_word_question_is_never_completed(reader: Reader) -> None:
    understood = read(reader, "多久能退款", answered("怎么退货", "怎么退货"))

    assert (understood.query, understood.rewritten, understood.intent) == ("多久能退款", False, None)


def test_a_chosen_option_is_taken(reader: Reader) -> None:
    options = (Option("怎么退货", passage_id="p7"), Option("查一下物流", intent="order_status"))
    offered = turn("退", Clarify(options))

    passage = read(reader, "第一个", offered)
    intent = read(reader, "2", offered)

    assert (passage.passage_id, passage.query) == ("p7", "怎么退货")
    assert (intent.intent, intent.confidence, intent.query) == ("order_status", 1.0, "查一下物流")


@pytest.mark.parametrize("text", ["never mind", "算了", "不用了谢谢"])
def test_dropping_what_was_going_on_is_a_cancel(reader: Reader, text: str) -> None:
    assert read(reader, text, told("查订单", "order_status", order_id=FIRST)).act == "cancel"


def test_cancel_alone_may_mean_the_order_unless_a_question_is_open(reader: Reader) -> None:
    open_question = read(reader, "取消", asked("查订单", "order_status", "order_id"))
    nothing_open = read(reader, "取消", told("查订单", "order_status", order_id=FIRST))

    assert (open_question.act, nothing_open.act) == ("cancel", "ask")


def test_a_cancelled_task_is_over(reader: Reader) -> None:
    history = [
        asked("查订单", "order_status", "order_id"),
        turn("算了", UseTemplate("smalltalk.cancel"), act="cancel"),
    ]

    assert read(reader, "不对", *history).act != "correct"


def test_anger_is_felt_beside_the_question(reader: Reader) -> None:
    assert read(reader, "垃圾，我的订单到哪了！！！").sentiment < -0.5


def test_no_earlier_turns_are_read_where_the_setting_says_so() -> None:
    alone = Reader(
        intents=[STATUS], classifier=IntentClassifier.fit([STATUS], FakeEncoder()), context_turns=0
    )

    understood = read(alone, FIRST, asked("查订单", "order_status", "order_id"))

    assert understood.act == "ask"


def test_without_intents_a_question_is_still_a_question() -> None:
    empty = Reader(intents=[], classifier=IntentClassifier.fit([], FakeEncoder()), default_language="en")

    assert read(empty, "where is it?") == Understanding(query="where is it?", language="en")
    assert read(empty, "").query == ""


def test_threads_understand_the_same(reader: Reader) -> None:
    history = [told("where is my order", "order_status", order_id=FIRST)]
    texts = ["and when will it arrive?", "zenme tuihuo", "wher is my oder", "no, the other order"] * 5

    alone = [read(reader, text, *history) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: read(reader, text, *history), texts))

    assert together == alone


def test_a_reader_of_chats_says_what_the_message_is_read_after() -> None:
    intents = [STATUS, CANCEL, *load_builtin_intents()]
    chats = [
        Asked("and to Macao", "How do I return a phone? < return it", "en", ()),
        Asked("so where is it", "where is my order < KF20260311", "en", ("intent:order_status",)),
    ] * 8
    classifier = IntentClassifier.fit(intents, FakeEncoder(), negatives=WORDINGS, chats=chats)
    reader = Reader(intents=intents, classifier=classifier, wordings=WORDINGS, reads_chats=True)
    before = turn("KF20260311", UseTemplate("order_status", {"order_id": FIRST}), language="en")

    first = read(reader, "so where is it then")
    later = read(reader, "so where is it then", before)
    known = read(reader, "cancel my order", before)

    assert first.read_as == ""
    assert later.read_as == "so where is it then < where is my order < KF20260311"
    assert (later.intent, later.other_reading, later.stays) == ("order_status", "", False)
    assert (known.intent, known.read_as) == ("cancel_order", "")


def test_who_names_only_something_else_is_read_after_what_the_question_before_was_read_after() -> None:
    devices = {"phone": ["phone"], "watch": ["watch"]}
    device = Slot(name="device", type="choice", sticky=True, choices=devices, ask={"en": "Which device?"})
    care = Intent(name="care", examples={"en": ["price of care"]}, slots=[device], templates=ANSWER)
    intents = [STATUS, care]
    classifier = IntentClassifier.fit(intents, FakeEncoder(), negatives=WORDINGS)
    reader = Reader(intents=intents, classifier=classifier, wordings=WORDINGS, reads_chats=True)
    first = turn("what is DeerCare", Decline("no_answer"), language="en")
    second = turn("how much for a watch", Decline("no_answer"), language="en")

    understood = read(reader, "and for a phone?", first, second)

    assert understood.query == "how much for a phone"
    assert understood.read_as == "how much for a phone < what is DeerCare"
    assert read(reader, "and for a phone?", second).read_as == ""


def test_what_is_wanted_of_a_number_is_what_was_wanted_of_such_numbers_before() -> None:
    intents = [STATUS, CANCEL]
    chats = [Asked("get rid of it please", "", "en", ("intent:cancel_order",))] * 8
    classifier = IntentClassifier.fit(intents, FakeEncoder(), chats=chats, remembered=chats)
    reader = Reader(intents=intents, classifier=classifier, reads_chats=True)

    assert read(reader, f"get rid of {FIRST} please").intent == "cancel_order"
    assert read(reader, FIRST).intent == "order_status"


def test_small_talk_with_a_number_in_it_is_about_the_number(reader: Reader) -> None:
    assert read(reader, f"{FIRST} how's it going").intent == "order_status"
    assert read(reader, "how's it going").intent == "smalltalk.how_are_you"


def test_a_question_is_no_mere_remark() -> None:
    told = "where is my order < KF20260311"
    remarks = [Asked(text, told, "en", None) for text in ("my cat sat on it", "what a day it was")] * 4
    intents = [STATUS, *load_builtin_intents()]
    classifier = IntentClassifier.fit(
        intents, FakeEncoder(), negatives=WORDINGS, chats=remarks, remembered=remarks
    )
    reader = Reader(intents=intents, classifier=classifier, wordings=WORDINGS, reads_chats=True)
    before = turn("KF20260311", UseTemplate("order_status", {"order_id": FIRST}), language="en")

    assert read(reader, "my cat sat on it", before).remark > 0
    assert read(reader, "my cat sat on it?", before).remark == 0


def test_names_that_a_model_found_fill_slots_that_nothing_else_could() -> None:
    intents = [STATUS, CANCEL]
    names = {"name": ["Ada Wong"], "order_id": ["number 20260311"], "other": ["x"]}
    reader = Reader(
        intents=intents,
        classifier=IntentClassifier.fit(intents, FakeEncoder()),
        named=lambda text: names if "Ada" in text else {},
    )

    unasked = read(reader, "cancel my order, it is Ada Wong's, number 20260311")
    waiting = asked("cancel my order", "cancel_order", "name", order_id=FIRST)
    answer = read(reader, "well you know that would have to be Ada Wong", waiting)
    otherwise = read(reader, "Bob Lee", waiting)

    assert unasked.slots == {"name": "Ada Wong", "order_id": "KF20260311"}
    assert answer.slots["name"] == "Ada Wong"
    assert otherwise.slots["name"] == "Bob Lee"


def test_feelings_may_be_told_by_a_model() -> None:
    reader = Reader(
        intents=[STATUS], classifier=IntentClassifier.fit([STATUS], FakeEncoder()), feeling=lambda _: -0.45
    )

    assert read(reader, "where is my order").sentiment == -0.45
