"""The demo company's past dialogues look like a real log and contradict nothing the company says."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from datetime import datetime
from itertools import combinations, groupby, pairwise
from pathlib import Path
from typing import Any

import yaml
from rapidfuzz import fuzz

import knowledge

DEMO = Path(knowledge.__file__).parent / "data" / "demo"
LINES = (DEMO / "dialogues.jsonl").read_text(encoding="utf-8").splitlines()
DIALOGUES: list[dict[str, Any]] = [json.loads(line) for line in LINES]
SERVICES = json.loads((DEMO / "services.json").read_text(encoding="utf-8"))
INTENTS = [intent["name"] for intent in yaml.safe_load((DEMO / "intents.yaml").read_bytes())["intents"]]
PRICE = re.compile(r"¥\d[\d,.]*\d|¥\d")
WORKED_OUT = {"¥400", "¥798", "¥1,700", "¥8.20"}
"""Sums an agent makes in front of the customer: a difference of two prices, two pieces, points in yuan."""


def _texts(dialogue: dict[str, Any], role: str | None = None) -> list[str]:
    return [m["text"] for m in dialogue["messages"] if role in (None, m["role"])]


def _ats(dialogue: dict[str, Any]) -> list[str]:
    return [m["at"] for m in dialogue["messages"]]


def _categories() -> set[str]:
    with (DEMO / "faq_en.csv").open(encoding="utf-8", newline="") as file:
        return {row["category"] for row in csv.DictReader(file)}


def _order_mentions() -> list[tuple[str, str, datetime]]:
    return [
        (dialogue["id"], order, datetime.fromisoformat(message["at"]))
        for dialogue in DIALOGUES
        for message in dialogue["messages"]
        for order in re.findall(r"\bLM\d+", message["text"].upper(), flags=re.ASCII)
    ]


def test_there_are_300_dialogues_with_many_in_each_language() -> None:
    languages = Counter(dialogue["locale"] for dialogue in DIALOGUES)

    assert len(DIALOGUES) == 300
    assert set(languages) == {"zh", "en"}
    assert min(languages.values()) >= 130


def test_ids_are_unique_and_in_the_order_of_time() -> None:
    ids = [dialogue["id"] for dialogue in DIALOGUES]
    starts = [datetime.fromisoformat(dialogue["started_at"]) for dialogue in DIALOGUES]

    assert len(set(ids)) == 300
    assert all(re.fullmatch(r"d-\d{4}", id_) for id_ in ids)
    assert ids == sorted(ids)
    assert starts == sorted(starts)


def test_every_dialogue_has_the_same_fields_with_sensible_values() -> None:
    fields = {"id", "locale", "channel", "started_at", "resolved", "rating", "topic", "messages"}

    odd = [
        dialogue["id"]
        for dialogue in DIALOGUES
        if set(dialogue) != fields
        or dialogue["channel"] not in {"web", "phone_transcript", "app"}
        or not isinstance(dialogue["resolved"], bool)
        or dialogue["rating"] not in {None, 1, 2, 3, 4, 5}
        or not all(set(m) == {"role", "text", "at"} and m["text"].strip() for m in dialogue["messages"])
    ]

    assert odd == []
    assert {dialogue["channel"] for dialogue in DIALOGUES} == {"web", "phone_transcript", "app"}
    assert {dialogue["rating"] for dialogue in DIALOGUES} == {None, 1, 2, 3, 4, 5}


def test_the_customer_begins_an_agent_answers_and_nobody_talks_alone() -> None:
    roles = {dialogue["id"]: [m["role"] for m in dialogue["messages"]] for dialogue in DIALOGUES}

    odd = [
        id_
        for id_, said in roles.items()
        if not 2 <= len(said) <= 14
        or said[0] != "customer"
        or set(said) != {"customer", "agent"}
        or max(len(list(run)) for _, run in groupby(said)) > 4
    ]

    assert odd == []


def test_times_ascend_within_2026_and_carry_an_offset() -> None:
    odd = []
    for dialogue in DIALOGUES:
        times = [datetime.fromisoformat(at) for at in (dialogue["started_at"], *_ats(dialogue))]
        aware = all(moment.tzinfo is not None and moment.year == 2026 for moment in times)
        ascending = times[0] <= times[1] and all(a < b for a, b in pairwise(times[1:]))
        if not (aware and ascending):
            odd.append(dialogue["id"])

    assert odd == []


def test_agents_answer_only_while_support_is_open() -> None:
    closed = [
        (dialogue["id"], message["at"])
        for dialogue in DIALOGUES
        for message in dialogue["messages"]
        if message["role"] == "agent" and not 9 <= datetime.fromisoformat(message["at"]).hour < 21
    ]

    assert closed == []


def test_every_topic_is_an_intent_or_a_faq_category_and_every_one_occurs() -> None:
    topics = Counter(dialogue["topic"] for dialogue in DIALOGUES)

    assert set(topics) == set(INTENTS) | _categories()
    assert {name: topics[name] for name in INTENTS if topics[name] < 4} == {}


def test_no_two_dialogues_are_nearly_the_same() -> None:
    joined = [(dialogue["id"], "\n".join(_texts(dialogue))) for dialogue in DIALOGUES]

    alike = [
        (one, two)
        for (one, first), (two, second) in combinations(joined, 2)
        if fuzz.token_sort_ratio(first, second, score_cutoff=65)
    ]

    assert alike == []


def test_no_two_dialogues_open_with_the_same_words() -> None:
    openings = Counter(" ".join(_texts(dialogue)[:2]).casefold() for dialogue in DIALOGUES)

    assert [opening for opening, count in openings.items() if count > 1] == []


def test_some_dialogues_end_unresolved_as_in_a_real_log() -> None:
    for language in ("zh", "en"):
        ends = [dialogue["resolved"] for dialogue in DIALOGUES if dialogue["locale"] == language]

        assert 0.10 <= ends.count(False) / len(ends) <= 0.30


def test_order_numbers_have_the_companys_pattern_and_are_not_from_the_future() -> None:
    mentions = _order_mentions()

    odd = [
        (dialogue_id, order)
        for dialogue_id, order, at in mentions
        if not re.fullmatch(r"LM20\d{2}(0[1-9]|1[0-2])\d{4}", order) or order[2:8] > f"{at:%Y%m}"
    ]

    assert len(mentions) >= 60
    assert odd == []


def test_an_order_of_the_service_is_mentioned_only_after_it_was_placed() -> None:
    orders = SERVICES["orders"]

    early = [
        (dialogue_id, order)
        for dialogue_id, order, at in _order_mentions()
        if order in orders and orders[order]["placed_on"] > f"{at:%Y-%m-%d}"
    ]

    assert early == []


def test_agents_name_only_prices_the_company_knows() -> None:
    said = "".join(
        path.read_text(encoding="utf-8")
        for path in sorted(DEMO.rglob("*"))
        if path.is_file() and path.name != "dialogues.jsonl" and "models" not in path.parts
    )
    known = {price.removesuffix(".00") for price in PRICE.findall(said)} | WORKED_OUT

    invented = [
        (dialogue["id"], price)
        for dialogue in DIALOGUES
        for text in _texts(dialogue, "agent")
        for price in PRICE.findall(text)
        if price.removesuffix(".00") not in known
    ]

    assert invented == []


def test_some_customers_give_personal_data_so_that_masking_has_work() -> None:
    texts = [text for dialogue in DIALOGUES for text in _texts(dialogue, "customer")]

    assert sum(bool(re.search(r"\b[\w.]+@[\w.]+\.example\b", text)) for text in texts) >= 8
    assert sum(bool(re.search(r"\d{3}[ -]?\d{4}[ -]?\d{4}|07700 \d{6}", text)) for text in texts) >= 5
