"""The demo company's knowledge is whole and never contradicts itself."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import knowledge
from chatbot.settings import load_settings
from knowledge.sources.faq import read_faqs
from knowledge.sources.intents import PLACEHOLDER, Intent, IntentFile, Template

DEMO = Path(knowledge.__file__).parent / "data" / "demo"
LANGUAGES = ("zh", "en")
SETTINGS_SLOTS = {"company", "bot_name", "contact", "hours"}
TO_A_PERSON = {"zh": "转人工", "en": "Talk to a person"}
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
DAY_OF_MONTH = re.compile(rf"(\d{{1,2}}) ({'|'.join(MONTHS)})\b")


def faq_rows(language: str) -> list[dict[str, str]]:
    with (DEMO / f"faq_{language}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def several(cell: str) -> list[str]:
    return [part for part in cell.split("##") if part]


def plain(text: str) -> str:
    return re.sub(r"[\W_]", "", text.casefold())


def numbers(text: str) -> set[str]:
    text = DAY_OF_MONTH.sub(lambda day: f"{day[1]} {MONTHS.index(day[2]) + 1}", text)
    return {found.replace(",", "") for found in NUMBER.findall(text)}


@cache
def intents() -> list[Intent]:
    return IntentFile.model_validate(
        yaml.safe_load((DEMO / "intents.yaml").read_text(encoding="utf-8"))
    ).intents


@cache
def services() -> dict[str, dict[str, dict[str, str]]]:
    found: dict[str, dict[str, dict[str, str]]] = json.loads(
        (DEMO / "services.json").read_text(encoding="utf-8")
    )
    return found


def answered_by(intent: Intent, filled: Mapping[str, str]) -> Iterator[Template]:
    """The templates that may be used once the webhook has answered, whatever the customer's own slots are."""
    fills = set(intent.webhook.fills) if intent.webhook else set()
    for template in intent.templates:
        asked = {name: value for name, value in template.when.items() if name in fills}
        if all(filled.get(name) == value for name, value in asked.items()):
            yield template
            if len(asked) == len(template.when):
                return


def collection_of(intent: Intent) -> dict[str, dict[str, str]]:
    assert intent.webhook is not None
    return services()[intent.webhook.url.split("/")[1]]


WITH_WEBHOOK = [intent for intent in intents() if intent.webhook]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_faq_row_is_valid(language: str) -> None:
    file = read_faqs(DEMO / f"faq_{language}.csv")

    assert len(file.rows) >= 160
    assert not file.unknown_columns
    assert [row.problems for row in file.rows if row.problems] == []
    assert {row.faq.locale for row in file.rows if row.faq} == {language}


def test_an_id_names_one_faq_and_each_faq_exists_in_both_languages() -> None:
    ids = {language: [row["id"] for row in faq_rows(language)] for language in LANGUAGES}

    assert all(len(set(found)) == len(found) for found in ids.values())
    assert [i.removesuffix("-zh") for i in ids["zh"]] == [i.removesuffix("-en") for i in ids["en"]]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_wording_belongs_to_one_faq(language: str) -> None:
    owners: dict[str, set[str]] = {}
    for row in faq_rows(language):
        for wording in [row["question"], *several(row["similar_questions"])]:
            owners.setdefault(plain(wording), set()).add(row["id"])

    assert {wording: found for wording, found in owners.items() if len(found) > 1} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_wording_is_a_question_in_general_or_the_customers_own_case_but_not_both(language: str) -> None:
    wordings = {
        plain(wording)
        for row in faq_rows(language)
        for wording in [row["question"], *several(row["similar_questions"])]
    }
    examples = {plain(example) for intent in intents() for example in intent.examples[language]}

    assert wordings & examples == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_faq_is_asked_in_three_ways_and_answered_in_a_few_sentences(language: str) -> None:
    longest = 160 if language == "zh" else 420
    rows = faq_rows(language)

    assert [row["id"] for row in rows if len(several(row["similar_questions"])) < 2] == []
    assert sum(len(several(row["similar_questions"])) >= 3 for row in rows) > 0.8 * len(rows)
    assert [(row["id"], len(row["answer"])) for row in rows if not 10 < len(row["answer"]) <= longest] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_button_and_quick_reply_is_something_the_bot_can_answer(language: str) -> None:
    known = {row["question"] for row in faq_rows(language)} | {TO_A_PERSON[language]}
    known |= {example for intent in intents() for example in intent.examples[language]}

    buttons = {button for row in faq_rows(language) for button in several(row["buttons"])}
    replies = {reply for intent in intents() for reply in intent.quick_replies.get(language, [])}

    assert (buttons | replies) - known == set()


def test_twins_in_chinese_and_english_give_the_same_numbers() -> None:
    chinese = {row["id"].removesuffix("-zh"): row["answer"] for row in faq_rows("zh")}
    english = {row["id"].removesuffix("-en"): row["answer"] for row in faq_rows("en")}

    different = {
        twin: numbers(answer) ^ numbers(english[twin])
        for twin, answer in chinese.items()
        if numbers(answer) != numbers(english[twin])
    }

    assert different == {}


def test_there_are_many_intents_with_many_examples_in_both_languages() -> None:
    found = intents()

    assert len(found) >= 25
    assert len({intent.name for intent in found}) == len(found)
    for intent in found:
        for language in LANGUAGES:
            assert len(set(intent.examples[language])) >= 20, (intent.name, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_example_belongs_to_one_intent(language: str) -> None:
    owners: dict[str, set[str]] = {}
    for intent in intents():
        for example in intent.examples[language]:
            owners.setdefault(plain(example), set()).add(intent.name)

    assert {example: names for example, names in owners.items() if len(names) > 1} == {}


def test_every_text_of_an_intent_is_written_in_both_languages() -> None:
    for intent in intents():
        texts = [slot.ask for slot in intent.slots] + [template.text for template in intent.templates]
        texts += [label for slot in intent.slots for label in slot.labels.values()]
        texts += [intent.webhook.not_found] if intent.webhook else []

        assert all(set(text) == set(LANGUAGES) for text in texts), intent.name


@pytest.mark.parametrize("intent", WITH_WEBHOOK, ids=lambda intent: intent.name)
def test_every_condition_of_a_template_occurs_in_the_service(intent: Intent) -> None:
    objects = collection_of(intent).values()
    slots = {slot.name: slot for slot in intent.slots}

    for template in intent.templates:
        for name, value in template.when.items():
            known = slots[name].choices if name in slots else {found.get(name) for found in objects}
            assert value in known, (intent.name, name, value)


@pytest.mark.parametrize("intent", WITH_WEBHOOK, ids=lambda intent: intent.name)
def test_whatever_the_service_answers_fills_the_template_that_is_used(intent: Intent) -> None:
    asked = {slot.name for slot in intent.slots} | SETTINGS_SLOTS

    for key, filled in collection_of(intent).items():
        for template in answered_by(intent, filled):
            for text in template.text.values():
                missing = {
                    name for name in PLACEHOLDER.findall(text) if name not in asked and not filled.get(name)
                }
                assert missing == set(), (intent.name, key, template.when)


@pytest.mark.parametrize("intent", WITH_WEBHOOK, ids=lambda intent: intent.name)
def test_every_id_of_the_service_can_be_said_to_the_bot(intent: Intent) -> None:
    assert intent.webhook is not None
    (name,) = PLACEHOLDER.findall(intent.webhook.url)
    slot = next(slot for slot in intent.slots if slot.name == name)

    for key in collection_of(intent):
        if slot.type == "pattern":
            assert re.fullmatch(slot.pattern or "", key), (intent.name, key)
        else:
            assert key in slot.choices, (intent.name, key)


def test_every_choice_can_be_shown_and_looked_up() -> None:
    for intent in intents():
        for slot in intent.slots:
            if slot.type == "choice":
                assert set(slot.labels) == set(slot.choices), (intent.name, slot.name)
                if intent.webhook and f"{{{slot.name}}}" in intent.webhook.url:
                    assert set(slot.choices) <= set(collection_of(intent)), (intent.name, slot.name)


def test_an_order_number_in_a_chinese_sentence_is_found() -> None:
    pattern = next(slot.pattern for intent in intents() for slot in intent.slots if slot.name == "order_id")

    assert pattern is not None
    assert re.findall(pattern, "订单LM2026110012到哪了") == ["LM2026110012"]


def test_every_value_of_the_service_is_text() -> None:
    values: list[Any] = [
        value for objects in services().values() for found in objects.values() for value in found.values()
    ]

    assert all(isinstance(value, str) and value for value in values)
    assert len(services()["orders"]) >= 20
    assert len(services()["products"]) >= 20


def test_prices_in_the_faq_are_those_of_the_service() -> None:
    prices = {product["name"]: product["price"] for product in services()["products"].values()}
    facts = (DEMO / "FACTS.md").read_text(encoding="utf-8")

    for name, price in prices.items():
        if name != "Arvon X4":
            assert f"{name} {price.removeprefix('¥')}" in facts
    for language in LANGUAGES:
        answers = {row["id"]: row["answer"] for row in faq_rows(language)}
        for faq, names in {
            "prd-01": ("Arvon X5 Pro", "Arvon X5"),
            "prd-03": ("Pelico A3",),
            "prd-04": ("Tarn Book Air", "Boreal 14"),
            "prd-05": ("Boreal 16 Max",),
            "prd-14": ("Nesta Hub",),
            "prd-17": ("Kestra C7",),
        }.items():
            assert all(prices[name] in answers[f"{faq}-{language}"] for name in names), faq


def test_the_policies_come_in_both_languages_with_headings_tables_and_the_same_numbers() -> None:
    chinese = sorted((DEMO / "docs").glob("*.zh.md"))
    english = sorted((DEMO / "docs").glob("*.en.md"))

    assert [path.name.removesuffix(".zh.md") for path in chinese] == [
        path.name.removesuffix(".en.md") for path in english
    ]
    assert len(chinese) >= 6
    for one, other in zip(chinese, english, strict=True):
        texts = [path.read_text(encoding="utf-8") for path in (one, other)]
        assert all(text.startswith("# ") and text.count("\n## ") >= 4 for text in texts), one.name
        assert all("\n|---" in text for text in texts), one.name
        assert numbers(texts[0]) == numbers(texts[1]), (one.name, numbers(texts[0]) ^ numbers(texts[1]))


def test_the_demo_settings_are_valid() -> None:
    settings = load_settings(DEMO)

    assert settings.project.demo
    assert settings.project.bot_name == "Lumi"
    assert settings.handoff.hours == "Mon-Sun 09:00-21:00"
