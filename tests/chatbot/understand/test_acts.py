"""Fixed wordings: a person wanted, danger, dropping a task, corrections; each with its look-alikes."""

from __future__ import annotations

import pytest

from chatbot.understand.acts import (
    called_by,
    is_cancel,
    is_correction,
    is_plain_denial,
    is_question,
    is_urgent,
    names_other,
    wants_person,
    without_courtesy,
)

WANTS_A_PERSON = """转人工|人工|人工客服|人工服务|我要人工|找人工客服|转接人工|帮我转人工|能转人工吗|我要找真人|真人客服|有没有真人|有真人吗
换个真人跟我说|我想跟人说话|我想和真人聊|找个人来跟我说|叫你们经理来|找你们领导|我要找你们主管|请转接客服|转客服|联系客服|我要联系客服
怎么联系人工客服|客服|在线客服|客服在吗|客服呢|有人吗|有人在吗|没人理我吗|有没有人管一下|不想跟机器人说话|别让机器人回复了|我不要机器人
不要机器人，转人工|让客服给我打电话|给我回个电话|叫个活人出来|能不能让工作人员联系我|接人工|转人公|麻烦帮我接一下人工谢谢|你解决不了，叫人来处理
请安排专人处理|人工客服在吗|人工！人工！人工！|给我转人工，别废话|我要跟你们老板谈
I want to talk to a human|talk to a person|speak to an agent|can i speak to someone|I need a real person|connect me to an agent
transfer me to a human please|human|agent|representative|operator please|get me a human|live agent|live chat|real person please
can I talk to customer service|I'd like to speak with a representative|let me talk to your manager|speak to a supervisor
is there anyone there?|is anybody there|anyone there?|I don't want to talk to a bot|stop this bot, I need a human|not a bot, a human please
give me a human being|please escalate this|have someone call me|can someone call me|I want a human agent|put me through to support
can you connect me with someone|I would like human assistance|are you a bot? I want a real person|i prefer to talk to a real human
hand me over to a person|I demand to speak with a manager|customer service please|need human help|could I chat with a live person
don't want to chat with a robot|switch to human|I need an agent now|can i get a human|i wanna talk to a real person
could someone from support call me about it|ok can a person from your team do it for me please
can you get me someone from support|speak to somebody in billing""".replace("\n", "|").split("|")

NO_PERSON_WANTED = """can a person under 18 order|could a person from my family collect it|can someone in the shop do it for me while i wait|人工智能|这款手机支持人工智能吗|human-readable|I need a human-readable invoice|客服电话是多少
人工客服几点上班|人工客服的工作时间|人工费多少钱|安装人工费怎么收|客服热线是多少|你是真人吗|你是人工还是机器人|are you a human
are you a real person?|am i talking to a human|am I speaking to a robot|what are your customer service hours
what is the phone number of customer support|when are agents available|不需要人工|不用转人工|don't transfer me to an agent|I don't need a human
no need for a human|how many people can use the plan|my agent number is 5|扫地机器人怎么用|机器人坏了|这个机器人多少钱|人工草坪
the robot vacuum does not start|how do I stop the robot vacuum|can someone else pick up my order|can somebody help me with my order
a person stole my package|do you ship to people in Canada|收货人可以换人吗|可以让别人代收吗|有人偷了我的快递|家里没人怎么签收|送货的时候没人在家
换货要多久|我要换一个新的|找不到订单|要多少钱|有人用过这款吗|user agent|I want to return the live photo frame|does it support two people
can I contact the seller|客服态度怎么样|这是真人发声吗|I need the manager password reset|where is your support page|where is my order""".replace(
    "\n", "|"
).split("|")

DANGER = """我想自杀|我不想活了|活不下去了|我想死|我要跳楼|充电宝着火了|手机爆炸了|手机冒烟了怎么办|孩子吞了纽扣电池|我触电了|有人要杀我|快叫救护车
他晕倒了|I want to kill myself|I want to die|i'm suicidal|my friend is suicidal|I am going to hurt myself|the charger caught fire
my phone is on fire|the battery exploded|my laptop is smoking|my son swallowed a battery|I got an electric shock|I can't breathe
call an ambulance|I don't want to live anymore|he is going to kill me|I want to end my life|my power bank just exploded""".replace(
    "\n", "|"
).split("|")

NO_DANGER = """my phone died|this queue is killing me|I would never hurt myself|手机死机了|卡死了|急死我了|笑死我了|累死了|跳楼价|这个电池会不会爆炸
电池会爆炸吗|kill the app|how do i kill a background process|fire tv stick|kindle fire price|is the battery likely to explode
does it catch fire easily|heart rate monitor|电影里爆炸特效|我要气炸了|想死你们了|the delivery is dead slow|battery dying fast|dead pixel
emergency contact setting|my order is bleeding money|防止触电的插座有吗|秒杀活动什么时候|杀毒软件怎么装|救命，快递太慢了|Do you sell fire alarms
smoke detector|my watch died|can I cut myself a deal|等死我了|热死了，空调什么时候到|屏幕烧屏了|主板烧了|卡在这个页面要死了""".replace(
    "\n", "|"
).split("|")


@pytest.mark.parametrize("text", WANTS_A_PERSON)
def test_whoever_asks_for_a_person_in_any_wording_is_heard(text: str) -> None:
    assert wants_person(text)


@pytest.mark.parametrize("text", NO_PERSON_WANTED)
def test_talk_about_people_and_desks_is_no_request_for_one(text: str) -> None:
    assert not wants_person(text)


@pytest.mark.parametrize("text", DANGER)
def test_danger_is_heard(text: str) -> None:
    assert is_urgent(text)


@pytest.mark.parametrize("text", NO_DANGER)
def test_figures_of_speech_are_no_danger(text: str) -> None:
    assert not is_urgent(text)


@pytest.mark.parametrize(
    "text",
    ["算了", "算了不查了", "不用了谢谢", "never mind", "no, never mind", "forget it", "cancel", "取消", "no thanks",
     "actually, forget it", "不想查了", "先这样吧", "停", "I changed my mind", "ok stop", "好吧，算了", "没事了谢谢",
     "i don't want this anymore", "don't bother", "算了不修了", "算了 我不退了"],
)  # fmt: skip
def test_a_message_that_drops_the_task_as_a_whole_is_a_cancel(text: str) -> None:
    assert is_cancel(text)


@pytest.mark.parametrize(
    "text",
    [
        "取消订单",
        "cancel my order",
        "how do I cancel",
        "我不用了怎么退",
        "stop my subscription",
        "不要了可以退吗",
        "算了我不等了给我退款",
        "取消会员",
        "KF20260311",
        "no",
        "",
    ],
)
def test_a_wish_that_has_the_word_in_it_is_no_cancel(text: str) -> None:
    assert not is_cancel(text)


@pytest.mark.parametrize(
    "text",
    [
        "no, the other order",
        "不是这个，是另一个",
        "no, I meant KF20260311",
        "改成LM2026110012",
        "wrong order",
        "写错了",
        "actually it's tomorrow",
    ],
)
def test_a_correction_is_recognised(text: str) -> None:
    assert is_correction(text)


@pytest.mark.parametrize("text", ["where is my order", "怎么退货", "KF20260311", "thanks"])
def test_a_question_or_a_value_is_no_correction(text: str) -> None:
    assert not is_correction(text)


def test_the_other_one_is_a_thing_and_not_a_question() -> None:
    things = [
        "the other order",
        "what about another one",
        "另一个呢",
        "换一个",
        "换个吧",
        "换个订单",
        "not that one",
    ]
    questions = [
        "I have another question",
        "我还有另一个问题",
        "换个话题",
        "那换个电池多少钱",
        "the other day I bought it",
    ]

    assert all(map(names_other, things))
    assert not any(map(names_other, questions))


@pytest.mark.parametrize(
    "text", ["不对", "错了", "写错了", "wrong order", "that's not right", "no, not that one", "不是这个"]
)
def test_a_plain_denial_says_only_that_something_was_wrong(text: str) -> None:
    assert is_plain_denial(text)


@pytest.mark.parametrize("text", ["no", "好的", "wrong colour was sent to me", "不对，我要退货"])
def test_a_denial_that_says_more_is_not_plain(text: str) -> None:
    assert not is_plain_denial(text)


@pytest.mark.parametrize(
    "text",
    [
        "怎么退",
        "可以吗",
        "where is it",
        "really?",
        "and how long",
        "多少钱",
        "is it free",
        "朋友代取行吗 谢谢~",
    ],
)
def test_a_question_is_known_by_its_form(text: str) -> None:
    assert is_question(text)


@pytest.mark.parametrize("text", ["KF20260311", "张三", "I don't know", "没有", "my screen broke"])
def test_a_statement_is_no_question(text: str) -> None:
    assert not is_question(text)


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("hi, where is my order?", "where is my order?"),
        ("你好，请问怎么退货", "怎么退货"),
        ("您好在吗我的订单到哪了谢谢", "我的订单到哪了"),
        ("Good morning, I have a question: what are fees", "what are fees"),
        ("hi there! how do I return? thanks", "how do I return"),
        ("hidden fees", "hidden fees"),
        ("谢谢", "谢谢"),
        ("hello", "hello"),
        ("你好", "你好"),
    ],
)
def test_a_greeting_around_a_question_is_left_out_of_it(text: str, point: str) -> None:
    assert without_courtesy(text) == point


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("how are you, Lumi", "how are you"),
        ("lumi, where is my order", "where is my order"),
        ("Lumi 你好吗？", "你好吗？"),
        ("lumi", "lumi"),
        ("is luminous paint sold", "is luminous paint sold"),
    ],
)
def test_the_bots_name_at_the_ends_of_a_message_says_nothing(text: str, rest: str) -> None:
    assert called_by("Lumi")(text) == rest
    assert called_by("")(text) == text
