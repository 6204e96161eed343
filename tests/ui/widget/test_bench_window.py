"""`kefu bench window` measures the window that a visitor sees, and says what it measured on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from street import CHROMIUM

from ui.bench.client import BenchError
from ui.bench.window import bench_window

if TYPE_CHECKING:
    from street import HostPages, Kefu

pytestmark = [
    pytest.mark.browser,
    pytest.mark.models,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH: apt install chromium"),
]


def _silent(what: str, done: float) -> None:
    pass


def test_the_window_is_three_requests_and_each_way_of_opening_it_has_its_figures(kefu: Kefu) -> None:
    figures = bench_window(f"{kefu.url}/site/en.html", opens=1, progress=_silent)

    assert figures["window_requests"] == 3
    assert 0 < figures["window_kb"] < 30
    for name in ("cold_ms", "at_load_ms", "ready_ms"):
        assert 0 < figures[name] <= figures[f"{name}_max"]
    assert {"cpu", "load_before", "load_after"} <= set(figures["machine"])


def test_a_page_without_the_window_is_a_problem_that_says_what_to_do(host_pages: HostPages) -> None:
    host_pages.pages["/plain"] = "<!doctype html><title>Plain</title>"

    with pytest.raises(BenchError, match=r"did not open.*name a page with the widget"):
        bench_window(f"{host_pages.allowed}/plain", opens=1, progress=_silent)
