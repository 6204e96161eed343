"""The real server with the real models, pages of other origins that show the widget, and Chromium."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiosmtpd.controller import Controller
from street import (
    CHROMIUM,
    WIDGET,
    Handler,
    HostPages,
    Kefu,
    PostOffice,
    Street,
    make_demo,
    make_poisoned,
    running,
)

from chatbot.assemble import open_sites
from chatbot.settings import load_settings
from chatbot.sites.site import Site
from ui.commands.site import add_demo_site

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def host_pages() -> Iterator[HostPages]:
    pages = HostPages()
    server = ThreadingHTTPServer(("", 0), partial(Handler, pages))
    pages.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield pages
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="session")
def post_office() -> Iterator[PostOffice]:
    office = PostOffice()
    with socket.create_server(("127.0.0.1", 0)) as free:
        office.port = free.getsockname()[1]
    controller = Controller(office, hostname="127.0.0.1", port=office.port)
    controller.start()
    try:
        yield office
    finally:
        controller.stop()


@pytest.fixture(scope="session")
def kefu(
    tmp_path_factory: pytest.TempPathFactory,
    models_cache: Path,
    host_pages: HostPages,
    post_office: PostOffice,
) -> Iterator[Kefu]:
    folder = tmp_path_factory.mktemp("widget") / "shop"
    make_demo(folder)
    make_poisoned(folder.parent / "evil", host_pages.beacon, smtp_port=post_office.port)
    sites = open_sites(load_settings(folder))
    add_demo_site(load_settings(folder))
    sites.add(Site("shop", "Shop", (host_pages.allowed, host_pages.distant)))
    sites.add(Site("evil", "Evil", (host_pages.allowed,), bot=str(folder.parent / "evil")))
    key = sites.add_key("shop")
    with running(folder) as url:
        yield Kefu(url, folder, key.kid, key.secret)


# Not for the session: Playwright's event loop runs until it is stopped, and other modules have their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on the PATH: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield launched
        launched.close()


@pytest.fixture
def street(browser: Browser, kefu: Kefu, host_pages: HostPages) -> Iterator[Street]:
    made = Street(browser, kefu, host_pages)
    yield made
    for context in made.contexts:
        context.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    found = WIDGET / "node_modules" / "axe-core" / "axe.min.js"
    if not found.exists():
        pytest.skip(f"no axe-core at {found}: run 'make widget-tools' (needs npm)")
    return found.read_text("utf-8")
