"""The conversation to take home: as a text file, or by mail where a mail server is set."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.message import EmailMessage
from typing import Annotated
from zoneinfo import ZoneInfo

import structlog
from fastapi import APIRouter
from pydantic import StringConstraints
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from chatbot.settings import Settings, SmtpSettings
from chatbot.types import Turn
from ui.server.problem import Problem
from ui.server.widget.host import Caller, Host
from ui.server.widget.visits import SHOWN_TURNS
from ui.server.wire import Request
from ui.server.wording import language_of

log = structlog.get_logger(__name__)

_WORDS = {
    "zh": {"subject": "您与{bot}的对话", "you": "您", "none": "这次对话还没有内容。"},
    "en": {"subject": "Your conversation with {bot}", "you": "You", "none": "Nothing was said yet."},
}


class Recipient(Request):
    """Where the transcript goes."""

    email: Annotated[
        str,
        StringConstraints(
            max_length=254,
            pattern=r"^[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,8}$",
        ),
    ]


def transcript_routes(host: Host) -> APIRouter:
    """The routes of the transcript."""
    router = APIRouter(prefix="/api/widget/transcript", tags=["widget"])

    @router.get("")
    async def download(request: HttpRequest) -> Response:
        """The conversation as plain text."""
        caller = await host.caller(request)
        text, _ = await host.context.read(lambda: _text_of(caller, language_of(request.scope)))
        headers = {"Content-Disposition": 'attachment; filename="conversation.txt"'}
        return Response(text, headers=headers, media_type="text/plain; charset=utf-8")

    @router.post("", status_code=202)
    async def send(request: HttpRequest, body: Recipient) -> Response:
        """The conversation by mail; 501 where no mail server is set."""
        caller = await host.caller(request)
        smtp = caller.bot.settings.widget.smtp
        if smtp is None:
            detail = "This server sends no mail. Download the transcript, or set [widget.smtp] in kefu.toml."
            raise Problem(501, "not-configured", detail)
        host.check_transcript_rate(caller, request)
        spoken = language_of(request.scope)

        def work() -> None:
            text, language = _text_of(caller, spoken)
            _deliver(smtp, mail(caller.bot.settings, smtp, body.email, text, language))

        host.context.readers.submit(work)
        return Response(status_code=202)

    return router


def transcript(turns: Sequence[Turn], settings: Settings, *, language: str) -> str:
    """What was said, one message a paragraph, each with its time and who said it."""
    words, zone = _WORDS[language], ZoneInfo(settings.handoff.timezone)
    lines = list(_paragraphs(turns, you=words["you"], bot=settings.project.bot_name, zone=zone))
    return "\n\n".join([f"{settings.project.name} · {zone.key}", *(lines or [words["none"]])]) + "\n"


def mail(settings: Settings, smtp: SmtpSettings, to: str, text: str, language: str) -> EmailMessage:
    """The mail: plain text only, nothing in its headers that a visitor wrote but the checked address."""
    message = EmailMessage()
    message["Subject"] = _WORDS[language]["subject"].format(bot=_one_line(settings.project.bot_name))
    message["From"] = smtp.sender
    message["To"] = to
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def _text_of(caller: Caller, spoken: str) -> tuple[str, str]:
    """The transcript and its language: the conversation's own, or the browser's before anything was said."""
    turns = caller.bot.service.store.history(caller.visitor.conversation_id, limit=SHOWN_TURNS)
    language = turns[-1].understanding.language if turns else spoken
    return transcript(turns, caller.bot.settings, language=language), language


def _paragraphs(turns: Sequence[Turn], *, you: str, bot: str, zone: ZoneInfo) -> Iterator[str]:
    for turn in turns:
        at = _moment(turn.message.sent_at, zone)
        yield f"[{at}] {you}: {turn.message.text}"
        yield f"[{at}] {bot}: {turn.reply.text}"


def _moment(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _deliver(smtp: SmtpSettings, message: EmailMessage) -> None:
    try:
        with _connected(smtp) as server:
            if smtp.username:
                server.login(smtp.username, smtp.password.get_secret_value())
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        log.error("widget.mail_failed", error=type(error).__name__)  # noqa: TRY400 - the message names its reader
    else:
        log.info("widget.mail_sent")


def _connected(smtp: SmtpSettings) -> smtplib.SMTP:
    if smtp.encryption == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(smtp.host, smtp.port, timeout=smtp.timeout_s, context=context)
    server = smtplib.SMTP(smtp.host, smtp.port, timeout=smtp.timeout_s)
    if smtp.encryption == "starttls":
        try:
            server.starttls(context=ssl.create_default_context())
        except BaseException:
            server.close()
            raise
    return server


def _one_line(text: str) -> str:
    return " ".join(text.split())
