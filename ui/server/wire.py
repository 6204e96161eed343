"""What goes over the wire: what clients may send, and what they are shown.

Requests are pydantic models that refuse unknown keys. Answers are written straight from the turn; their
models here only describe them in /openapi.json.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from chatbot.record.codec import encode_turn
from chatbot.types import Channel, Turn
from ui.server.ports import Conversation

ID_PATTERN = r"^[A-Za-z0-9_-]{8,64}$"
ConversationId: TypeAlias = Annotated[str, Path(pattern=ID_PATTERN)]
TurnId: TypeAlias = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Locale: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=20)
]
Key: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")]

_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""Control characters, which PostgreSQL (NUL) and terminals stumble over, and halves of surrogate pairs."""


def clean_text(text: str) -> str:
    """The text without characters that cannot be stored, in NFC, without outer blanks."""
    return unicodedata.normalize("NFC", _FORBIDDEN.sub("", text)).strip()


Text: TypeAlias = Annotated[str, AfterValidator(clean_text)]


class Request(BaseModel):
    """A body that a client sends."""

    model_config = ConfigDict(extra="forbid")


class NewConversation(Request):
    """Where the customer is, and the language of the page."""

    locale: Locale | None = None
    channel: Channel = "api"


class NewMessage(Request):
    """What the customer wrote."""

    text: Text
    key: Key | None = Field(None, description="Idempotency key, also as header Idempotency-Key.")
    locale: Locale | None = None
    channel: Channel = "api"


class Feedback(Request):
    """What the customer thought of a reply; the last one counts."""

    value: Literal["up", "down"]
    reasons: list[Annotated[Text, StringConstraints(min_length=1, max_length=100)]] = Field(
        default_factory=list, max_length=10
    )
    comment: Text = Field("", max_length=2000)


class ShownCitation(BaseModel):
    """A source of the reply."""

    passage_id: str
    title: str
    text: str
    source: str
    url: str | None


class ShownReply(BaseModel):
    """What the bot said."""

    text: str
    citations: list[ShownCitation]
    quick_replies: list[str]
    finish: str


class ShownMessage(BaseModel):
    """What the customer wrote."""

    text: str
    sent_at: str
    locale: str | None


class ShownTurn(BaseModel):
    """A message with its reply, as a customer sees it."""

    id: str
    conversation_id: str
    sequence: int
    message: ShownMessage
    reply: ShownReply
    decision: str
    language: str


class ShownConversation(BaseModel):
    """A conversation, oldest turn first."""

    id: str
    locale: str | None
    channel: str
    turns: list[ShownTurn]


class ShownProblem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str


def shown_turn(turn: Turn) -> dict[str, Any]:
    """A turn as its customer may see it: no scores, nothing that the guard refused."""
    return {
        "id": turn.id,
        "conversation_id": turn.message.conversation_id,
        "sequence": turn.sequence,
        "message": {
            "text": turn.message.text,
            "sent_at": turn.message.sent_at.isoformat(),
            "locale": turn.message.locale,
        },
        "reply": {
            "text": turn.reply.text,
            "citations": citations(turn),
            "quick_replies": list(turn.reply.quick_replies),
            "finish": turn.reply.finish,
        },
        "decision": turn.decision.kind,
        "language": turn.understanding.language,
    }


def citations(turn: Turn) -> list[dict[str, Any]]:
    """The reply's sources."""
    return [
        {"passage_id": c.passage_id, "title": c.title, "text": c.text, "source": c.source, "url": c.url}
        for c in turn.reply.citations
    ]


def explained_turn(turn: Turn) -> dict[str, Any]:
    """A turn with everything that led to it: understanding, hits, decision, reason, timings, versions."""
    return encode_turn(turn)


def shown_conversation(conversation: Conversation, turns: Sequence[Turn]) -> dict[str, Any]:
    """A conversation as its customer may see it."""
    return {
        "id": conversation.id,
        "locale": conversation.locale,
        "channel": conversation.channel,
        "turns": [shown_turn(turn) for turn in turns],
    }


def json_response(body: object, *, status: int = 200) -> Response:
    """Written once, validated nowhere: it was made here."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(content, status, media_type="application/json")
