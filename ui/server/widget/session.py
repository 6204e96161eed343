"""POST /api/widget/session: a visitor comes, comes back, or signs in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field, StringConstraints
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from chatbot.answer.script import in_script
from chatbot.settings import PrechatField
from chatbot.sites.site import Site
from chatbot.sites.visitors import Visitor
from chatbot.types import Turn
from ui.server.problem import Problem
from ui.server.widget.host import Host, HostedBot, bearer
from ui.server.widget.identity import User, identify
from ui.server.widget.origins import check_origin
from ui.server.widget.tokens import MAX_TOKEN, Claims
from ui.server.wire import Locale, Request, json_response
from ui.server.wording import language_of

_DISCLOSURE = {
    "en": "You are talking to {bot}, an automated assistant of {company}. It can be wrong; "
    "you can ask for a person at any time.",
    "zh": "您正在与{company}的自动助手“{bot}”对话，它可能会出错；您可以随时要求转人工。",
}
_HANT = ("zh-tw", "zh-hk", "zh-mo", "zh-hant")


class NewSession(Request):
    """Which site, in which language, and who its user is if it knows."""

    site: Annotated[str, StringConstraints(max_length=64)]
    locale: Locale | None = None
    identity: Annotated[str, StringConstraints(max_length=MAX_TOKEN)] | None = Field(
        None, description="A JWT that the site's own server signed."
    )


def session_routes(host: Host) -> APIRouter:
    """The route that gives out tokens, and the one that begins anew."""
    router = APIRouter(prefix="/api/widget", tags=["widget"])

    @router.post("/session")
    async def open_session(request: HttpRequest, body: NewSession) -> Response:
        """A visitor token for a site: for a new visitor, for one who came back, or for one who signs in."""
        site = await host.site(body.site)
        check_origin(request, site)
        host.check_session_rate(request)
        bot, _ = host.answering(site)
        claims = _claims(host, request, site)
        known = await host.visitor(claims, site) if claims else None
        token, new = Token("", None), known is None
        if body.identity is not None:
            user = await _identified(host, site, body.identity)
            visitor, first = await _sign_in(host, site, user, known=known, bot=bot)
            new = new and first
        elif known is not None and claims is not None:
            visitor, token = known, _kept(known, request, claims)
        else:
            visitor = await host.context.read(lambda: host.setup.visitors.new(site.id))
        visit = Visit(site, visitor, bot, body.locale or language_of(request.scope), token)
        return json_response(await _told(host, visit, new=new))

    @router.post("/reset")
    async def begin_anew(request: HttpRequest) -> Response:
        """A new conversation for the same visitor; what was said before is not shown any more."""
        caller = await host.caller(request)
        host.check_session_rate(request)
        visitor = await host.context.read(lambda: host.setup.visitors.reset(caller.visitor))
        token = _kept(visitor, request, caller.claims)
        visit = Visit(caller.site, visitor, caller.bot, language_of(request.scope), token)
        return json_response(await _told(host, visit, new=False))

    return router


@dataclass(frozen=True, slots=True)
class Token:
    """A token that goes on as it is; "" where a new one is wanted."""

    text: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Visit:
    """What a session begins with."""

    site: Site
    visitor: Visitor
    bot: HostedBot
    locale: str
    token: Token


def _kept(visitor: Visitor, request: HttpRequest, claims: Claims) -> Token:
    """A user's own token goes on as it is: only a new proof of identity makes it live longer."""
    return Token("", None) if visitor.user_id is None else Token(bearer(request), claims.expires_at)


async def _told(host: Host, visit: Visit, *, new: bool) -> dict[str, Any]:
    text, ends = visit.token.text, visit.token.expires_at
    if ends is None:
        text, ends = host.tokens.issue(visit.visitor)
    visitor, settings = visit.visitor, visit.bot.settings
    language, script = language_and_script(visit.locale)
    said = await host.context.read(lambda: _in_language(visit.bot, language, script))
    return {
        "token": text,
        "expires_at": ends.isoformat(),
        "conversation_id": host.alias(visitor),
        "new": new,
        "user": None if visitor.user_id is None else {"id": visitor.user_id, "name": visitor.user_name},
        "site": {
            "id": visit.site.id,
            "name": visit.site.name,
            "title": settings.project.name,
            "bot_name": settings.project.bot_name,
            "contact": settings.handoff.contact,
        },
        **said,
    }


def language_and_script(locale: str) -> tuple[str, Any]:
    """The language, zh or en, and the script that a reader of this locale reads."""
    lowered = locale.lower()
    if not lowered.startswith("zh"):
        return "en", "Latn"
    return "zh", "Hant" if lowered.startswith(_HANT) else "Hans"


def _in_language(bot: HostedBot, language: str, script: Any) -> dict[str, Any]:
    project = bot.settings.project
    disclosure = _DISCLOSURE[language].format(bot=project.bot_name, company=project.name)
    return {
        "prechat": [_field(field, language, script) for field in bot.settings.widget.prechat],
        "suggestions": [in_script(text, script) for text in bot.service.suggestions(language)],
        "disclosure": in_script(disclosure, script),
    }


def _field(field: PrechatField, language: Any, script: Any) -> dict[str, Any]:
    label = field.label.get(language) or next(iter(field.label.values()))
    return {
        "name": field.name,
        "label": in_script(label, script),
        "type": field.type,
        "required": field.required,
    }


def _claims(host: Host, request: HttpRequest, site: Site) -> Claims | None:
    """What the token that came along says, when it is one of this site."""
    token = bearer(request)
    try:
        claims = host.tokens.read(token) if token else None
    except Problem:
        return None  # logged there; whoever has no good token is a new visitor
    return claims if claims and claims.site_id == site.id else None


async def _identified(host: Host, site: Site, token: str) -> User:
    keys = await host.context.read(lambda: host.setup.sites.keys(site.id))
    return identify(token, site_id=site.id, keys=keys)


async def _sign_in(
    host: Host, site: Site, user: User, *, known: Visitor | None, bot: HostedBot
) -> tuple[Visitor, bool]:
    """The user's visitor, and whether this is the user's first visit."""
    visitors, store = host.setup.visitors, bot.service.store

    def work() -> tuple[Visitor, bool]:
        before = visitors.user(site.id, user.id)
        if known is not None and known.user_id == user.id:
            return visitors.sign_in(site.id, user.id, name=user.name, leaving=None, keep=False), False
        stranger = known if known is not None and known.user_id is None else None
        said = store.history(stranger.conversation_id, limit=1) if stranger else ()
        earlier = store.history(before.conversation_id, limit=1) if before else ()
        keep = _later(said, earlier)
        visitor = visitors.sign_in(site.id, user.id, name=user.name, leaving=stranger, keep=keep)
        return visitor, before is None

    return await host.context.read(work)


def _later(said: Sequence[Turn], earlier: Sequence[Turn]) -> bool:
    """Whether the stranger spoken to just now said something, and after the user last did."""
    return bool(said) and (not earlier or said[-1].message.sent_at > earlier[-1].message.sent_at)
