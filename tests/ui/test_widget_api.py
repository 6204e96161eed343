"""What the widget is promised by /api/widget."""

from __future__ import annotations

from pathlib import Path

import pytest
from server_fakes import opened
from widget_site import two_sites

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_new_visitor_learns_who_answers_and_that_it_is_a_machine(tmp_path: Path) -> None:
    tables = {"project": {"name": "Aurora", "bot_name": "Ray"}, "handoff": {"contact": "help@aurora.example"}}
    async with two_sites(tmp_path, **tables) as sites:
        answer = await sites.session(locale="zh-TW")

    told = answer.json()
    assert answer.status_code == 200
    assert told["new"] is True
    assert told["user"] is None
    assert told["site"] == {
        "id": "shop",
        "name": "The shop's help centre",
        "title": "Aurora",
        "bot_name": "Ray",
        "contact": "help@aurora.example",
    }
    assert "自動" in told["disclosure"]
    assert told["suggestions"] == ["怎麼退貨？"]
    assert told["prechat"] == []
    assert "set-cookie" not in answer.headers


async def test_a_message_is_answered_with_html_and_the_conversation_keeps_it(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        visitor = await sites.visitor()

        answer = await visitor.say("Can I return it?", key="key-1")
        again = await visitor.say("Can I return it?", key="key-1")
        read = await visitor.get("conversation")

    assert answer.status_code == 200
    assert answer.json()["html"] == "<p>You can return it within 30 days.</p>"
    assert again.json() == answer.json()
    assert read.json()["id"] == visitor.opened["conversation_id"] == answer.json()["conversation_id"]
    assert read.json()["turns"] == [{**answer.json(), "feedback": None}]
    assert read.json()["rating"] is None


async def test_an_answer_streams_and_goes_on_where_it_was_lost(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        visitor = await sites.visitor()
        said = {"text": "Can I return it?", "key": "key-1"}
        headers = {"authorization": f"Bearer {visitor.token}"}
        async with opened(sites.app, "/api/widget/messages", said, **headers) as stream:
            events = await stream.events()
        async with opened(
            sites.app, "/api/widget/messages", said, **headers, **{"last-event-id": "8"}
        ) as stream:
            rest = await stream.events()

    assert [name for name, _, _ in events] == ["delta", "delta", "turn"]
    assert events[-1][1]["html"] == "<p>You can return it within 30 days.</p>"
    assert events[-1][1]["conversation_id"] == visitor.opened["conversation_id"]
    assert rest[0][1]["text"] == "You can return it within 30 days."[8:]
    assert rest[-1] == events[-1]


async def test_a_visitor_who_comes_back_goes_on_in_the_same_conversation(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        visitor = await sites.visitor()
        await visitor.say("hi")

        back = await sites.visitor(token=visitor.token)
        read = await back.get("conversation")

    assert back.opened["new"] is False
    assert back.opened["conversation_id"] == visitor.opened["conversation_id"]
    assert [turn["message"]["text"] for turn in read.json()["turns"]] == ["hi"]


async def test_a_reset_begins_a_new_conversation_for_the_same_visitor(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        visitor = await sites.visitor()
        await visitor.say("hi")

        fresh = await visitor.post("reset")
        read = await visitor.get("conversation")

    assert fresh.status_code == 200
    assert fresh.json()["conversation_id"] != visitor.opened["conversation_id"]
    assert fresh.json()["new"] is False
    assert read.json()["turns"] == []
    assert read.json()["id"] == fresh.json()["conversation_id"]


async def test_thumbs_are_kept_for_own_turns_only(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        visitor, other = await sites.visitor(), await sites.visitor()
        turn = (await visitor.say("hi")).json()["id"]
        body = {"value": "down", "reasons": ["wrong"], "comment": "my number is 13800138000"}

        own = await visitor.post(f"turns/{turn}/feedback", body)
        foreign = await other.post(f"turns/{turn}/feedback", body)
        nothing = await other.post("turns/nothing/feedback", body)
        read = await visitor.get("conversation")

    assert own.status_code == 204
    assert foreign.status_code == nothing.status_code == 404
    assert foreign.json()["detail"] == nothing.json()["detail"]
    assert len(sites.shop.store.rated) == 1
    assert "13800138000" not in sites.shop.store.rated[0].comment
    assert read.json()["turns"][0]["feedback"] == "down"
