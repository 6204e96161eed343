"""Which pages may show the window and call its API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from widget_site import SHOP, two_sites

from chatbot.sites.site import Site, SiteError, checked_origin
from knowledge.errors import StoreError
from ui.server.widget.directory import Directory

pytestmark = pytest.mark.anyio
ALLOWED = "https://help.shop.example"
FOREIGN = [
    "https://evil.example",
    "null",
    "https://help.shop.example.evil.example",
    "https://evil-help.shop.example",
    "https://help.shop.example:8443",
    "http://help.shop.example",
    "https://help.shop.example/",
    "https://HELP.shop.example.",
    "https://help.shop.example@evil.example",
    "file://",
    "",
    "*",
]
ROUTES = [
    ("POST", "session", {"site": "shop"}),
    ("GET", "conversation", None),
    ("POST", "messages", {"text": "hi", "key": "key-1"}),
    ("POST", "turns/turn-1/feedback", {"value": "up"}),
    ("POST", "csat", {"score": 5}),
    ("POST", "prechat", {"fields": {}}),
    ("POST", "context", {"fields": {"page": "Order 5"}}),
    ("POST", "reset", None),
    ("GET", "transcript", None),
    ("POST", "transcript", {"email": "ann@shop.example"}),
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_page_of_no_site_gets_403_on_every_route(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        visitor = await sites.visitor()
        answers = {}
        for origin in FOREIGN:
            headers = {**visitor.headers, "Origin": origin}
            for method, path, body in ROUTES:
                answers[origin, path] = await sites.client.request(
                    method, f"/api/widget/{path}", json=body, headers=headers
                )
            ask = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            answers[origin, "preflight"] = await sites.client.options("/api/widget/messages", headers=ask)

    assert {where: answer.status_code for where, answer in answers.items()} == dict.fromkeys(answers, 403)
    assert not any("access-control-allow-origin" in answer.headers for answer in answers.values())
    assert not sites.shop.bot.began


async def test_a_page_of_another_site_gets_403_too(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        visitor = await sites.visitor("shop")
        headers = {**visitor.headers, "Origin": "https://bank.example"}
        answers = [
            await sites.client.request(method, f"/api/widget/{path}", json=body, headers=headers)
            for method, path, body in ROUTES
        ]

    assert {answer.status_code for answer in answers} == {403}
    assert {answer.json()["type"] for answer in answers} == {"urn:kefu:foreign-origin"}
    assert not sites.shop.bot.began


async def test_a_page_of_the_site_may_call_and_read_the_answer(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        ask = {"Origin": ALLOWED, "Access-Control-Request-Method": "POST"}
        preflight = await sites.client.options("/api/widget/messages", headers=ask)
        visitor = await sites.visitor()
        answer = await visitor.post("messages", {"text": "hi", "key": "key-1"}, Origin=ALLOWED)
        wrong = await visitor.post("messages", {"text": ""}, Origin=ALLOWED)

    assert preflight.status_code == 204
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
    assert answer.status_code == 200
    for one in (preflight, answer, wrong):
        assert one.headers.get_list("access-control-allow-origin") == [ALLOWED]
        assert "access-control-allow-credentials" not in one.headers
        assert "Origin" in one.headers["vary"]


async def test_the_frame_itself_which_is_the_servers_own_page_may_call(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        visitor = await sites.visitor()
        proxied = {"Origin": "https://chat.shop.example", "Host": "127.0.0.1:8080"}

        answer = await visitor.post("messages", {"text": "hi", "key": "k"}, Origin="http://shop.example")
        behind = await visitor.get("conversation", **proxied, **{"Sec-Fetch-Site": "same-origin"})
        foreign = await visitor.get("conversation", **proxied, **{"Sec-Fetch-Site": "same-site"})

    assert (answer.status_code, behind.status_code, foreign.status_code) == (200, 200, 403)


async def test_every_answer_also_a_refusal_bears_the_headers_of_the_house(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        visitor = await sites.visitor()
        client = sites.client
        answers = [
            await sites.session(),
            await sites.session("nobody"),
            await visitor.get("conversation"),
            await visitor.get("transcript"),
            await visitor.get("conversation", Origin="https://evil.example"),
            await client.get("/api/widget/conversation"),
            await client.get("/api/widget/nothing", headers={"Origin": ALLOWED}),
            await client.put("/api/widget/messages", json={}),
            await client.post("/api/widget/messages", content=b"x" * 100_000),
            await client.get("/widget/frame"),
            await client.get("/widget/assets/nothing.js"),
        ]

    assert [answer.status_code for answer in answers] == [
        200,
        404,
        200,
        200,
        403,
        401,
        404,
        405,
        413,
        422,
        404,
    ]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "set-cookie" not in answer.headers
        assert visitor.token not in str(answer.request.url)


async def test_an_origin_that_may_call_the_whole_api_is_named_once_too(tmp_path: Path) -> None:
    async with two_sites(tmp_path, security={"allowed_origins": [ALLOWED]}) as sites:
        visitor = await sites.visitor()

        answer = await visitor.get("conversation", Origin=ALLOWED)

    assert answer.headers.get_list("access-control-allow-origin") == [ALLOWED]


async def test_a_database_that_does_not_answer_leaves_the_list_as_it_was() -> None:
    clock, failing = [0.0], [False]

    def load() -> list[Site]:
        if failing[0]:
            raise StoreError("The database is gone. Wait.")
        return [SHOP]

    async def read(function: Callable[[], Sequence[Site]]) -> Sequence[Site]:
        return function()

    kept, never = (Directory(load, read=read, clock=lambda: clock[0]) for _ in range(2))
    before = await kept.origins()
    clock[0], failing[0] = 60.0, True

    assert await kept.origins() == before == set(SHOP.origins)
    with pytest.raises(StoreError):
        await never.sites()


async def test_the_widgets_origins_open_no_other_door(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        answer = await sites.client.post("/api/conversations", headers={"Origin": ALLOWED})

    assert "access-control-allow-origin" not in answer.headers


async def test_only_the_sites_pages_may_frame_the_window(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        frame = await sites.client.get("/widget/frame?site=shop")
        page = await sites.client.get("/widget/page?site=shop")
        nothing = await sites.client.get("/widget/frame?site=nobody")

    csp = frame.headers["content-security-policy"]
    directives = dict(part.strip().split(" ", 1) for part in csp.split(";"))
    assert directives["frame-ancestors"] == "'self' https://help.shop.example https://www.shop.example"
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == directives["connect-src"] == "'self'"
    assert "unsafe" not in csp
    assert "*" not in csp
    assert "x-frame-options" not in frame.headers
    assert frame.headers["x-content-type-options"] == "nosniff"
    assert page.headers["content-security-policy"].endswith("frame-ancestors 'none'")
    assert page.headers["x-frame-options"] == "DENY"
    assert nothing.status_code == 404
    assert nothing.headers["content-security-policy"].endswith("frame-ancestors 'none'")
    assert all("set-cookie" not in answer.headers for answer in (frame, page, nothing))


async def test_a_change_of_the_list_is_followed_without_a_restart(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        clock = [0.0]
        visitor = await sites.visitor()
        before = await visitor.get("conversation", Origin=ALLOWED)
        sites.setup.sites.replace(replace(SHOP, origins=("https://new.shop.example",)))

        directory = next(
            layer.kwargs["directory"] for layer in sites.app.user_middleware if "directory" in layer.kwargs
        )
        clock[0] = directory._clock() + 5
        directory._clock = lambda: clock[0]
        old = await visitor.get("conversation", Origin=ALLOWED)
        new = await visitor.get("conversation", Origin="https://new.shop.example")

    assert (before.status_code, old.status_code, new.status_code) == (200, 403, 200)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("https://Help.Shop.example/", "https://help.shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("https://shop.example:8443", "https://shop.example:8443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
    ],
)
def test_an_origin_is_kept_as_browsers_write_it(written: str, kept: str) -> None:
    assert checked_origin(written) == kept


@pytest.mark.parametrize(
    "written",
    [
        "shop.example",
        "https://*.shop.example",
        "*",
        "null",
        "http://shop.example",
        "https://shop.example/help",
        "https://a:b@shop.example",
        "ftp://shop.example",
        "https://shop.example:99999",
        "https://shop.example; script-src *",
        "https://shop.example 'unsafe-inline'",
        'https://"><script>',
        "https://",
        "https://[::1",
        "",
    ],
)
def test_what_is_no_origin_never_gets_into_the_list(written: str) -> None:
    with pytest.raises(SiteError):
        checked_origin(written)
