"""A stored answer about another city or product than the one spoken of is shown under its question."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_policy import ASKED, POLICY, hit

from chatbot.decide.offering import names_another, own_first
from chatbot.types import AnswerFrom
from knowledge.sources.intents import Intent

STORE = Intent.model_validate(
    {
        "name": "nearest_store",
        "examples": {"en": ["where is a store"]},
        "slots": [
            {
                "name": "city",
                "type": "choice",
                "choices": {"beijing": ["Beijing", "北京"], "wuhan": ["Wuhan", "武汉"], "shenzhen": ["深圳"]},
                "ask": {"en": "Which city?"},
            },
            {"name": "order", "type": "text", "ask": {"en": "Which order?"}},
        ],
        "templates": [{"text": {"en": "{city}"}}],
    }
)


@pytest.mark.parametrize(
    ("question", "slots", "another"),
    [
        ("Do the Beijing and Wuhan stores repair?", {"city": "shenzhen"}, True),
        ("北京、武汉的门店能维修吗？", {"city": "shenzhen"}, True),
        ("Do the BEIJING and Wuhan stores repair?", {"city": "beijing"}, False),
        ("Is there a repair centre in Shenzhen or Wuhan?", {"city": "shenzhen"}, False),
        ("Which stores repair?", {"city": "shenzhen"}, False),
        ("Do the Beijing and Wuhan stores repair?", {}, False),
        ("Where is order A1 for Beijing?", {"order": "B2"}, False),
    ],
)
def test_a_question_names_another_one(question: str, slots: dict[str, str], another: bool) -> None:
    assert names_another(question, slots, [STORE]) is another


def test_a_sure_answer_about_another_one_is_shown_under_its_question() -> None:
    policy = replace(POLICY, intents={**POLICY.intents, STORE.name: STORE})
    asked = replace(ASKED, slots={"city": "shenzhen"})
    sure, other = hit(0.95), hit(0.1, name="b")
    about = replace(sure, passage=replace(sure.passage, title="Do the Beijing stores repair?"))

    assert policy.decide(asked, (sure, other), ()).decision == AnswerFrom(("faq:a",), verbatim=True)
    offered = policy.decide(asked, (about, other), ())
    assert offered.decision == AnswerFrom(("faq:a", "faq:b"), verbatim=True, sure=False)
    assert "another one" in offered.reason


DEVICE = STORE.model_copy(
    update={
        "slots": [
            STORE.slots[0].model_copy(
                update={"name": "device", "choices": {"phone": ["手机"], "tablet": ["平板"]}}
            )
        ]
    }
)


@pytest.mark.parametrize(
    ("asked", "titles", "first"),
    [
        ("what does a tablet screen cost", ["A phone's screen", "Tablets and their screens"], "b"),
        ("修平板屏幕多少钱", ["修手机屏幕多少钱？", "换平板屏幕多少钱？"], "b"),
        ("what does a tablet screen cost", ["Phones and tablets", "Tablets and their screens"], "a"),
        ("what does a screen cost", ["A phone's screen", "Tablets and their screens"], "a"),
        ("a tablet in the wash", ["Can headphones be washed?", "Tablets and their screens"], "a"),
        ("what does a tablet screen cost", ["A phone's screen", "What is repaired?"], "a"),
    ],
)
def test_of_two_as_likely_answers_the_one_about_the_customers_own_comes_first(
    asked: str, titles: list[str], first: str
) -> None:
    hits = [
        replace(each, passage=replace(each.passage, title=title))
        for each, title in zip((hit(0.5), hit(0.4, name="b")), titles, strict=True)
    ]

    assert own_first(hits, asked, [DEVICE])[0].passage.id == f"faq:{first}"


def test_an_unlikely_answer_stays_behind_whatever_it_names() -> None:
    hits = [hit(0.9), hit(0.1, name="b")]
    named = [
        replace(each, passage=replace(each.passage, title=title))
        for each, title in zip(hits, ("A phone's screen", "Tablets"), strict=True)
    ]

    assert list(own_first(named, "my tablet", [DEVICE])) == named
    assert list(own_first([], "my tablet", [DEVICE])) == []
