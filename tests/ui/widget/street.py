"""What the widget's tests meet: the real server, pages of other origins that show the widget, a visitor."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import Message
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from chatbot.settings import load_settings
from ui.commands.init import write_project
from ui.commands.serve import prepare_demo

if TYPE_CHECKING:
    from aiosmtpd.smtp import Envelope
    from playwright.sync_api import Browser, BrowserContext, FrameLocator, Locator, LocatorAssertions, Page

ROOT = Path(__file__).resolve().parents[3]
WIDGET = ROOT / "ui" / "widget"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_MS = 20_000
KEPT = re.compile(r"(dlv-0[1-5]|ret-0[1-5]|war-0[12])")
KEPT_WORDINGS = 5
"""Of the demo's questions: enough to answer from, few enough to encode in seconds."""
PRECHAT = """
[[widget.prechat]]
name = "name"
label = { en = "Your name", zh = "您的称呼" }

[[widget.prechat]]
name = "email"
type = "email"
required = true
label = { en = "Your e-mail address", zh = "您的邮箱" }
"""
SMTP = """
[widget.smtp]
host = "127.0.0.1"
port = {port}
sender = "bot@evil.example"
encryption = "none"
"""
_HEAD = ["id", "question", "similar_questions", "answer", "category", "locale", "buttons"]


@dataclass
class HostPages:
    """A server of pages that are not Kefu's; remembers what it was asked for."""

    pages: dict[str, str] = field(default_factory=dict)
    asked_for: list[str] = field(default_factory=list)
    port: int = 0
    headers: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def allowed(self) -> str:
        """An origin on the site's list, that is not Kefu's own."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def distant(self) -> str:
        """Another one on the list, where a browser without third-party storage keeps nothing for Kefu's frame."""
        return f"http://localhost:{self.port}"

    @property
    def beacon(self) -> str:
        """Where attacks would call home: host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def foreign(self) -> str:
        """An origin that is on no list."""
        return f"http://foreign.localhost:{self.port}"


def payloads(beacon: str) -> list[str]:
    """Attacks in HTML and Markdown."""
    found: list[str] = json.loads(Path(__file__).with_name("payloads.json").read_text("utf-8"))
    return [payload.replace("BEACON", beacon) for payload in found]


@dataclass
class PostOffice:
    """A mail server that keeps what it is given."""

    mails: list[Message] = field(default_factory=list)
    port: int = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        """Take a mail; what the envelope says stands in headers beside the mail's own."""
        mail = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        mail["X-Envelope"] = f"{envelope.mail_from} > {', '.join(envelope.rcpt_tos)}"
        self.mails.append(mail)
        return "250 OK"


class Handler(BaseHTTPRequestHandler):
    def __init__(self, pages: HostPages, *args: Any) -> None:
        self.pages = pages
        super().__init__(*args)

    def do_GET(self) -> None:
        self.pages.asked_for.append(self.path)
        body = self.pages.pages.get(self.path.split("?")[0], "").encode()
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in self.pages.headers.get(self.path.split("?")[0], {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@dataclass(frozen=True)
class Kefu:
    """A running server, with the site "demo" of the demo company and the site "evil" of a poisoned one."""

    url: str
    folder: Path
    kid: str
    secret: str


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """`kefu serve` on a free port; its address."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KEFU_")}
    for limit in ("SECURITY__REQUESTS_PER_MINUTE", "SECURITY__MESSAGES_PER_MINUTE"):
        environment[f"KEFU__{limit}"] = "0"
    for limit in ("SESSIONS_PER_MINUTE", "MESSAGES_PER_SITE"):
        environment[f"KEFU__WIDGET__{limit}"] = "0"
    kefu = [sys.executable, "-c", "from ui.cli import main; main()", "--project", str(folder)]
    log = folder.parent / "server.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*kefu, "serve", "--no-calibrate", "--port", "0"],
            cwd=ROOT,
            env=environment,
            stdout=file,
            stderr=file,
        )
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + 300
    while time.monotonic() < end and process.poll() is None:
        for line in log.read_text("utf-8", "replace").splitlines():
            if '"server.started"' in line:
                return str(json.loads(line)["url"])
        time.sleep(0.2)
    pytest.fail(f"the server did not start: {log.read_text('utf-8', 'replace')[-2000:]}")


def make_demo(folder: Path) -> None:
    """The demo company with the first of its questions."""
    write_project(folder, demo=True)
    for document in (folder / "docs").iterdir():
        if not document.name.startswith("warranty"):
            document.unlink()
    for table in folder.glob("faq_*.csv"):
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
        kept = [row for row in rows if row[0] == "id" or KEPT.match(row[0])]
        for row in kept[1:]:
            row[2] = "##".join(row[2].split("##")[:KEPT_WORDINGS])
        with table.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(kept)
    _import(folder)


def make_poisoned(folder: Path, beacon: str, *, smtp_port: int) -> None:
    """A company whose stored answers, questions and buttons are attacks; it asks for an address first and mails."""
    write_project(folder, demo=False)
    settings = folder / "kefu.toml"
    settings.write_text(settings.read_text("utf-8") + PRECHAT + SMTP.format(port=smtp_port), "utf-8")
    with (folder / "faq.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(_HEAD)
        for number, payload in enumerate(payloads(beacon)):
            title = f"payload number {number} {payload}"
            table.writerow([f"p{number}", f"payload{number}x", title, payload, "evil", "en", payload[:80]])
    (folder / "docs").mkdir()
    (folder / "docs" / "evil.md").write_text("# Evil\n\n" + "\n\n".join(payloads(beacon)), "utf-8")
    _import(folder)


def _import(folder: Path) -> None:
    prepare_demo(load_settings(folder), progress=lambda *_: None)


@dataclass
class Visitor:
    """A person with a browser on a page with the widget; remembers complaints and requests."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    said_on_console: list[str] = field(default_factory=list)
    asked_for: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "dialog", lambda dialog: (self.complaints.append(f"dialog {dialog.message}"), dialog.dismiss())
        )
        self.page.on("request", lambda request: self.asked_for.append(request.url))
        self.page.on(
            "console", lambda message: self.said_on_console.append(f"{message.type}: {message.text}")
        )

    @property
    def launcher(self) -> Locator:
        return self.page.locator("kefu-widget button")

    @property
    def window(self) -> Locator:
        return self.page.locator("kefu-widget [role=dialog]")

    @property
    def frame(self) -> FrameLocator:
        return self.page.frame_locator("kefu-widget iframe")

    @property
    def chat(self) -> FrameLocator | Page:
        """Where the conversation is: in the frame, or in the page itself."""
        return self.page if "/widget/page" in self.page.url else self.frame

    def opens(self) -> None:
        self.launcher.click()
        sees(self.chat.locator(".disclosure")).to_be_visible()

    def writes(self, text: str) -> None:
        self.chat.locator(".box textarea").fill(text)
        self.chat.locator(".box textarea").press("Enter")

    def asks(self, text: str) -> None:
        """Write, and wait for the whole answer."""
        number = self.turns.count() + 1
        self.writes(text)
        sees(self.turns).to_have_count(number)

    @property
    def turns(self) -> Locator:
        return self.chat.locator("[data-turn]")

    @property
    def replies(self) -> Locator:
        return self.chat.locator("[data-turn] .bot .bubble")

    def js(self, script: str) -> Any:
        return self.page.evaluate(script)

    def until(self, happened: Callable[[], object]) -> None:
        """Wait; the browser's news come in meanwhile."""
        end = time.monotonic() + PATIENCE_MS / 1000
        while not happened():
            assert time.monotonic() < end, "it did not happen in time"
            self.page.wait_for_timeout(50)


def sees(locator: Locator) -> LocatorAssertions:
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE_MS)
    return expect(locator)


@dataclass
class Street:
    """Opens pages: of the sample site, of other origins, of the widget by itself."""

    browser: Browser
    kefu: Kefu
    host_pages: HostPages
    contexts: list[BrowserContext] = field(default_factory=list)

    def context(self, **options: Any) -> BrowserContext:
        made = self.browser.new_context(
            **{"locale": "en-US", "viewport": {"width": 1280, "height": 860}, **options}
        )
        self.contexts.append(made)
        return made

    def visit(self, url: str, *, context: BrowserContext | None = None, **options: Any) -> Visitor:
        visitor = Visitor((context or self.context(**options)).new_page())
        visitor.watch()
        visitor.page.goto(url)
        return visitor

    def shop(self, *, attributes: str = "", settings: str = "", body: str = "", **options: Any) -> Visitor:
        """A page of the shop, on another origin than Kefu's."""
        return self.visit(self.shop_page(attributes=attributes, settings=settings, body=body), **options)

    def shop_page(
        self, *, attributes: str = "", settings: str = "", body: str = "", bot: str = "shop"
    ) -> str:
        """The address of a new page with the widget."""
        path = f"/page{len(self.host_pages.pages)}"
        script = f"<script>{settings}</script>" if settings else ""
        self.host_pages.pages[path] = (
            "<!doctype html><html lang=en><meta name=viewport content='width=device-width'><title>Shop</title>"
            f"<body><main><h1>Shop</h1>{body}</main>{script}"
            f'<script async src="{self.kefu.url}/widget.js" data-bot="{bot}" {attributes}></script></body></html>'
        )
        return self.host_pages.allowed + path
