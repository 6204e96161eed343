"""Turns as a visitor may see them: as on /api, with the reply as HTML and without the store's names."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from chatbot.types import Delta, Turn
from ui.server.stream import KefuEvents, event
from ui.server.turns import Signal
from ui.server.widget.markdown import html_of, safe_link
from ui.server.wire import shown_turn


def visitor_turn(turn: Turn, *, alias: str, own_hosts: Collection[str]) -> dict[str, Any]:
    """One turn.

    Args:
        turn: As stored.
        alias: Stands for the conversation's id.
        own_hosts: Hosts that links may lead to without saying so.
    """
    shown = shown_turn(turn)
    for source in shown["reply"]["citations"]:
        source["url"] = source["url"] if source["url"] and safe_link(source["url"]) else None
    return {**shown, "conversation_id": alias, "html": html_of(turn.reply.text, own_hosts=own_hosts)}


class WidgetEvents(KefuEvents):
    """The events of /api, the turn as visitors see it."""

    def __init__(self, *, skip: int, alias: str, own_hosts: Collection[str]) -> None:
        super().__init__(skip=skip)
        self._alias = alias
        self._own_hosts = own_hosts

    def item(self, item: Delta | Turn | Signal) -> bytes:
        """One event; nothing for what the client already has."""
        if isinstance(item, Turn):
            shown = visitor_turn(item, alias=self._alias, own_hosts=self._own_hosts)
            return event("turn", shown, id=item.id)
        return super().item(item)
