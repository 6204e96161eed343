"""What the widget's routes share: the sites, the bots that answer there, tokens and rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request

from chatbot.record.redaction import redact
from chatbot.record.remarks import Remarks
from chatbot.settings import Settings
from chatbot.sites.site import Site
from chatbot.sites.store import SiteStore
from chatbot.sites.visitors import Visitor, VisitorStore
from ui.server.context import Context
from ui.server.limits import client_host
from ui.server.ports import Service
from ui.server.problem import Problem
from ui.server.rates import Rate, client_key
from ui.server.turns import Turns
from ui.server.widget.directory import Directory
from ui.server.widget.files import sample_site_folder, widget_folder
from ui.server.widget.origins import check_origin
from ui.server.widget.tokens import Claims, VisitorTokens, alias, refused
from ui.server.wording import language_of, say


@dataclass(frozen=True, slots=True)
class HostedBot:
    """A bot that answers on one or more sites: a project folder, opened."""

    service: Service
    settings: Settings
    remarks: Remarks


@dataclass(frozen=True, slots=True)
class WidgetSetup:
    """What the server is given for the widget.

    Args:
        sites: The sites.
        visitors: Their visitors.
        bots: By the name that sites call them; "" is the server's own.
        folder: Where the widget's files lie.
        sample_site: Where the sample support site lies; it is served for the demo only.
    """

    sites: SiteStore
    visitors: VisitorStore
    bots: Mapping[str, HostedBot]
    folder: Path = field(default_factory=widget_folder)
    sample_site: Path = field(default_factory=sample_site_folder)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and who answers."""

    site: Site
    visitor: Visitor
    claims: Claims
    bot: HostedBot
    turns: Turns

    @property
    def own_hosts(self) -> frozenset[str]:
        """The hosts of the site itself."""
        return frozenset(urlsplit(origin).hostname or "" for origin in self.site.origins)

    def masked(self, text: str) -> str:
        """The text as it may be kept."""
        return redact(text) if self.bot.settings.security.redact else text


class Host:
    """Made once, in `create_app`."""

    def __init__(self, setup: WidgetSetup, context: Context) -> None:
        widget, security = context.settings.widget, context.settings.security
        self.setup = setup
        self.context = context
        self.tokens = VisitorTokens(setup.visitors.derived("token"), days=widget.token_days)
        self.directory = Directory(setup.sites.sites, read=context.read)
        self._alias_key = setup.visitors.derived("alias")
        self._turns = {
            name: context.turns if name == "" else context.turns_of(bot.service.bot)
            for name, bot in setup.bots.items()
        }
        self._sessions = Rate(widget.sessions_per_minute)
        self._visitors = Rate(security.messages_per_minute)
        self._sites = Rate(widget.messages_per_site)
        self.transcripts = Rate(widget.transcripts_per_hour, minutes=60)

    async def site(self, site_id: str) -> Site:
        """The site of that public id.

        Raises:
            Problem: There is none.
        """
        known = await self.directory.sites()
        if site_id not in known:
            raise Problem(
                404, "no-such-site", "There is no site of this id. 'kefu site list' shows those there are."
            )
        return known[site_id]

    async def caller(self, request: Request) -> Caller:
        """Who sends this request, by its token.

        Raises:
            Problem: 401 no good token; 403 a page of another site; 503 the site's bot does not run here.
        """
        claims = self.tokens.read(bearer(request))
        site = (await self.directory.sites()).get(claims.site_id)
        if site is None:
            raise refused("bad-token", why="its site is gone")
        check_origin(request, site)
        visitor = await self.visitor(claims, site)
        if visitor is None:
            raise refused("bad-token", why="this visitor was signed in, and has another token since")
        return Caller(site, visitor, claims, *self.answering(site))

    async def visitor(self, claims: Claims, site: Site) -> Visitor | None:
        """Whom a token of the site belongs to; None when that visitor may not write any more."""
        if site.created_at is not None and claims.issued_at < site.created_at.replace(microsecond=0):
            return None
        visitors = self.setup.visitors
        found = await self.context.read(lambda: visitors.find(claims.site_id, claims.visitor_id))
        wrong = (
            found.revoked
            or found.site_id != claims.site_id
            or (found.user_id is not None and not claims.user)
        )
        return None if wrong else found

    def answering(self, site: Site) -> tuple[HostedBot, Turns]:
        """The bot of a site, and its turns.

        Raises:
            Problem: It was named after the server was started.
        """
        if site.bot not in self.setup.bots:
            detail = "The bot of this site does not run here yet. Start the server again to open it."
            raise Problem.retry(503, "bot-not-running", detail, after_s=30)
        return self.setup.bots[site.bot], self._turns[site.bot]

    def alias(self, visitor: Visitor) -> str:
        """What the visitor may know of the conversation's id."""
        return alias(self._alias_key, visitor.conversation_id)

    def check_session_rate(self, request: Request) -> None:
        """Count a session.

        Raises:
            Problem: Too many from this address.
        """
        self._check(self._sessions, client_key(client_host(request.scope)), request, "sessions")

    def check_message_rate(self, caller: Caller, request: Request) -> None:
        """Count a message.

        Raises:
            Problem: Too many by this visitor, or by all of the site.
        """
        self._check(self._visitors, caller.visitor.id, request, "visitor")
        self._check(self._sites, caller.site.id, request, "site")

    def check_transcript_rate(self, caller: Caller, request: Request) -> None:
        """Count a mail.

        Raises:
            Problem: Too many by this visitor, or from this address.
        """
        self._check(self.transcripts, f"visitor {caller.visitor.id}", request, "transcripts")
        self._check(self.transcripts, client_key(client_host(request.scope)), request, "transcripts")

    def _check(self, rate: Rate, key: str, request: Request, reason: str) -> None:
        wait_s = rate.wait_s(key)
        if wait_s:
            self.context.metrics.shed(f"widget-{reason}")
            detail = say("too_many", language_of(request.scope), seconds=wait_s)
            raise Problem.retry(429, "rate-limited", detail, after_s=wait_s)


def bearer(request: Request) -> str:
    """The token of the Authorization header; "" without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
