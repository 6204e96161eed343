"""The intents that every bot has."""

from __future__ import annotations

from knowledge.sources.builtin import load_builtin_intents
from knowledge.sources.intents import PLACEHOLDER


def test_small_talk_and_care_are_there_in_both_languages() -> None:
    intents = {intent.name: intent for intent in load_builtin_intents()}

    topics = "greeting thanks goodbye bot_identity how_are_you praise insult capabilities cancel acknowledge contact_noted"
    assert intents.keys() == {"care.emergency", *(f"smalltalk.{topic}" for topic in topics.split())}
    told_by_wording = intents.pop("smalltalk.contact_noted")
    assert told_by_wording.templates[-1].text.keys() == {"zh", "en"}
    for intent in intents.values():
        for language in ("zh", "en"):
            assert len(intent.examples[language]) >= 15
            assert intent.templates[-1].text[language]


def test_no_wording_belongs_to_two_intents() -> None:
    wordings = [
        text.lower()
        for intent in load_builtin_intents()
        for texts in intent.examples.values()
        for text in texts
    ]

    assert len(wordings) == len(set(wordings))


def test_the_bot_says_truthfully_that_it_is_a_program() -> None:
    (identity,) = [intent for intent in load_builtin_intents() if intent.name == "smalltalk.bot_identity"]

    assert "不是真人" in identity.templates[0].text["zh"]
    assert "not a person" in identity.templates[0].text["en"]


def test_templates_ask_for_nothing_but_what_the_settings_know() -> None:
    used = {
        name
        for intent in load_builtin_intents()
        for template in intent.templates
        for text in template.text.values()
        for name in PLACEHOLDER.findall(text)
    }

    assert used <= {"company", "bot_name", "contact", "hours"}
