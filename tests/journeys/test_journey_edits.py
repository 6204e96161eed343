"""Edits reach the answers of a running service by themselves, whichever process makes them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatbot.assemble import Service, open_knowledge, open_service
from chatbot.settings import Settings, load_settings
from chatbot.types import Decline, Message, Turn
from fakes import FakeEncoder, OpenedEncoder
from knowledge.items import Faq
from knowledge.store import KnowledgeStore

PROMISED_S = 5.0
BUSY_MACHINE_S = 25.0
"""Slack for a machine that does ten other things."""

HOURS = Faq(id="hours", question="When are you open?", answer="From 9 to 6.", locale="en")
RETURNS = Faq(id="returns", question="How long can I return things?", answer="For 30 days.", locale="en")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "kefu.toml").write_text('[generation.model]\nkind = "none"\n', "utf-8")
    loaded = load_settings(tmp_path)
    knowledge = loaded.knowledge.model_copy(update={"encoder": OpenedEncoder(FakeEncoder())})
    return loaded.model_copy(update={"knowledge": knowledge})


@pytest.fixture
def elsewhere(settings: Settings) -> KnowledgeStore:
    """The store as another process opens it: it shares nothing with the service but the database."""
    store = open_knowledge(settings)
    store.upsert_faqs([HOURS, RETURNS])
    return store


@pytest.fixture
def service(settings: Settings, elsewhere: KnowledgeStore) -> Iterator[Service]:
    service = open_service(settings)
    yield service
    service.close()


def test_a_changed_answer_is_given_within_five_seconds(service: Service, elsewhere: KnowledgeStore) -> None:
    assert ask(service, HOURS.question).reply.text == "From 9 to 6."

    elsewhere.upsert_faqs([replace(HOURS, answer="From 10 to 8.")])

    assert comes_true(lambda: ask(service, HOURS.question).reply.text == "From 10 to 8.")


def test_a_deleted_faq_is_soon_not_given_any_more(service: Service, elsewhere: KnowledgeStore) -> None:
    assert ask(service, RETURNS.question).reply.text == "For 30 days."

    elsewhere.delete_faqs([RETURNS.id])

    assert comes_true(lambda: isinstance(ask(service, RETURNS.question).decision, Decline))
    assert RETURNS.answer not in ask(service, RETURNS.question).reply.text
    assert ask(service, HOURS.question).reply.text == "From 9 to 6."


def test_a_new_faq_is_soon_given(service: Service, elsewhere: KnowledgeStore) -> None:
    new = Faq(id="gift", question="Do you wrap presents?", answer="Yes, for 3 euros.", locale="en")

    elsewhere.upsert_faqs([new])

    assert comes_true(lambda: ask(service, new.question).reply.text == new.answer)


def test_an_edit_that_was_made_while_the_service_was_down_is_there_at_its_start(
    settings: Settings, elsewhere: KnowledgeStore
) -> None:
    open_service(settings).close()
    elsewhere.upsert_faqs([replace(HOURS, answer="Closed for the holidays.")])

    service = open_service(settings)
    said = ask(service, HOURS.question).reply.text
    service.close()

    assert said == "Closed for the holidays."


def ask(service: Service, text: str) -> Turn:
    """One question in a conversation of its own."""
    message = Message(uuid.uuid4().hex, text, datetime.now(UTC), channel="api", locale="en")
    *_, turn = service.bot.reply(message)
    assert isinstance(turn, Turn)
    return turn


def comes_true(happens: Callable[[], bool]) -> bool:
    """Whether it happens in the promised time, or within what a busy machine may need."""
    end = time.monotonic() + PROMISED_S + BUSY_MACHINE_S
    while time.monotonic() < end:
        if happens():
            return True
        time.sleep(0.2)
    return False
