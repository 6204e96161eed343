"""The window in front of real bots: two project folders, one server, as `kefu serve` opens them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from widget_site import Visitor

from chatbot.assemble import Models, Service, open_knowledge, open_service, open_sites
from chatbot.settings import load_settings
from chatbot.sites.site import Site
from fakes import FakeEncoder
from knowledge.encode import BatchingEncoder
from knowledge.items import Faq
from ui.commands.serve import hosted_widget
from ui.server.app import context_of, create_app

pytestmark = pytest.mark.anyio
NO_MODEL = '[generation.model]\nkind = "none"\n'
ORIGIN = "https://bank.example"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass(frozen=True, slots=True)
class Server:
    app: FastAPI
    shop: Service

    def client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.app, client=("10.0.0.9", 4711))
        return httpx.AsyncClient(transport=transport, base_url="http://kefu.example")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    for name, hours in (("shop", "From 9 to 6."), ("bank", "Only by appointment.")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kefu.toml").write_text(f'{NO_MODEL}[project]\nbot_name = "{name} bot"\n', "utf-8")
        faq = Faq(id="hours", question="When are you open?", answer=hours, locale="en")
        open_knowledge(load_settings(tmp_path / name)).upsert_faqs([faq])
    settings = load_settings(tmp_path / "shop")
    sites = open_sites(settings)
    sites.add(Site("shop", "Shop", ()))
    sites.add(Site("bank", "Bank", (ORIGIN,), str(tmp_path / "bank")))
    encoder = BatchingEncoder(FakeEncoder(), window_ms=2, batch_size=8, cache_entries=100)
    shop = open_service(settings, models=Models(encoder, None, None))
    with hosted_widget(shop, settings, calibrate=False, progress=lambda what, done: None) as widget:
        app = create_app(shop, settings=settings, widget=widget)
        yield Server(app, shop)
        context_of(app).close()
    shop.close()
    encoder.close()


async def _visitor(client: httpx.AsyncClient, site: str) -> Visitor:
    answer = await client.post("/api/widget/session", json={"site": site, "locale": "en"})
    assert answer.status_code == 200, answer.text
    return Visitor(client, answer.json())


async def test_each_site_hears_its_own_bot_also_at_the_same_time(server: Server) -> None:
    async with server.client() as client:
        shopper, banker = await _visitor(client, "shop"), await _visitor(client, "bank")
        questions = [(who, f"key-{n}") for n in range(2) for who in (shopper, banker)]
        answers = await asyncio.gather(*(who.say("When are you open?", key) for who, key in questions))
        ready = await client.get("/readyz")

    assert [answer.json()["reply"]["text"] for answer in answers] == [
        "From 9 to 6.",
        "Only by appointment.",
        "From 9 to 6.",
        "Only by appointment.",
    ]
    assert banker.opened["site"]["bot_name"] == "bank bot"
    assert shopper.opened["site"]["bot_name"] == "shop bot"
    assert ready.json()["checks"]["bank: index"] == "ok"
    assert server.shop.store.count_turns() == 2


async def test_what_is_kept_is_masked_and_rated_in_the_bots_own_records(server: Server) -> None:
    async with server.client() as client:
        banker, other = await _visitor(client, "bank"), await _visitor(client, "bank")
        turn = (await banker.say("My phone is 13800138000, when are you open?")).json()
        await banker.post(f"turns/{turn['id']}/feedback", {"value": "up"})
        await banker.post("csat", {"score": 4})
        read, home = await banker.get("conversation"), await banker.get("transcript")
        strange = await other.post(f"turns/{turn['id']}/feedback", {"value": "down"})
        outside = [
            await client.get(f"/api/turns/{turn['id']}"),
            await client.get(f"/api/conversations/{turn['conversation_id']}"),
        ]

    shown = read.json()
    assert "13800138000" not in read.text + home.text
    assert shown["turns"][0]["feedback"] == "up"
    assert shown["rating"]["score"] == 4
    assert [answer.status_code for answer in (strange, *outside)] == [404, 404, 404]
    assert server.shop.store.count_turns() == 0


async def test_a_conversation_is_found_again_after_a_restart(server: Server, tmp_path: Path) -> None:
    async with server.client() as client:
        shopper = await _visitor(client, "shop")
        await shopper.say("When are you open?")

    settings = load_settings(tmp_path / "shop")
    with hosted_widget(server.shop, settings, calibrate=False, progress=lambda what, done: None) as widget:
        app = create_app(server.shop, settings=settings, widget=widget)
        async with Server(app, server.shop).client() as client:
            read = await Visitor(client, shopper.opened).get("conversation")
        context_of(app).close()

    assert [turn["reply"]["text"] for turn in read.json()["turns"]] == ["From 9 to 6."]
    assert read.json()["id"] == shopper.opened["conversation_id"]


async def test_a_site_that_is_added_while_the_server_runs_is_answered_or_told_to_wait_for_a_new_start(
    server: Server, tmp_path: Path
) -> None:
    sites = open_sites(load_settings(tmp_path / "shop"))
    sites.add(Site("late", "Late", ()))
    sites.add(Site("guest", "Guest", (), str(tmp_path / "guest")))

    async with server.client() as client:
        late = await _visitor(client, "late")
        said = await late.say("When are you open?")
        guest = await client.post("/api/widget/session", json={"site": "guest"})

    assert said.json()["reply"]["text"] == "From 9 to 6."
    assert guest.status_code == 503
    assert guest.json()["type"].endswith("bot-not-running")
    assert "Start the server again" in guest.json()["detail"]


async def test_no_id_of_a_visitors_conversation_opens_another_door(server: Server) -> None:
    async with server.client() as client:
        shopper = await _visitor(client, "shop")
        await shopper.say("When are you open?")
        (kept,) = server.shop.store.conversations()
        doors = [
            await client.get(f"/api/conversations/{kept.id}"),
            await client.post(f"/api/conversations/{kept.id}/messages", json={"text": "hi"}),
            await client.post(
                "/v1/chat/completions",
                json={
                    "messages": [{"role": "user", "content": "hi"}],
                    "metadata": {"conversation_id": kept.id},
                },
            ),
        ]

    assert kept.id.startswith("site:shop:")
    assert {door.status_code for door in doors} == {422}
    assert server.shop.store.count_turns() == 1
