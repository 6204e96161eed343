"""A value that follows the knowledge."""

from __future__ import annotations

import time
from collections.abc import Callable

from chatbot.live import Live


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert holds()


def test_a_change_of_the_knowledge_makes_a_new_value() -> None:
    version = [1]
    live = Live(lambda: f"stages {version[0]}", version=lambda: version[0], interval_s=0.01)
    live.start()

    version[0] = 2

    wait_for(lambda: live.current() == "stages 2")
    live.close()


def test_a_change_that_cannot_be_taken_in_leaves_the_old_value_and_says_why() -> None:
    version = [1]

    def make() -> int:
        if version[0] == 2:
            msg = "no"
            raise ValueError(msg)
        return version[0]

    live = Live(make, version=lambda: version[0], interval_s=0.01)
    live.start()
    version[0] = 2

    wait_for(lambda: live.problem == "ValueError: no")
    assert live.current() == 1
    version[0] = 3
    wait_for(lambda: live.current() == 3)
    assert live.problem == ""
    live.close()


def test_closing_before_starting_is_fine() -> None:
    Live(lambda: 1, version=lambda: 1, interval_s=1).close()
