"""/api: conversations, messages, explanations, feedback, questions to start with."""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import Response

from chatbot.record.redaction import redact
from chatbot.sites.visitors import MARK
from chatbot.types import Channel, Message, Rating, Turn
from knowledge.errors import ConflictError
from ui.server.context import Context
from ui.server.limits import client_host
from ui.server.ports import Store
from ui.server.problem import Problem
from ui.server.rates import client_key
from ui.server.stream import Encode, KefuEvents, open_stream, resume_from
from ui.server.turns import Turns
from ui.server.wire import (
    ConversationId,
    Feedback,
    Key,
    Locale,
    NewConversation,
    NewMessage,
    ShownConversation,
    ShownTurn,
    TurnId,
    explained_turn,
    json_response,
    shown_conversation,
    shown_turn,
)
from ui.server.wording import language_of, say

_SHOWN_TURNS = 200
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "model": ShownTurn,
        "description": "The stored turn; with `Accept: text/event-stream` the events delta, turn, error, bye.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


def conversation_routes(context: Context) -> APIRouter:
    """The routes under /api."""
    router = APIRouter(prefix="/api", tags=["conversations"])

    @router.post("/conversations", status_code=201, responses={201: {"model": ShownConversation}})
    async def open_conversation(body: NewConversation | None = None) -> Response:
        """Start a conversation. Its id is its key: who knows it may read and continue it, so keep it safe."""
        wanted = body or NewConversation(locale=None)
        opened = await context.read(
            lambda: context.service.store.create_conversation(
                channel=wanted.channel, locale=wanted.locale, conversation_id=new_conversation_id()
            )
        )
        return json_response(shown_conversation(opened, ()), status=201)

    @router.get("/conversations/{conversation_id}", responses={200: {"model": ShownConversation}})
    async def read_conversation(conversation_id: ConversationId) -> Response:
        """What was said, oldest first; the last 200 turns."""
        store = context.service.store
        found = await context.read(lambda: store.conversation(conversation_id))
        if found is None:
            raise Problem(404, "not-found", "There is no conversation of this id. Check the id.")
        turns = await context.read(lambda: store.history(conversation_id, limit=_SHOWN_TURNS))
        return json_response(shown_conversation(found, turns))

    @router.get("/suggestions")
    async def suggestions(locale: Annotated[Locale, Query()] = "zh") -> Response:
        """Questions to start with."""
        found = await context.read(lambda: context.service.suggestions(locale))
        return json_response({"suggestions": list(found)})

    _message_routes(router, context)
    _turn_routes(router, context)
    return router


def _message_routes(router: APIRouter, context: Context) -> None:
    @router.post("/conversations/{conversation_id}/messages", responses=_STREAM)
    async def post_message(
        request: Request,
        conversation_id: ConversationId,
        body: NewMessage,
        idempotency_key: Annotated[Key | None, Header()] = None,
        last_event_id: Annotated[str | None, Header(max_length=64)] = None,
        accept: Annotated[str, Header(include_in_schema=False)] = "",
    ) -> Response:
        """Say something and get the answer; sent again with the same key it is answered only once.

        An id that is not known yet begins a conversation; it must then be one that nobody can guess.
        """
        message = read_message(
            context,
            request,
            conversation_id=conversation_id,
            text=body.text,
            key=_one_key(body.key, idempotency_key),
            locale=body.locale,
            channel=body.channel,
        )
        try:
            if "text/event-stream" in accept:
                events = KefuEvents(skip=resume_from(last_event_id))
                return await stream_reply(context, request, message, events)
            turn = await context.turns.answer(message, language=language_of(request.scope))
        except ConflictError as conflict:
            store = context.service.store
            raise await used_or_answering(
                context, message, language_of(request.scope), store=store
            ) from conflict
        return json_response(shown_turn(turn))


def _turn_routes(router: APIRouter, context: Context) -> None:
    async def find(turn_id: str) -> Turn:
        turn = await context.read(lambda: context.service.store.turn(turn_id))
        if turn is None or turn.message.conversation_id.startswith(MARK):
            # A visitor's turn is for that visitor's token only, and the explanation would tell more than that.
            raise Problem(404, "not-found", "There is no turn of this id. Check the id.")
        return turn

    @router.get("/turns/{turn_id}", tags=["turns"])
    async def explain_turn(turn_id: TurnId) -> Response:
        """Why this answer: understanding, hits with scores and features, decision, reason, timings, versions."""
        return json_response(explained_turn(await find(turn_id)))

    @router.post("/turns/{turn_id}/feedback", status_code=204, tags=["turns"])
    async def rate_turn(turn_id: TurnId, body: Feedback) -> Response:
        """Thumbs up or down, with reasons; the last rating of a turn counts."""
        turn = await find(turn_id)
        masked = redact if context.settings.security.redact else str
        reasons, comment = tuple(map(masked, body.reasons)), masked(body.comment)
        rating = Rating(turn.id, body.value, reasons, comment, datetime.now(UTC))
        await context.read(lambda: context.service.store.rate(rating))
        context.metrics.rating(body.value)
        return Response(status_code=204)


async def stream_reply(
    context: Context, request: Request, message: Message, events: Encode, *, turns: Turns | None = None
) -> Response:
    """Answer as a stream of events; by another bot than the server's own, where its turns are given."""
    server = context.settings.server
    language = language_of(request.scope)
    give_back = context.streams.take(client_key(client_host(request.scope)), language=language)
    try:
        answering = (turns or context.turns).start(message, language=language)
        stream = await open_stream(
            answering, events, heartbeat_s=server.heartbeat_s, timeout_s=server.request_timeout_s
        )
    except BaseException:
        give_back()
        raise
    stream.on_end = give_back
    return stream


def read_message(
    context: Context,
    request: Request,
    *,
    conversation_id: str,
    text: str,
    key: str = "",
    locale: str | None = None,
    channel: Channel = "api",
    max_characters: int = 0,
) -> Message:
    """The message, when it is one that may be answered; 0 characters: as the server's own settings say.

    Raises:
        Problem: Empty, too long, or one too many this minute.
    """
    language = language_of(request.scope) if locale is None else locale[:2].lower()
    limit = max_characters or context.settings.understanding.max_characters
    if not text:
        raise Problem(422, "empty-message", say("empty", language))
    if len(text) > limit:
        raise Problem(422, "message-too-long", say("too_long", language, length=len(text), limit=limit))
    wait_s = context.rate.wait_s(conversation_id)
    if wait_s:
        context.metrics.shed("conversation-rate")
        raise Problem.retry(429, "rate-limited", say("too_many", language, seconds=wait_s), after_s=wait_s)
    return Message(conversation_id, text, datetime.now(UTC), channel, locale, key or uuid.uuid4().hex)


def new_conversation_id() -> str:
    """144 random bits: it cannot be guessed."""
    return secrets.token_urlsafe(18)


async def used_or_answering(context: Context, message: Message, language: str, *, store: Store) -> Problem:
    """The store refused a key: it belongs to a stored turn, or to one that another process answers now."""
    turns = await context.read(lambda: store.history(message.conversation_id, limit=_SHOWN_TURNS))
    if any(turn.message.key == message.key for turn in turns):
        return Problem(422, "key-used", say("key_used", language))
    return Problem.retry(409, "still-answering", say("answering", language), after_s=2)


def _one_key(in_body: str | None, in_header: str | None) -> str:
    if in_body and in_header and in_body != in_header:
        detail = (
            "The key in the body and the header Idempotency-Key differ. Send one of them, or both the same."
        )
        raise Problem(422, "invalid", detail)
    return in_body or in_header or ""
