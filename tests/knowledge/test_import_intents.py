"""Promises of intents in YAML: what is wrong is named with its line, what is right is imported."""

from __future__ import annotations

from pathlib import Path

import pytest
from knowledge_cases import new_store, text_file

from knowledge.errors import KnowledgeError
from knowledge.import_intents import plan_import_intents
from knowledge.imports import apply
from knowledge.sources.encodings import UnreadableFileError
from knowledge.sources.intent_files import read_intents, scan_intents
from knowledge.sources.intents import Intent
from knowledge.store import KnowledgeStore

GOOD = """intents:
  - name: order_status
    examples:
      zh: [我的订单到哪了, 查一下物流]
      en: [where is my order, no, yes]
    slots:
      - name: order_id
        type: pattern
        pattern: '[A-Z]{2}\\d{8}'
        ask: {zh: 请告诉我订单号。, en: What is your order number?}
        required: true
        sticky: no
    webhook:
    templates:
      - when: {order_id: 404}
        text: {en: 2024-01-01}
      - text: {zh: 订单 {order_id} 已发货}
"""


@pytest.fixture
def store(tmp_path: Path) -> KnowledgeStore:
    return new_store(tmp_path)


def said(path: Path) -> list[str]:
    return [str(problem).removeprefix(f"{path}, ") for row in scan_intents(path) for problem in row.problems]


def test_all_that_people_write_is_text(tmp_path: Path) -> None:
    good = GOOD.replace("{zh: 订单 {order_id} 已发货}", "{zh: '订单 {order_id} 已发货'}")

    (intent,) = read_intents(text_file(tmp_path, "intents.yaml", good))

    assert intent.examples["en"] == ["where is my order", "no", "yes"]
    assert (intent.slots[0].required, intent.slots[0].sticky) == (True, False)
    assert intent.webhook is None
    assert intent.templates[0].when == {"order_id": "404"}
    assert intent.templates[0].text == {"en": "2024-01-01"}


def test_every_problem_is_named_with_line_and_remedy(tmp_path: Path) -> None:
    path = text_file(
        tmp_path,
        "intents.yaml",
        """version: 1
intents:
  - name: one
    template:
      - text: {en: Hi}
  - name: two
    examples: {fr: [salut]}
    templates: [{text: {en: 'Hi {who}'}}]
  - name: three
    slots:
      - name: Size
        type: colour
        ask: {en: Which?}
        asks: x
    templates: [{text: {en: Hi}}]
  - description: nameless
    templates: [{text: {en: Hi}}]
  - name: five
    name: six
    templates:
      - text: Hi
  - name: fine
    templates: [{text: {en: Hi}}]
  - name: fine
    templates: [{text: {en: Hi}}]
  - just text
""",
    )

    found = said(path)

    assert found == [
        "line 1, column 'version': The key 'version' is not known at the top of the file. Put all under 'intents:'.",
        "line 19, column 'name': The key 'name' stands twice. Keep one of them.",
        (
            "line 5, column 'template': 'one': The key 'template' is not known. Did you mean 'templates'? Known are name, "
            "description, examples, slots, webhook, templates, details, quick_replies, starter, handoff."
        ),
        "line 7, column 'examples': 'two': Language 'fr' is not known; known are zh and en. Mend it there.",
        (
            "line 11, column 'name': 'three': 'Size' does not fit: string should match pattern '^[a-z][a-z0-9_]*$'. "
            "Write it as the other intents have it, with texts in quotes where in doubt."
        ),
        (
            "line 12, column 'type': 'three': 'colour' does not fit: input should be 'text', 'pattern', 'choice', 'number', "
            "'date', 'email' or 'phone'. Write it as the other intents have it, with texts in quotes where in doubt."
        ),
        (
            "line 14, column 'asks': 'three': The key 'asks' is not known. Did you mean 'ask'? Known are name, type, "
            "pattern, choices, labels, ask, required, sticky."
        ),
        "line 16, column 'name': The key 'name' is missing. Add it.",
        (
            "line 21, column 'text': 'six': 'Hi' does not fit: input should be a valid dictionary. Write it as the other "
            "intents have it, with texts in quotes where in doubt."
        ),
        "line 24, column 'name': An intent 'fine' stands already in line 22. Merge the two, or rename one.",
        (
            "line 26: 'just text' does not fit: input should be a valid dictionary or instance of intent. Write it as the "
            "other intents have it, with texts in quotes where in doubt."
        ),
    ]
    with pytest.raises(KnowledgeError, match="stands twice"):
        read_intents(path)


def test_a_template_with_an_unknown_slot_is_named(tmp_path: Path) -> None:
    path = text_file(tmp_path, "i.yaml", "intents:\n  - name: a\n    templates: [{text: {en: 'Hi {who}'}}]\n")

    assert said(path) == [
        (
            "line 2: 'a': Template of 'a' uses {who}, which no slot or webhook fills; known are bot_name, company, contact, "
            "hours. Mend it there."
        )
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "intents:\n\t- name: a\n",
            r"not YAML: line 2, character 1: .*\. Mend it there: check the indentation",
        ),
        ("intents: {a: b}", "no list 'intents'"),
        ("", "no list 'intents'"),
        ("a: " + "[" * 60 + "]" * 60, "nested too deeply"),
        ("a: &a [" + "x, " * 900 + "]\nb: &b [" + "*a, " * 900 + "]\n", "unfolds to too many values"),
        ("a: &a [*a]", "nested too deeply"),
        ("a\x01", "not YAML"),
    ],
)
def test_what_is_no_intent_file_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    path = text_file(tmp_path, "intents.yaml", text)

    with pytest.raises(UnreadableFileError, match=expected):
        read_intents(path)


def test_intents_are_new_changed_same_or_invalid(store: KnowledgeStore, tmp_path: Path) -> None:
    first = "intents:\n  - {name: hi, templates: [{text: {en: Hi}}]}\n  - {name: bye, templates: [{text: {en: Bye}}]}\n"
    path = text_file(tmp_path, "intents.yaml", first)
    plan = plan_import_intents(store, [path])
    apply(store, plan)

    text_file(
        tmp_path,
        "intents.yaml",
        first.replace("en: Bye", "en: See you").replace("\n  - {name: hi", "\n  - {name: hi, oops: 1"),
    )
    again = plan_import_intents(store, [path, path, tmp_path / "gone.yaml"])
    apply(store, again)

    assert plan.counts["new"] == 2
    assert [row.outcome for row in again.rows] == ["invalid", "changed", "invalid", "invalid", "invalid"]
    assert "The intent 'bye' changes in templates." in again.rows[1].message
    assert "An intent 'bye' stands already in" in again.rows[3].message
    assert [intent.templates[0].text["en"] for intent in store.intents()] == ["See you", "Hi"]
    assert plan_import_intents(store, [path]).counts["same"] == 1


def test_an_example_of_the_schema_is_an_intent() -> None:
    assert Intent.model_validate({"name": "a", "handoff": "always"}).templates == []
