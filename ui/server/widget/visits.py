"""What a visitor does: reads, writes, rates, fills in the form, takes the conversation home.

The conversation is the token's; no request names one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from pydantic import Field, StringConstraints
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from chatbot.record.remarks import Stars
from chatbot.types import Message, Rating, Turn
from knowledge.errors import ConflictError
from ui.server.conversations import read_message, stream_reply, used_or_answering
from ui.server.problem import Problem
from ui.server.stream import resume_from
from ui.server.widget.host import Caller, Host
from ui.server.widget.shown import WidgetEvents, visitor_turn
from ui.server.wire import Feedback, Key, Locale, Request, Text, TurnId, clean_text, json_response
from ui.server.wording import language_of

SHOWN_TURNS = 200
_MAX_FIELD = 500
_CONTACTS = ("email", "tel")


class VisitorMessage(Request):
    """What the visitor wrote."""

    text: Text
    key: Key
    locale: Locale | None = None


class Score(Request):
    """How content the visitor was with the conversation; the last score counts."""

    score: int = Field(ge=1, le=5, strict=True)
    comment: Text = Field("", max_length=2000)


class Particulars(Request):
    """Fields by name: those of the form that the session listed, or what the page tells of itself."""

    fields: dict[
        Annotated[str, StringConstraints(max_length=40)],
        Annotated[Text, StringConstraints(max_length=_MAX_FIELD)],
    ] = Field(max_length=20)


def visit_routes(host: Host) -> APIRouter:
    """The routes that need a visitor's token."""
    router = APIRouter(prefix="/api/widget", tags=["widget"])

    @router.get("/conversation")
    async def read_conversation(
        request: HttpRequest,
        id: Annotated[str, Query(max_length=64)] = "",  # noqa: A002 - its name on the wire
        after: Annotated[int, Query(ge=0, description="Only what came after the turn of this number.")] = 0,
    ) -> Response:
        """What was said, oldest first; the last 200 turns, the visitor's thumbs and stars.

        With the `id` that is known already and the number of the last turn: 204 when nothing came since.
        """
        caller = await host.caller(request)
        known = after if id == host.alias(caller.visitor) else 0
        said = await host.context.read(lambda: _conversation(host, caller, after=known))
        return Response(status_code=204) if said is None else json_response(said)

    @router.post("/messages")
    async def post_message(
        request: HttpRequest,
        body: VisitorMessage,
        last_event_id: Annotated[str | None, Header(max_length=64)] = None,
        accept: Annotated[str, Header(include_in_schema=False)] = "",
    ) -> Response:
        """Say something; with `Accept: text/event-stream` the answer comes as it is written."""
        caller = await host.caller(request)
        host.check_message_rate(caller, request)
        message = _message(host, caller, request, body)
        language = language_of(request.scope)
        try:
            if "text/event-stream" in accept:
                events = WidgetEvents(
                    skip=resume_from(last_event_id),
                    alias=host.alias(caller.visitor),
                    own_hosts=caller.own_hosts,
                )
                return await stream_reply(host.context, request, message, events, turns=caller.turns)
            turn = await caller.turns.answer(message, language=language)
        except ConflictError as conflict:
            store = caller.bot.service.store
            raise await used_or_answering(host.context, message, language, store=store) from conflict
        return json_response(visitor_turn(turn, alias=host.alias(caller.visitor), own_hosts=caller.own_hosts))

    _remark_routes(router, host)
    return router


def _remark_routes(router: APIRouter, host: Host) -> None:
    @router.post("/turns/{turn_id}/feedback", status_code=204)
    async def rate_turn(request: HttpRequest, turn_id: TurnId, body: Feedback) -> Response:
        """Thumbs up or down on one of the visitor's own turns; the last one counts."""
        caller = await host.caller(request)
        await host.context.read(lambda: _rate(caller, turn_id, body))
        host.context.metrics.rating(body.value)
        return Response(status_code=204)

    @router.post("/csat", status_code=204)
    async def rate_conversation(request: HttpRequest, body: Score) -> Response:
        """One to five stars for the conversation."""
        caller = await host.caller(request)
        stars = Stars(body.score, caller.masked(body.comment))
        await host.context.read(lambda: caller.bot.remarks.rate(caller.visitor.conversation_id, stars))
        return Response(status_code=204)

    @router.post("/context", status_code=204)
    async def tell_page(request: HttpRequest, body: Particulars) -> Response:
        """What the page tells of itself (which order is open, ...), for the person who takes over."""
        caller = await host.caller(request)
        fields = {clean_text(name): caller.masked(value) for name, value in body.fields.items()}
        await host.context.read(
            lambda: caller.bot.remarks.tell(caller.visitor.conversation_id, "context", fields)
        )
        return Response(status_code=204)

    @router.post("/prechat", status_code=204)
    async def fill_in(request: HttpRequest, body: Particulars) -> Response:
        """What the visitor filled in before the first message."""
        caller = await host.caller(request)
        fields = _checked(caller, body.fields)
        await host.context.read(
            lambda: caller.bot.remarks.tell(caller.visitor.conversation_id, "prechat", fields)
        )
        return Response(status_code=204)


def _message(host: Host, caller: Caller, request: HttpRequest, body: VisitorMessage) -> Message:
    return read_message(
        host.context,
        request,
        conversation_id=caller.visitor.conversation_id,
        text=body.text,
        key=body.key,
        locale=body.locale,
        channel="widget",
        max_characters=caller.bot.settings.understanding.max_characters,
    )


def _conversation(host: Host, caller: Caller, *, after: int) -> dict[str, Any] | None:
    store, conversation = caller.bot.service.store, caller.visitor.conversation_id
    alias, own_hosts = host.alias(caller.visitor), caller.own_hosts
    if after:
        # Asked every few seconds by every open window, nearly always in vain: one row tells.
        last = store.history(conversation, limit=1)
        if not last or last[-1].sequence <= after:
            return None
    turns = [turn for turn in store.history(conversation, limit=SHOWN_TURNS) if turn.sequence > after]
    thumbs = store.ratings([turn.id for turn in turns])
    stars = caller.bot.remarks.stars(conversation)
    return {
        "id": alias,
        "turns": [
            {
                **visitor_turn(turn, alias=alias, own_hosts=own_hosts),
                "feedback": thumbs[turn.id].value if turn.id in thumbs else None,
            }
            for turn in turns
        ],
        "rating": None if stars is None else {"score": stars.score, "comment": stars.comment},
    }


def _rate(caller: Caller, turn_id: str, body: Feedback) -> None:
    store = caller.bot.service.store
    turn: Turn | None = store.turn(turn_id)
    if turn is None or turn.message.conversation_id != caller.visitor.conversation_id:
        raise Problem(404, "not-found", "There is no turn of this id. Check the id.")
    comment, reasons = caller.masked(body.comment), tuple(map(caller.masked, body.reasons))
    store.rate(Rating(turn.id, body.value, reasons, comment, datetime.now(UTC)))


def _checked(caller: Caller, fields: Mapping[str, str]) -> dict[str, str]:
    wanted = {field.name: field for field in caller.bot.settings.widget.prechat}
    strange = [name for name in fields if name not in wanted]
    missing = [name for name, field in wanted.items() if field.required and not fields.get(name)]
    if strange or missing:
        what = f"asks for nothing named '{strange[0]}'" if strange else f"needs '{missing[0]}'"
        known = ", ".join(wanted) or "none"
        raise Problem(422, "invalid", f"The form of this site {what}. Its fields: {known}.")
    # Who asks for an address or a number wants to reach the customer with it; everything else is masked.
    return {
        name: value if wanted[name].type in _CONTACTS else caller.masked(value)
        for name, value in fields.items()
        if value
    }
