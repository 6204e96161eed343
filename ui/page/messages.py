"""How turns become messages of the page, and how an answer is explained on it.

Nothing that a customer, an FAQ or a model wrote is trusted: angle brackets become entities and image
syntax becomes a link before the page renders Markdown.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from chatbot.types import AnswerFrom, Decision, Decline, Handoff, Reply, Turn
from ui.page.texts import texts

ChatMessage: TypeAlias = dict[str, Any]
"""A message of gradio's Chatbot: role, content, and perhaps options and metadata."""

_IMAGE = re.compile(r"!(?=\[)")
_ODD_LINK = re.compile(r"\](?=[(:])(?![(:]\s*(?:https?://|mailto:|tel:))", re.IGNORECASE)
"""Where Markdown would link to anything but a page, an address or a number."""
_PUNCTUATION = re.compile(r"[\\`*_{}\[\]()#+\-.!|>~$&:/@=\"']")
_SAFE_LINK = re.compile(r"https?://[^\s<>\"']+", re.IGNORECASE)


def plain(text: str) -> str:
    """Markdown without HTML, without images and without odd links, from any text."""
    return _ODD_LINK.sub(r"]\\", _IMAGE.sub("", text.replace("<", "&lt;"))).replace("\n", "  \n")


def user_message(text: str) -> ChatMessage:
    """What the customer wrote, shown as text and nothing else: no link is made of an address either."""
    return {"role": "user", "content": _PUNCTUATION.sub(r"\\\g<0>", text).replace("<", "&lt;")}


def arriving_message(said: str) -> ChatMessage:
    """The part of a reply that is there."""
    return {"role": "assistant", "content": plain(said)}


def bot_message(turn_id: str, reply: Reply, language: str) -> ChatMessage:
    """A reply's text, and a mark where the customer stopped it."""
    stopped = f"*{texts(language)['stopped']}*" if reply.finish == "interrupted" else ""
    content = "\n\n".join(part for part in (plain(reply.text), stopped) if part)
    return {"role": "assistant", "content": content, "metadata": {"id": turn_id}}


def source_message(turn_id: str, reply: Reply, language: str) -> list[ChatMessage]:
    """The sources of a reply as one folded message; none where it has none."""
    if not reply.citations:
        return []
    words = texts(language)
    parts = []
    for number, citation in enumerate(reply.citations, 1):
        link = ""
        if citation.url and _SAFE_LINK.fullmatch(citation.url):
            link = f" [{words['open_source']}]({citation.url})"
        quoted = plain(citation.text).replace("\n", "\n> ")
        parts.append(f"**{number}. {plain(citation.title)}**{link}\n\n> {quoted}")
    return [
        {
            "role": "assistant",
            "content": "\n\n".join(parts),
            "metadata": {
                "title": f"{words['sources']} · {len(reply.citations)}",
                "id": f"{turn_id}-sources",
                "status": "done",
            },
        }
    ]


def conversation(turns: Sequence[Turn], language: str) -> list[ChatMessage]:
    """All messages of a conversation, oldest first."""
    shown: list[ChatMessage] = []
    for number, turn in enumerate(turns, 1):
        shown.append(user_message(turn.message.text))
        shown += turn_messages(turn, language, last=number == len(turns))
    return shown


def turn_messages(turn: Turn, language: str, *, last: bool) -> list[ChatMessage]:
    """The bot's side of a turn; its quick replies are buttons while it is the last one."""
    shown = [bot_message(turn.id, turn.reply, language), *source_message(turn.id, turn.reply, language)]
    if last and turn.reply.quick_replies:
        shown[-1]["options"] = [{"value": text, "label": text} for text in turn.reply.quick_replies]
    return shown


def explanation(turn: Turn | None, language: str) -> str:
    """Why an answer was given, as HTML."""
    words = texts(language)
    if turn is None:
        return f"<p class='why-empty'>{html.escape(words['why_empty'])}</p>"
    u = turn.understanding
    rows = [
        (words["decision"], words["decisions"][turn.decision.kind]),
        (words["query"], u.query + (f" ({words['rewritten']})" if u.rewritten else "")),
        (words["intent"], f"{u.intent} · {u.confidence:.0%}" if u.intent else words["none"]),
    ]
    if u.read_as:
        rows.append((words["read_as"], u.read_as))
    if u.slots:
        rows.append((words["slots"], ", ".join(f"{name} = {value}" for name, value in u.slots.items())))
    rows += [(words["refused"], refusal) for refusal in turn.reply.refused]
    body = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in rows)
    return (
        f"<div class='why-reason'><p>{html.escape(_because(turn.decision, words))}</p>"
        f"<small lang='en'>{html.escape(turn.reason)}</small></div><dl class='why'>{body}</dl>"
        f"<h4>{html.escape(words['found'])}</h4>{_hits(turn)}"
        f"<h4>{html.escape(words['timings'])}</h4>{_timings(turn, words)}"
        f"<h4>{html.escape(words['versions'])}</h4><p class='why-versions'>"
        + " · ".join(
            f"{html.escape(name)} {html.escape(str(value)[:24])}" for name, value in turn.versions.items()
        )
        + "</p>"
    )


def _because(decision: Decision, words: dict[str, Any]) -> str:
    """In the reader's language, what kind of reason it was; the rule's own words stay with the turn."""
    name: str = decision.kind
    if isinstance(decision, AnswerFrom):
        name = ("stored" if decision.sure else "offered") if decision.verbatim else "composed"
    elif isinstance(decision, Handoff | Decline):
        name = f"{decision.kind}_{decision.reason}"
    return str(words["because"][name])


def _hits(turn: Turn) -> str:
    items = "".join(
        f"<li><span class='bar' style='--p:{hit.score:.3f}'></span><b>{hit.score:.0%}</b> "
        f"{html.escape(hit.passage.title)}<small>{html.escape(hit.passage.id)}"
        f"{' ← ' + html.escape(hit.matched) if hit.matched and hit.matched != hit.passage.title else ''}</small></li>"
        for hit in turn.hits
    )
    return f"<ol class='why-hits'>{items}</ol>" if items else "<p>—</p>"


def _timings(turn: Turn, words: dict[str, Any]) -> str:
    pairs: Iterable[tuple[str, float]] = turn.seconds.items()
    return (
        "<p class='why-timings'>"
        + " · ".join(
            f"{html.escape(words['stages'].get(name, name))} {value * 1000:.0f} ms" for name, value in pairs
        )
        + "</p>"
    )
