"""Turns, databases and worker processes for the tests of the record."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from chatbot.record.migrate import upgrade
from chatbot.record.store import SqlTurnStore
from chatbot.types import (
    AnswerFrom,
    Citation,
    Decision,
    Message,
    Reply,
    Turn,
    Understanding,
)
from knowledge.database import open_engine
from knowledge.errors import KefuError
from knowledge.types import Hit, Passage


def new_database(folder: Path) -> str:
    """URL of a fresh SQLite database with all tables; copied, as making one takes half a second."""
    path = folder / "kefu.db"
    path.write_bytes(_empty_database())
    return f"sqlite:///{path}"


@cache
def _empty_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kefu.db"
        upgrade(f"sqlite:///{path}")
        return path.read_bytes()


def a_message(conversation_id: str = "c1", text: str = "Where is my order?", *, key: str = "") -> Message:
    return Message(conversation_id, text, datetime(2026, 3, 11, 9, 30, tzinfo=UTC), key=key)


def a_turn(message: Message, *, decision: Decision | None = None, reply: str = "It left on Monday.") -> Turn:
    passage = Passage(
        "faq-1", "It left on Monday.", "Where is my order?", "faq", "en", quick_replies=("Thanks",)
    )
    return Turn(
        id=uuid.uuid4().hex,
        message=message,
        understanding=Understanding(query=message.text, language="en", slots={"order_id": "KF20260311008"}),
        hits=(Hit(passage, 0.93, 1, matched="Where is my order?", features={"cosine": 0.9}),),
        decision=decision or AnswerFrom(("faq-1",), verbatim=True),
        reply=Reply(reply, citations=(Citation("faq-1", "Where is my order?", "It left on Monday.", "faq"),)),
        seconds={"understand": 0.01, "total": 0.02},
        versions={"index": "1-abc"},
        reason="A stored answer is right with 93 %.",
    )


def answer(store: SqlTurnStore, message: Message) -> Turn:
    """Begin and append, as the bot does."""
    stored = store.begin(message)
    return stored if stored is not None else store.append(a_turn(message))


@cache
def postgres_url() -> str | None:
    """A PostgreSQL server for this test run: $KEFU_TEST_POSTGRES, else a fresh one where it is installed."""
    given = os.environ.get("KEFU_TEST_POSTGRES")
    binaries = _postgres_binaries()
    if given or binaries is None:
        return given
    folder = Path(tempfile.mkdtemp(prefix="kefu-pg-"))
    # The server refuses to run as root; Debian's package brings this user.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    _run(user, binaries / "initdb", "-N", "-D", folder / "data", "-A", "trust", "-U", "kefu", "-E", "UTF8")
    atexit.register(_stop_postgres, user, binaries, folder)
    options = f"-k {folder} -c listen_addresses=''"
    _run(user, binaries / "pg_ctl", "-D", folder / "data", "-o", options, "-l", folder / "log", "-w", "start")
    return f"postgresql+psycopg://kefu@/postgres?host={folder}"


def _stop_postgres(user: str | None, binaries: Path, folder: Path) -> None:
    with suppress(subprocess.SubprocessError):
        _run(user, binaries / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")
    shutil.rmtree(folder, ignore_errors=True)


def restart_postgres(url: str) -> None:
    folder = Path(url.split("host=")[1])
    binaries = _postgres_binaries()
    assert binaries is not None
    user = "postgres" if os.geteuid() == 0 else None
    _run(
        user,
        binaries / "pg_ctl",
        "-D",
        folder / "data",
        "-m",
        "immediate",
        "-l",
        folder / "log",
        "-w",
        "restart",
    )


def _postgres_binaries() -> Path | None:
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve().parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if os.geteuid() == 0 and "postgres" not in {entry.pw_name for entry in pwd.getpwall()}:
        return None
    return found[-1] if found and (found[-1] / "pg_ctl").exists() else None


def _run(user: str | None, *command: object) -> None:
    subprocess.run(
        [str(part) for part in command],
        user=user,
        cwd="/",
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
    )


def start_worker(*arguments: object, wrap: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Another process that answers messages; see `_work`. It prints the id of each acknowledged turn."""
    return _start(*wrap, sys.executable, __file__, *map(str, arguments))


def start_upgrade(url: str) -> subprocess.Popen[str]:
    """Another process that brings the database up to date."""
    return _start(sys.executable, "-c", f"from chatbot.record.migrate import upgrade; upgrade({url!r})")


def _start(*command: str) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parent.parent
    return subprocess.Popen(
        command,
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'tests'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _work(url: str, conversation_id: str, threads: str, count: str) -> None:
    """Answer `count` messages in each thread; "!" and a message for each that saw a gap before itself."""
    store = SqlTurnStore(open_engine(url), lease_s=10)

    def talk(thread: int) -> None:
        for number in range(int(count)):
            message = a_message(conversation_id, key=f"{os.getpid()}-{thread}-{number}")
            try:
                store.begin(message)
                before = store.history(conversation_id, limit=1)
                turn = store.append(a_turn(message))
            except KefuError as error:
                store.abandon(message)
                _tell(f"? {error}")
                continue
            last = before[-1].sequence if before else 0
            _tell(turn.id if turn.sequence == last + 1 else f"! {last} then {turn.sequence}")

    workers = [threading.Thread(target=talk, args=(number,)) for number in range(int(threads))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    store.close()


def _tell(line: str) -> None:
    # One write a line: lines of several threads, and of a process that is killed, stay whole.
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


if __name__ == "__main__":
    _work(*sys.argv[1:])
