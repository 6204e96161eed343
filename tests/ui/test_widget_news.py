"""What a window asks every few seconds: whether something was said elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from widget_site import Visitor, two_sites

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _since(visitor: Visitor, after: int) -> str:
    return f"conversation?id={visitor.opened['conversation_id']}&after={after}"


async def test_another_device_is_told_what_was_said_since_and_nothing_else(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        phone = await sites.visitor(identity=sites.identity())
        laptop = await sites.visitor(identity=sites.identity())
        before = await laptop.get(_since(laptop, 0))
        await phone.say("one")
        await phone.say("two")
        both, second, none = [await laptop.get(_since(laptop, after)) for after in (0, 1, 2)]

    assert before.json()["turns"] == []
    assert [turn["message"]["text"] for turn in both.json()["turns"]] == ["one", "two"]
    assert [turn["message"]["text"] for turn in second.json()["turns"]] == ["two"]
    assert second.json()["id"] == laptop.opened["conversation_id"]
    assert (none.status_code, none.content) == (204, b"")


async def test_nothing_new_reads_one_turn_and_not_the_conversation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two_sites(tmp_path) as sites:
        visitor = await sites.visitor()
        for number in range(3):
            await visitor.say(f"number {number}")
        read: list[int] = []
        history = sites.shop.store.history

        def counted(conversation_id: str, *, limit: int = 12) -> object:
            read.append(limit)
            return history(conversation_id, limit=limit)

        monkeypatch.setattr(sites.shop.store, "history", counted)
        answer = await visitor.get(_since(visitor, 3))

    assert answer.status_code == 204
    assert read == [1]


async def test_a_conversation_that_was_begun_anew_elsewhere_is_told_whole(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        phone = await sites.visitor(identity=sites.identity())
        laptop = await sites.visitor(identity=sites.identity())
        for text in ("one", "two"):
            await phone.say(text)
        await phone.post("reset")
        await phone.say("afresh")
        told = await laptop.get(_since(laptop, 2))

    assert told.json()["id"] != laptop.opened["conversation_id"]
    assert [turn["message"]["text"] for turn in told.json()["turns"]] == ["afresh"]


@pytest.mark.parametrize("wrong", ["after=-1", "after=x", f"id={'x' * 65}"])
async def test_a_number_that_is_none_is_refused(tmp_path: Path, wrong: str) -> None:
    async with two_sites(tmp_path) as sites:
        answer = await (await sites.visitor()).get(f"conversation?{wrong}")

    assert answer.status_code == 422
