"""The line of a conversation within a process."""

from __future__ import annotations

import threading
import time

from chatbot.record.line import Lines


def test_places_are_granted_in_the_order_of_arrival() -> None:
    lines, order = Lines(), []
    first = lines.enter("c1", timeout_s=1)
    assert first is not None

    def wait(number: int) -> None:
        place = lines.enter("c1", timeout_s=5)
        assert place is not None
        order.append(number)
        lines.leave(place)

    waiters = []
    for number in range(4):
        waiters.append(threading.Thread(target=wait, args=(number,)))
        waiters[-1].start()
        time.sleep(0.02)
    lines.leave(first)
    for waiter in waiters:
        waiter.join()

    assert order == [0, 1, 2, 3]
    assert not lines.busy("c1")


def test_conversations_do_not_wait_for_each_other() -> None:
    lines = Lines()

    assert lines.enter("c1", timeout_s=0.1) is not None
    assert lines.enter("c2", timeout_s=0.1) is not None


def test_who_waited_too_long_leaves_the_line() -> None:
    lines = Lines()
    first = lines.enter("c1", timeout_s=1)
    assert first is not None

    assert lines.enter("c1", timeout_s=0.05) is None

    lines.leave(first)
    lines.leave(first)
    assert not lines.busy("c1")
