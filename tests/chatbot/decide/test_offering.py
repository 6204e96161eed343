"""A stored answer about another city or product than the one spoken of is shown under its question."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_policy import ASKED, POLICY, hit

from chatbot.decide.offering import names_another
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
