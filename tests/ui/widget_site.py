"""Two sites of two bots, in front of an app, and what a browser of a visitor does."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
from fastapi import FastAPI
from server_fakes import FakeService, made_settings, running

import chatbot.record.tables
import chatbot.sites.tables  # noqa: F401 - its tables join the metadata
from chatbot.record.remarks import Remarks
from chatbot.sites.site import Site, SiteKey
from chatbot.sites.store import SiteStore
from chatbot.sites.visitors import VisitorStore
from knowledge.database import open_engine
from knowledge.tables import metadata
from ui.server.widget.host import HostedBot, WidgetSetup

SHOP = Site("shop", "The shop's help centre", ("https://help.shop.example", "https://www.shop.example"))
BANK = Site("bank", "The bank", ("https://bank.example",), "bots/bank")


@dataclass
class Sites:
    """The app with both sites."""

    app: FastAPI
    client: httpx.AsyncClient
    setup: WidgetSetup
    shop: FakeService
    bank: FakeService
    remarks: Remarks
    key: SiteKey
    """Of the shop."""

    async def session(self, site: str = "shop", *, token: str = "", **body: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self.client.post("/api/widget/session", json={"site": site, **body}, headers=headers)

    async def visitor(self, site: str = "shop", *, token: str = "", **body: Any) -> Visitor:
        answer = await self.session(site, token=token, **body)
        assert answer.status_code == 200, answer.text
        return Visitor(self.client, answer.json())

    def identity(self, sub: Any = "user-1", *, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """What the shop's server would sign."""
        said = {"aud": "shop", "sub": sub, "exp": int(time.time()) + 600, **claims}
        said = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(said, self.key.secret, headers={"kid": self.key.kid, **(header or {})})


@dataclass
class Visitor:
    client: httpx.AsyncClient
    opened: Mapping[str, Any]

    @property
    def token(self) -> str:
        return str(self.opened["token"])

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def get(self, path: str, **more: str) -> httpx.Response:
        return await self.client.get(f"/api/widget/{path}", headers={**self.headers, **more})

    async def post(self, path: str, body: Any = None, **more: str) -> httpx.Response:
        return await self.client.post(f"/api/widget/{path}", json=body, headers={**self.headers, **more})

    async def say(self, text: str, key: str = "") -> httpx.Response:
        return await self.post("messages", {"text": text, "key": key or f"key-{time.monotonic_ns()}"})


@asynccontextmanager
async def two_sites(tmp_path: Path, **tables: Mapping[str, Any]) -> AsyncIterator[Sites]:
    engine = open_engine(f"sqlite:///{tmp_path / 'kefu.db'}")
    metadata.create_all(engine)
    sites, visitors, remarks = SiteStore(engine), VisitorStore(engine), Remarks(engine)
    for site in (SHOP, BANK):
        sites.add(site)
    settings = made_settings(**tables)
    shop, bank = FakeService(), FakeService()
    bank.bot.pieces = ("Your balance is ", "secret.")
    bots = {"": HostedBot(shop, settings, remarks), BANK.bot: HostedBot(bank, settings, remarks)}
    setup = WidgetSetup(sites, visitors, bots)
    async with running(shop, hosting=setup, **tables) as (app, client):
        yield Sites(app, client, setup, shop, bank, remarks, sites.add_key("shop"))
    engine.dispose()
