"""kefu replay: scripted conversations against the real bot, written down for people to judge."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from chatbot.types import Message, Turn
from knowledge.errors import KnowledgeError
from ui.terminal import Report, progress_bars, talk

if TYPE_CHECKING:
    from chatbot.bot import Bot


@dataclass(frozen=True, slots=True)
class Script:
    """What a customer says, turn by turn."""

    id: str
    title: str
    locale: str
    says: tuple[str, ...]


def replay(
    scripts: Annotated[Path, typer.Argument(help="YAML: a list of {id, title, locale, says: [...]}.")],
    *,
    markdown: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the transcripts here, as Markdown.")
    ] = None,
    lines: Annotated[Path | None, typer.Option("--jsonl", help="Write whole turns here, one a line.")] = None,
) -> None:
    """Play scripted conversations and write the transcripts; the project's own records are not touched."""
    from chatbot.assemble import open_service
    from chatbot.record.codec import encode_turn
    from chatbot.settings import load_settings
    from ui.commands.serve import with_order_service

    plays = read_scripts(scripts)
    with (
        tempfile.TemporaryDirectory() as scratch,
        progress_bars() as report,
        with_order_service(load_settings()) as settings,
    ):
        service = open_service(settings, progress=report, records=f"sqlite:///{scratch}/records.db")
        try:
            played = list(play(service.bot, plays, progress=report))
        finally:
            service.close()
    text = transcript(played)
    if markdown:
        markdown.write_text(text, "utf-8")
        talk.print(f"{len(played)} conversations are in {markdown}.")
    else:
        typer.echo(text)
    if lines:
        with lines.open("w", encoding="utf-8") as file:
            for script, turns in played:
                file.writelines(
                    json.dumps({"script": script.id, **encode_turn(turn)}, ensure_ascii=False) + "\n"
                    for turn in turns
                )


def read_scripts(path: Path) -> list[Script]:
    """The conversations of a YAML file.

    Raises:
        KnowledgeError: Not YAML, or a conversation lacks a field.
    """
    try:
        raw: Any = yaml.safe_load(path.read_text("utf-8"))
        return [
            Script(str(r["id"]), str(r["title"]), str(r["locale"]), tuple(map(str, r["says"]))) for r in raw
        ]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        msg = f"{path} cannot be read as scripted conversations: {error}. Each needs id, title, locale and says (a list)."
        raise KnowledgeError(msg) from error


def play(bot: Bot, scripts: Iterable[Script], *, progress: Report) -> Iterator[tuple[Script, list[Turn]]]:
    """Each script with the turns that it led to."""
    plays = list(scripts)
    for done, script in enumerate(plays, 1):
        conversation = uuid.uuid4().hex
        turns = []
        for text in script.says:
            message = Message(conversation, text, datetime.now(UTC), channel="api", locale=script.locale)
            *_, turn = bot.reply(message)
            assert isinstance(turn, Turn)  # noqa: S101 - the last piece always is
            turns.append(turn)
        yield script, turns
        progress("Playing conversations", done / len(plays))


def transcript(played: Iterable[tuple[Script, list[Turn]]]) -> str:
    """Markdown that a person can read and judge."""
    parts = []
    for script, turns in played:
        parts.append(f"### {script.id} · {script.title}\n")
        for turn in turns:
            parts.append(f"**Customer:** {turn.message.text}\n")
            quoted = turn.reply.text.strip().replace("\n", "\n> ")
            parts.append(f"> {quoted}\n")
            note = [turn.decision.kind, getattr(turn.decision, "intent", None) or ""]
            note += [hit.passage.id for hit in turn.hits[:1] if turn.decision.kind == "answer"]
            replies = " · ".join(turn.reply.quick_replies)
            parts.append(
                f"<sub>{' '.join(filter(None, note))}{' · offers: ' + replies if replies else ''}</sub>\n"
            )
    return "\n".join(parts)
