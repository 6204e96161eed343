"""Another retriever is promoted while the bot answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chatbot.retrievers import Retrievers


@dataclass(frozen=True)
class Opened:
    """Stands for an encoder with its index."""

    adapter: Path | None
    log: tuple[list[str], ...] = ([],)

    def close(self) -> None:
        self.log[0].append(f"closed {self.adapter}")

    def __hash__(self) -> int:
        return hash(self.adapter)


def the_retrievers(wanted: list[Path | None]) -> tuple[Retrievers, list[str]]:
    log: list[str] = []

    def make(adapter: Path | None) -> Opened:
        log.append(f"opened {adapter}")
        return Opened(adapter, (log,))

    return Retrievers(make, lambda: wanted[-1]), log  # type: ignore[arg-type]


def test_a_promoted_retriever_is_opened_once_and_the_one_before_stays_open() -> None:
    wanted: list[Path | None] = [None]
    retrievers, log = the_retrievers(wanted)

    wanted.append(Path("a"))
    found = retrievers.follow()

    assert found.adapter == Path("a")
    assert retrievers.follow() is found
    assert log == ["opened None", "opened a"]


def test_a_rollback_finds_the_one_before_open() -> None:
    wanted: list[Path | None] = [None]
    retrievers, log = the_retrievers(wanted)
    wanted.append(Path("a"))
    retrievers.follow()

    wanted.append(None)

    assert retrievers.follow().adapter is None
    assert log == ["opened None", "opened a"]


def test_of_many_only_the_first_the_last_and_the_one_in_force_stay_open() -> None:
    wanted: list[Path | None] = [None]
    retrievers, log = the_retrievers(wanted)

    for name in ("a", "b", "c"):
        wanted.append(Path(name))
        retrievers.follow()

    assert log == ["opened None", "opened a", "opened b", "opened c", "closed a"]
    retrievers.close()
    assert sorted(log[-3:]) == ["closed None", "closed b", "closed c"]
