"""A small shop for the tests of datasets: what it knows, and conversations about it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from chatbot.record.redaction import redact
from finetune.data.build import Built, Company, Options, build
from finetune.data.logs import Read, read_logs
from knowledge.lexical import tokenize
from knowledge.sources.intents import Intent, Template
from knowledge.types import Entry, Hit, Passage

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
ANSWERS = {
    "How do I return a parcel?": "You can return a parcel within 30 days. The label is in your account.",
    "How much is express delivery?": "Express delivery costs 12 euros and takes 2 days.",
    "How do I reset my password?": "Press 'Forgot password' and follow the link in the mail.",
    "Where is the Berlin shop?": "The Berlin shop is at Linden Street 5 and opens at 10:00.",
    "Which cards do you accept?": "We accept Visa and Mastercard. Other cards are refused.",
    "Can I change my address?": "The address can be changed until the parcel is packed.",
    "How long is the warranty?": "The warranty of all devices is 24 months from the purchase.",
    "Do you wrap presents?": "Presents are wrapped for 3 euros; choose it at the checkout.",
    "怎么申请退款？": "在“我的订单”里点“申请退款”，3 个工作日内到账。",
    "发票怎么开？": "在订单页点“开发票”，电子发票 24 小时内发到邮箱。",
}


class WordRetriever:
    """Finds passages by the words they share with the query; the share is the score."""

    version = "words-1"

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries

    def search(
        self, query: str, k: int = 5, *, locale: str | None = None, read_as: str = ""
    ) -> Sequence[Hit]:
        asked = set(tokenize(query))
        scored = [(len(asked & _words(entry)) / max(1, len(asked)), entry.passage) for entry in self._entries]
        best = sorted((pair for pair in scored if pair[0]), key=lambda pair: (-pair[0], pair[1].id))[:k]
        return [Hit(passage, score, rank) for rank, (score, passage) in enumerate(best, 1)]


def _words(entry: Entry) -> set[str]:
    return set(tokenize(" ".join([*entry.questions, entry.passage.text])))


def shop() -> Company:
    """Ten questions with a second wording each, and an intent."""
    entries = []
    for number, (question, answer) in enumerate(ANSWERS.items()):
        locale = "en" if question.isascii() else "zh"
        passage = Passage(f"faq:{number}", answer, question, "faq", locale)
        others = (f"Please, {question.lower()}",) if locale == "en" else (f"想问{question}",)
        entries.append(Entry(passage, (question, *others)))
    examples = {"en": ["cancel my order", "I do not want the lamp any more", "stop the purchase please"]}
    intents = {
        "cancel_order": Intent(
            name="cancel_order", examples=examples, templates=[Template(text={"en": "Press 'Cancel'."})]
        )
    }
    return Company(entries, intents, WordRetriever(entries))


def dialogue(id_: str, *said: str, day: int = 0, **about: Any) -> dict[str, Any]:
    """A conversation as a log has it: customer and agent in turn."""
    messages = [
        {
            "role": "customer" if place % 2 == 0 else "agent",
            "text": text,
            "at": (START + timedelta(days=day, minutes=place)).isoformat(),
        }
        for place, text in enumerate(said)
    ]
    return {"id": id_, "messages": messages, **about}


def written(path: Path, records: Iterable[Mapping[str, Any] | str]) -> Path:
    """A file of JSON lines; a text is a line as it stands."""
    lines = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in records]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def many_dialogues() -> list[dict[str, Any]]:
    """Forty days with a different question each."""
    things = ["lamp", "phone", "kettle", "camera", "tablet", "watch", "speaker", "charger"]
    found = []
    for day in range(40):
        question, answer = list(ANSWERS.items())[day % 8]
        thing = things[(day * 3) % 8]
        asked = f"{question.rstrip('?')} for the {thing} I bought on day {day} at noon?"
        found.append(dialogue(f"c{day}", asked, answer, "thanks, great", day=day, rating=5))
    return found


def built(*paths: Path, options: Options | None = None, reads: Iterable[Read] = ()) -> Built:
    """The datasets of the shop from log files."""
    return build([*read_logs(paths), *reads], shop(), mask=redact, options=options or Options(held_out=0.2))
