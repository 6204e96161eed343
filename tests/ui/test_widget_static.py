"""The widget's own files, and nothing else of the server's."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from server_fakes import FakeService, running
from widget_site import two_sites

from chatbot.sites.site import Site
from ui.server.widget.files import frame_page, read_window

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "widget"
    (folder / "node_modules").mkdir(parents=True)
    for name, text in {
        "widget.js": "loader();" * 100,
        "widget.mjs": "export {};",
        "frame.html": '<!doctype html>\n<html lang="en" data-site="">\n<head><link href="assets/frame.css">'
        '<script type="module" src="assets/frame.mjs"></script></head></html>',
        "frame.mjs": 'import { a } from "./chat.mjs";\nimport en from "./texts-en.json" with { type: "json" };\nrun(a, en);',
        "chat.mjs": "export const a = 1;",
        "frame.css": "p{}",
        "texts-en.json": "{}",
        "package.json": "{}",
        "tsconfig.json": "{}",
        "chat.test.mjs": "test();",
        "README.md": "# Read me",
        ".secret.js": "x",
        "node_modules/left.js": "x",
        "server.py": "x",
    }.items():
        (folder / name).write_text(text, "utf-8")
    return folder


def test_the_window_is_a_page_a_script_and_a_style_named_by_what_they_hold(folder: Path) -> None:
    before = read_window(folder)
    (folder / "chat.mjs").write_text("export const a = 2;", "utf-8")
    after = read_window(folder)

    style, script = sorted(before.files)
    assert re.fullmatch(r"frame\.[0-9a-f]{12}\.css", style)
    assert re.fullmatch(r"frame\.[0-9a-f]{12}\.mjs", script)
    assert set(after.files) & set(before.files) == {style}
    assert f'"assets/{script}"' in before.page
    assert f'"assets/{style}"' in before.page
    assert b"const a = 1;" in before.files[script].body


async def test_the_script_and_the_style_are_kept_for_good_and_their_page_is_asked_for_each_time(
    folder: Path, tmp_path: Path
) -> None:
    async with two_sites(tmp_path) as sites:
        setup = replace(sites.setup, folder=folder)
        async with running(FakeService(), hosting=setup) as (_, client):
            page = await client.get("/widget/frame?site=shop")
            named = re.findall(r'(?:href|src)="(assets/[^"]+)"', page.text)
            parts = [await client.get(f"/widget/{name}") for name in named]

    assert page.headers["cache-control"] == "no-cache"
    assert len(parts) == 2
    for part in parts:
        assert part.status_code == 200
        assert part.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert part.headers["cross-origin-resource-policy"] == "same-origin"


async def test_the_loader_may_be_loaded_by_any_page_and_is_kept_for_a_while(
    folder: Path, tmp_path: Path
) -> None:
    async with two_sites(tmp_path) as sites:
        setup = replace(sites.setup, folder=folder)
        async with running(FakeService(), hosting=setup) as (_, client):
            first = await client.get("/widget.js", headers={"Accept-Encoding": "gzip"})
            plain = await client.get("/widget.js", headers={"Accept-Encoding": "identity"})
            again = await client.get("/widget.js", headers={"If-None-Match": first.headers["etag"]})
            module = await client.get("/widget.mjs", headers={"Origin": "https://anywhere.example"})

    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    assert first.headers["content-encoding"] == "gzip"
    assert int(first.headers["content-length"]) < len(plain.content)
    assert first.content == plain.content == b"loader();" * 100
    assert again.status_code == 304
    assert again.content == b""
    for answer in (first, module):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert "max-age" in answer.headers["cache-control"]
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "chat.mjs",
        "texts-en.json",
        "frame.html",
        "server.py",
        "package.json",
        "README.md",
        ".secret.js",
        "node_modules/left.js",
        "chat.test.mjs",
        "..%2Fkefu.toml",
        "..%2f..%2fetc%2fpasswd",
        "parts%2f..%2fserver.py",
        "%2Fetc%2Fpasswd",
        "frame.css%00.py",
        "",
    ],
)
async def test_no_address_leads_out_of_the_list(path: str, folder: Path, tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        setup = replace(sites.setup, folder=folder)
        async with running(FakeService(), hosting=setup) as (_, client):
            answer = await client.get(f"/widget/assets/{path}")

    assert answer.status_code == 404
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_frame_is_told_its_site_and_nothing_can_break_out_of_that() -> None:
    hostile = Site("shop", "x", ('https://a.example"><script>', "https://b.example"))

    page = frame_page('<!doctype html>\n<html lang="en"><p>', hostile, mode="frame", locale="zh-TW").decode()

    assert page.startswith(
        '<!doctype html>\n<html lang="zh-TW" data-site="shop" data-origins="https://a.example&quot;'
    )
    assert "<script>" not in page
    assert page.endswith('data-mode="frame"><p>')


@pytest.mark.parametrize(
    ("asked", "accepted", "lang"),
    [("", "zh-CN,zh;q=0.9", "zh-CN"), ("", "de", "en"), ("zh-TW", "en", "zh-TW"), ("en-GB", "zh", "en")],
)
async def test_the_frame_speaks_the_language_that_is_asked_for(
    asked: str, accepted: str, lang: str, folder: Path, tmp_path: Path
) -> None:
    async with two_sites(tmp_path) as sites:
        setup = replace(sites.setup, folder=folder)
        async with running(FakeService(), hosting=setup) as (_, client):
            answer = await client.get(
                "/widget/page",
                params={"site": "shop", "locale": asked},
                headers={"Accept-Language": accepted},
            )

    assert f'<html lang="{lang}" data-site="shop"' in answer.text
    assert 'data-mode="page"' in answer.text
    assert answer.headers["cache-control"] == "no-cache"


async def test_files_do_not_count_against_an_address_but_what_it_sends_does(
    folder: Path, tmp_path: Path
) -> None:
    async with two_sites(tmp_path) as sites:
        setup = replace(sites.setup, folder=folder)
        async with running(FakeService(), hosting=setup, security={"requests_per_minute": 2}) as (_, client):
            files = [await client.get("/widget.js") for _ in range(5)]
            sent = [await client.post("/api/widget/session", json={"site": "shop"}) for _ in range(3)]

    assert {answer.status_code for answer in files} == {200}
    assert [answer.status_code for answer in sent] == [200, 200, 429]


async def test_the_sample_site_is_served_by_the_demo_only(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        sample = tmp_path / "site"
        sample.mkdir()
        (sample / "index.html").write_text("<h1>Help</h1>", "utf-8")
        (sample / "en.html").write_text("<h1>In English</h1>", "utf-8")
        (sample / "notes.txt").write_text("x", "utf-8")
        setup = replace(sites.setup, sample_site=sample)
        off = await sites.client.get("/site/")
        async with running(FakeService(), hosting=setup, project={"demo": True}) as (_, client):
            index, english = [
                await client.get("/site/", headers={"Accept-Language": wanted})
                for wanted in ("zh-CN,zh;q=0.9,en;q=0.8", "en-GB,en;q=0.9")
            ]
            named, notes = await client.get("/site/index.html"), await client.get("/site/notes.txt")

    assert off.status_code == notes.status_code == 404
    assert index.text == named.text == "<h1>Help</h1>"
    assert english.text == "<h1>In English</h1>"
    assert "unsafe" not in index.headers["content-security-policy"]
    assert "default-src 'none'" in index.headers["content-security-policy"]


async def test_a_server_without_sites_has_no_widget() -> None:
    async with running() as (_, client):
        answers = [await client.get(path) for path in ("/widget.js", "/widget/frame?site=x", "/site/")]

    assert {answer.status_code for answer in answers} == {404}
