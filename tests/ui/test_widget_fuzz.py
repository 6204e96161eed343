"""Whatever is sent to the widget's routes, the server answers with one of its own problems and never breaks."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from widget_site import two_sites

pytestmark = pytest.mark.anyio
GOOD: dict[str, dict[str, Any]] = {
    "session": {"site": "shop", "locale": "en"},
    "messages": {"text": "hi", "key": "key-1", "locale": "en"},
    "turns/turn-1/feedback": {"value": "up", "reasons": ["wrong"], "comment": "no"},
    "csat": {"score": 5, "comment": "fine"},
    "prechat": {"fields": {}},
    "context": {"fields": {"page": "1"}},
    "transcript": {"email": "ann@mail.example"},
    "reset": {},
}
STRANGE: list[Any] = [
    None, True, 0, -1, 1e308, "", " ", "x" * 5000, "\x00", "\ud800", "a\u202eb", [], [[]], {}, {"a": {"b": []}},
    "<script>", "site:shop:x", "../..", ["en"], {"$ne": ""}, "zh-CN-x-y-z-much-too-long-to-be-one", 10**30,
]  # fmt: skip


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_no_body_makes_the_server_fail(tmp_path: Path) -> None:
    chance = random.Random(3)
    free = {"requests_per_minute": 0, "messages_per_minute": 0}
    tables = {"security": free, "widget": {"sessions_per_minute": 0, "messages_per_site": 0}}
    seen: dict[int, int] = {}
    async with two_sites(tmp_path, **tables) as sites:
        visitor = await sites.visitor()
        for _ in range(800):
            path = chance.choice(list(GOOD))
            body = dict(GOOD[path])
            for _ in range(chance.randrange(1, 3)):
                body[chance.choice([*body, "role", "user_id", "site_id"])] = chance.choice(STRANGE)
            content = json.dumps(chance.choice([body, body, body, [body], chance.choice(STRANGE)]))
            headers = {**visitor.headers, "Content-Type": "application/json"}
            answer = await sites.client.post(f"/api/widget/{path}", content=content, headers=headers)
            seen[answer.status_code] = seen.get(answer.status_code, 0) + 1
            assert answer.status_code in (200, 204, 404, 422, 501), (path, content, answer.text)
            if answer.status_code >= 400:
                assert answer.json()["type"].startswith("urn:kefu:")

    assert seen[422] > 300
    assert seen.get(200, 0) + seen.get(204, 0) > 20


async def test_no_header_makes_the_server_fail(tmp_path: Path) -> None:
    chance = random.Random(4)
    values = [
        "",
        " ",
        "Bearer",
        "Bearer ",
        "bearer a b",
        "Basic eDp5",
        "x" * 6000,
        "a.b.c",
        "Bearer ..",
        "null",
        "-1",
        "\\",
    ]
    async with two_sites(tmp_path, security={"requests_per_minute": 0}) as sites:
        for _ in range(300):
            names = chance.sample(
                ["Authorization", "Origin", "Last-Event-ID", "Accept", "Accept-Language", "Host"], 3
            )
            headers = {name: chance.choice(values).strip() for name in names}
            path = chance.choice(["conversation", "transcript"])
            answer = await sites.client.get(f"/api/widget/{path}", headers=headers)
            assert answer.status_code in (401, 403, 422), (headers, answer.text)
