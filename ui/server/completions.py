"""/v1: the shape of OpenAI's chat completions, so that any of its clients can talk to the bot.

Only the last user message is answered. What a client sends as history is never believed, since it could
put words into the bot's mouth or take a rule away: system messages are ignored, and earlier messages only
serve to recognise a conversation that the store already holds (`continuations.py`). In order:

* `metadata.conversation_id` names the conversation;
* else `user` does: the same user always goes on in one conversation, so give each customer an id that
  others cannot guess;
* else a transcript that this server itself held is gone on with;
* else a new conversation begins. `conversation_id` in the answer names it.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from chatbot.types import Delta, Turn
from ui.server.context import Context
from ui.server.continuations import Continuations
from ui.server.conversations import new_conversation_id, read_message, stream_reply
from ui.server.problem import Problem
from ui.server.turns import Signal
from ui.server.wire import ID_PATTERN, Key, Text, citations, clean_text, json_response
from ui.server.wording import language_of, say

MODEL = "kefu"
_FINISH = {"cut": "length"}


class Part(BaseModel):
    """A part of a message; only text is understood."""

    type: str
    text: Text = ""


class ChatMessage(BaseModel):
    """One message of the dialogue."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | list[Part] | None = None

    def plain(self) -> str:
        """Its text.

        Raises:
            Problem: It holds something else, e.g. a picture.
        """
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        if any(part.type != "text" for part in self.content):
            raise Problem(
                422, "unsupported-content", "A message holds something other than text. Send text only."
            )
        return "\n".join(part.text for part in self.content)


class Metadata(BaseModel):
    """Only `conversation_id` is read."""

    model_config = ConfigDict(extra="ignore")
    conversation_id: Annotated[str, StringConstraints(pattern=ID_PATTERN)] | None = None


class ChatRequest(BaseModel):
    """What OpenAI's clients send; what steers a language model (temperature, tools ...) is ignored."""

    model_config = ConfigDict(extra="ignore")
    model: str = MODEL
    messages: list[ChatMessage] = Field(min_length=1, max_length=500)
    stream: bool = False
    user: Text | None = Field(None, max_length=256)
    metadata: Metadata | None = None
    n: Literal[1] | None = None


def completion_routes(context: Context) -> APIRouter:
    """The routes under /v1."""
    router = APIRouter(prefix="/v1", tags=["openai"])
    continuations = Continuations()

    @router.get("/models")
    async def models() -> Response:
        """The one model there is."""
        model = {"id": MODEL, "object": "model", "created": 0, "owned_by": context.settings.project.name}
        return json_response({"object": "list", "data": [model]})

    @router.post("/chat/completions")
    async def complete(
        request: Request, body: ChatRequest, idempotency_key: Annotated[Key | None, Header()] = None
    ) -> Response:
        """Answer the last user message; `citations`, `turn_id` and `conversation_id` come as extra fields."""
        if body.model != MODEL:
            raise Problem(404, "model-not-found", f"There is no model '{body.model[:60]}'. Use '{MODEL}'.")
        transcript, text = _split(body, language_of(request.scope))
        conversation_id = _conversation(body, transcript, continuations)
        message = read_message(
            context, request, conversation_id=conversation_id, text=text, key=idempotency_key or ""
        )

        def remember(turn: Turn) -> None:
            said = [("user", text), ("assistant", clean_text(turn.reply.text))]
            continuations.remember([*transcript, *said], conversation_id)

        if body.stream:
            return await stream_reply(context, request, message, CompletionChunks(conversation_id, remember))
        turn = await context.turns.answer(message, language=language_of(request.scope))
        remember(turn)
        return json_response(_completion(turn))

    return router


class CompletionChunks:
    """The chunks of a streamed completion."""

    def __init__(self, conversation_id: str, remember: Any) -> None:
        self._remember = remember
        self._base = {
            "id": f"chatcmpl-{new_conversation_id()}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": MODEL,
            "conversation_id": conversation_id,
        }
        self._begun = False

    def item(self, item: Delta | Turn | Signal) -> bytes:
        """One chunk; after the turn also the end mark."""
        match item:
            case Delta():
                role = {} if self._begun else {"role": "assistant"}
                self._begun = True
                return self._chunk({**role, "content": item.text})
            case Turn():
                self._remember(item)
                last = self._chunk({}, finish=_FINISH.get(item.reply.finish, "stop"), **_extra(item))
                return last + b"data: [DONE]\n\n"
            case _:
                return b""

    def problem(self, problem: Problem, scope: Scope) -> bytes:
        """The error, where OpenAI's clients look for it."""
        return _data({"error": problem.body(scope)})

    def _chunk(self, delta: dict[str, str], *, finish: str | None = None, **extra: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _data({**self._base, "choices": [choice], **extra})


def _split(body: ChatRequest, language: str) -> tuple[list[tuple[str, str]], str]:
    """The transcript before the last user message, and that message."""
    spoken = [message for message in body.messages if message.role in {"user", "assistant"}]
    if not spoken or spoken[-1].role != "user":
        raise Problem(422, "empty-message", say("empty", language))
    return [(message.role, message.plain()) for message in spoken[:-1]], spoken[-1].plain()


def _conversation(body: ChatRequest, transcript: list[tuple[str, str]], continuations: Continuations) -> str:
    if body.metadata and body.metadata.conversation_id:
        return body.metadata.conversation_id
    if body.user:
        return f"user-{hashlib.sha256(body.user.encode()).hexdigest()[:40]}"
    return (continuations.take(transcript) if transcript else None) or new_conversation_id()


def _completion(turn: Turn) -> dict[str, Any]:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": turn.reply.text},
        "finish_reason": _FINISH.get(turn.reply.finish, "stop"),
    }
    return {
        "id": f"chatcmpl-{turn.id}",
        "object": "chat.completion",
        "created": int(turn.message.sent_at.timestamp()),
        "model": MODEL,
        "choices": [choice],
        "conversation_id": turn.message.conversation_id,
        **_extra(turn),
    }


def _extra(turn: Turn) -> dict[str, Any]:
    return {
        "turn_id": turn.id,
        "citations": citations(turn),
        "quick_replies": list(turn.reply.quick_replies),
    }


def _data(value: object) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"
