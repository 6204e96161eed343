"""What a visitor does besides asking: stars, forms, transcripts; and how often anything may be done."""

from __future__ import annotations

import base64
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import jwt
import pytest
from server_fakes import until
from widget_site import Sites, two_sites

from chatbot.settings import Settings, SmtpSettings

pytestmark = pytest.mark.anyio
PRECHAT = (
    {"name": "full_name", "label": {"zh": "姓名", "en": "Name"}, "required": True},
    {"name": "email", "label": {"en": "E-mail"}, "type": "email"},
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_the_last_stars_of_a_conversation_count_and_their_comment_is_masked(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        visitor, other = await sites.visitor(), await sites.visitor()

        first = await visitor.post("csat", {"score": 2})
        last = await visitor.post("csat", {"score": 5, "comment": "Call me: 13800138000"})
        read, unrated = await visitor.get("conversation"), await other.get("conversation")

    assert first.status_code == last.status_code == 204
    assert read.json()["rating"]["score"] == 5
    assert "13800138000" not in read.text
    assert unrated.json()["rating"] is None


@pytest.mark.parametrize("score", [0, 6, 4.5, "5", True, None])
async def test_stars_are_one_to_five(score: Any, tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        visitor = await sites.visitor()

        answer = await visitor.post("csat", {"score": score})

    assert answer.status_code == 422


async def test_the_form_before_the_conversation_is_asked_in_the_visitors_language_and_kept(
    tmp_path: Path,
) -> None:
    async with two_sites(tmp_path, widget={"prechat": PRECHAT}) as sites:
        visitor = await sites.visitor(locale="zh-TW")
        answer = await visitor.post(
            "prechat", {"fields": {"full_name": "陈 Ann, 13800138000", "email": "ann@mail.example"}}
        )
        kept = sites.remarks.told(_conversation_of(sites, visitor.token), "prechat")

    assert visitor.opened["prechat"] == [
        {"name": "full_name", "label": "姓名", "type": "text", "required": True},
        {"name": "email", "label": "E-mail", "type": "email", "required": False},
    ]
    assert answer.status_code == 204
    assert kept == {"full_name": "陈 Ann, [phone]", "email": "ann@mail.example"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"full_name": ""},
        {"email": "ann@mail.example"},
        {"full_name": "Ann", "is_agent": "true"},
        {"full_name": "x" * 501},
        {"full_name": 5},
        {str(n): "x" for n in range(21)},
    ],
)
async def test_a_form_with_other_fields_or_without_what_is_required_is_422(
    fields: dict[str, Any], tmp_path: Path
) -> None:
    async with two_sites(tmp_path, widget={"prechat": PRECHAT}) as sites:
        visitor = await sites.visitor()

        answer = await visitor.post("prechat", {"fields": fields})

        assert sites.remarks.told(_conversation_of(sites, visitor.token), "prechat") == {}
    assert answer.status_code == 422


async def test_what_the_page_tells_of_itself_is_kept_masked(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        visitor = await sites.visitor()

        answer = await visitor.post(
            "context", {"fields": {"order": "KF20260001", "mail": "ann@mail.example"}}
        )
        too_much = await visitor.post("context", {"fields": {"page": "x" * 501}})
        kept = sites.remarks.told(_conversation_of(sites, visitor.token), "context")

    assert answer.status_code == 204
    assert too_much.status_code == 422
    assert kept["order"] == "KF20260001"
    assert "ann@mail.example" not in kept["mail"]


async def test_the_transcript_can_be_taken_home_as_text(tmp_path: Path) -> None:
    async with two_sites(tmp_path, project={"name": "Aurora", "bot_name": "Ray"}) as sites:
        visitor, other = await sites.visitor(), await sites.visitor()
        await visitor.say("Can I return <b>it</b>?")

        answer = await visitor.get("transcript")
        empty = await other.get("transcript", **{"Accept-Language": "zh"})

    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "You: Can I return <b>it</b>?" in answer.text
    assert "Ray: You can return it within 30 days." in answer.text
    assert "还没有内容" in empty.text
    assert "return" not in empty.text


async def test_without_a_mail_server_the_answer_is_501_and_names_the_download(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        visitor = await sites.visitor()

        answer = await visitor.post("transcript", {"email": "ann@mail.example"})

    assert answer.status_code == 501
    assert answer.json()["type"] == "urn:kefu:not-configured"


async def test_the_transcript_goes_out_by_mail(tmp_path: Path) -> None:
    with mail_server() as (port, mails):
        smtp = {"host": "127.0.0.1", "port": port, "sender": "bot@aurora.example", "encryption": "none"}
        async with two_sites(tmp_path, widget={"smtp": smtp}, project={"bot_name": "Ray"}) as sites:
            visitor = await sites.visitor()
            await visitor.say("Can I return it?")

            answer = await visitor.post("transcript", {"email": "ann@mail.example"})
            await until(lambda: mails)

    mail = mails[0]
    assert answer.status_code == 202
    assert (mail["From"], mail["To"]) == ("bot@aurora.example", "ann@mail.example")
    assert mail["Subject"] == "Your conversation with Ray"
    assert mail.get_content_type() == "text/plain"
    assert "within 30 days" in mail.get_content()


async def test_the_mail_server_is_logged_in_to_with_the_password_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEFU__WIDGET__SMTP__PASSWORD", "from-the-environment")
    with mail_server() as (port, mails):
        smtp = {
            "host": "127.0.0.1",
            "port": port,
            "sender": "bot@a.example",
            "encryption": "none",
            "username": "bot",
        }
        settings = Settings(widget={"smtp": smtp})  # type: ignore[arg-type]
        assert settings.widget.smtp is not None
        async with two_sites(tmp_path, widget=settings.model_dump()["widget"]) as sites:
            visitor = await sites.visitor()
            await visitor.post("transcript", {"email": "ann@mail.example"})
            await until(lambda: mails)

    assert base64.b64decode(mails[0]["X-Login"]) == b"\0bot\0from-the-environment"
    assert "from-the-environment" not in repr(settings)


async def test_nothing_goes_out_in_clear_unless_that_is_wanted(tmp_path: Path) -> None:
    with mail_server() as (port, mails):
        async with two_sites(tmp_path) as sites:
            visitor = await sites.visitor()
            for encryption in ("starttls", "tls"):
                smtp = SmtpSettings(
                    host="127.0.0.1", port=port, sender="b@a.example", encryption=encryption, timeout_s=2
                )  # type: ignore[arg-type]
                _set_smtp(sites, smtp)
                await visitor.post("transcript", {"email": "ann@mail.example"})
            logs = sites.app.state.logs
            await until(lambda: sum(log["event"] == "widget.mail_failed" for log in logs) == 2)

    assert mails == []


@pytest.mark.parametrize(
    "address",
    [
        "ann",
        "ann@",
        "@mail.example",
        "ann@mail.example\nBcc: all@mail.example",
        "ann@mail.example, bob@mail.example",
        "Ann <ann@mail.example>",
        "ann@mail.example\r\nSubject: buy",
        "a" * 300 + "@mail.example",
        "",
    ],
)
async def test_an_address_that_is_none_or_more_than_one_is_422(address: str, tmp_path: Path) -> None:
    smtp = {"host": "127.0.0.1", "port": 9, "sender": "bot@aurora.example"}
    async with two_sites(tmp_path, widget={"smtp": smtp}) as sites:
        visitor = await sites.visitor()

        answer = await visitor.post("transcript", {"email": address})

    assert answer.status_code == 422


async def test_mails_are_few_and_a_mail_server_that_is_gone_is_only_logged(tmp_path: Path) -> None:
    smtp = {"host": "127.0.0.1", "port": 9, "sender": "bot@aurora.example", "timeout_s": 1}
    async with two_sites(tmp_path, widget={"smtp": smtp, "transcripts_per_hour": 2}) as sites:
        visitor = await sites.visitor()
        answers = [await visitor.post("transcript", {"email": "ann@mail.example"}) for _ in range(3)]
        logs = sites.app.state.logs
        await until(lambda: sum(log["event"] == "widget.mail_failed" for log in logs) == 2)

    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert int(answers[-1].headers["retry-after"]) > 60
    assert not any("ann@" in str(log) for log in logs)


async def test_a_visitor_who_writes_too_fast_waits_and_another_at_the_same_address_does_not(
    tmp_path: Path,
) -> None:
    async with two_sites(tmp_path, security={"messages_per_minute": 2}) as sites:
        fast, other = await sites.visitor(), await sites.visitor()
        answers = [await fast.say("hi") for _ in range(3)]
        await fast.post("reset")
        after_reset = await fast.say("hi")
        others = await other.say("hi")

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert after_reset.status_code == 429
    assert others.status_code == 200


async def test_a_site_as_a_whole_has_a_limit_and_the_other_site_does_not_feel_it(tmp_path: Path) -> None:
    async with two_sites(tmp_path, widget={"messages_per_site": 2}) as sites:
        shoppers = [await sites.visitor("shop") for _ in range(3)]
        answers = [await shopper.say("hi") for shopper in shoppers]
        banked = await (await sites.visitor("bank")).say("hi")

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert banked.status_code == 200


async def test_one_address_opens_only_so_many_sessions(tmp_path: Path) -> None:
    async with two_sites(tmp_path, widget={"sessions_per_minute": 3}) as sites:
        answers = [await sites.session() for _ in range(4)]
        forged = await sites.client.post(
            "/api/widget/session", json={"site": "shop"}, headers={"X-Forwarded-For": "1.2.3.4"}
        )

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert forged.status_code == 429


async def test_visitors_who_never_write_leave_nothing_behind(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        for _ in range(50):
            visitor = await sites.visitor()
            await visitor.get("conversation")

        with sites.setup.visitors._engine.connect() as connection:
            rows = connection.exec_driver_sql(
                "SELECT (SELECT count(*) FROM visitors) + (SELECT count(*) FROM conversations)"
            ).scalar_one()

    assert rows == 0


async def test_a_key_belongs_to_its_visitor_and_to_one_text(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        one, other = await sites.visitor(), await sites.visitor()
        first = await one.say("my secret question", key="key-1")

        same_key = await other.say("hello", key="key-1")
        other_text = await one.say("something else", key="key-1")
        no_key = await one.post("messages", {"text": "hi"})

    assert first.status_code == same_key.status_code == 200
    assert same_key.json()["message"]["text"] == "hello"
    assert other_text.status_code == 422
    assert other_text.json()["type"] == "urn:kefu:key-used"
    assert no_key.status_code == 422


async def test_a_site_whose_bot_was_named_after_the_start_says_when_to_come_back(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        del sites.setup.bots["bots/bank"]  # type: ignore[attr-defined]

        answer = await sites.session("bank")
        shop = await sites.session("shop")

    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    assert shop.status_code == 200


async def test_ready_tells_of_every_bot(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        well = await sites.client.get("/readyz")
        sites.bank.checks = {"index": "is gone"}
        ill = await sites.client.get("/readyz")

    assert well.json()["checks"]["bank: index"] == "ok"
    assert ill.status_code == 503
    assert ill.json()["checks"] == {"bank: index": "is gone"}


def _conversation_of(sites: Sites, token: str) -> str:
    visitors = sites.setup.visitors
    said = jwt.decode(token, visitors.derived("token"), ["HS256"], {"verify_aud": False})
    return visitors.find(said["aud"], said["sub"]).conversation_id


def _set_smtp(sites: Sites, smtp: SmtpSettings) -> None:
    bot = sites.setup.bots[""]
    widget = bot.settings.widget.model_copy(update={"smtp": smtp})
    settings = bot.settings.model_copy(update={"widget": widget})
    sites.setup.bots[""] = replace(bot, settings=settings)  # type: ignore[index]


@contextmanager
def mail_server() -> Iterator[tuple[int, list[EmailMessage]]]:
    """Takes any mail."""
    mails: list[EmailMessage] = []

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(ConnectionError):
                self.talk()

        def talk(self) -> None:
            self.wfile.write(b"220 ready\r\n")
            login = b""
            while line := self.rfile.readline():
                word = line[:4].upper().strip()
                if word == b"EHLO":
                    self.wfile.write(b"250-here\r\n250 AUTH PLAIN\r\n")
                    continue
                if word == b"AUTH":
                    login = line.split()[-1]
                    self.wfile.write(b"235 welcome\r\n")
                    continue
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = [b"X-Login: " + login + b"\r\n", *iter(self.rfile.readline, b".\r\n")]
                    mails.append(message_from_bytes(b"".join(lines), policy=policy.default))  # type: ignore[arg-type]
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
                if word == b"QUIT":
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1], mails
        server.shutdown()
        thread.join()
