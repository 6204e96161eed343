"""How soon the chat window is painted: Chromium on a page that shows it, in a new browser profile each time.

    cold      the page is at rest, nothing of the window was ever fetched; from its start to its first paint
    at_load   the launcher is pressed at the very moment the page has loaded, while the page itself is painted
    ready     the usual case: the loader has fetched the window while the page was idle

The first two end with the window's first contentful paint, as the browser's own paint timing has it.
"""

from __future__ import annotations

import os
import shutil
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ui.bench.client import BenchError
from ui.bench.machine import describe_machine
from ui.terminal import Report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Frame, Page

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE_MS = 20_000
_REST_MS = 1500
_PRESS_AT_LOAD = """addEventListener("load", () => setTimeout(() => {
  window.pressed = performance.timeOrigin + performance.now();
  kefu.open();
}))"""
_STAY_AWAY = """addEventListener("load", () => kefu.destroy())"""
_START = """() => {
  const { src, dataset } = document.querySelector("script[data-bot]");
  window.pressed = performance.timeOrigin + performance.now();
  kefu.boot({ ...dataset, host: src, open: true });
}"""
_FIRST_PAINT = """() => new Promise((resolve) => new PerformanceObserver((list) => {
  const [paint] = list.getEntriesByName("first-contentful-paint");
  if (paint) resolve(performance.timeOrigin + paint.startTime);
}).observe({ type: "paint", buffered: true }))"""
_FETCHED = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .filter((one) => !one.name.includes("/api/")).map((one) => one.transferSize)"""
_PRESS_NOW = """() => new Promise((resolve) => {
  const pressed = performance.now();
  kefu.open();
  requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - pressed)));
})"""


def bench_window(url: str, *, opens: int, progress: Report) -> dict[str, Any]:
    """Open the window of the page at `url`, `opens` times in each of the three ways.

    Raises:
        BenchError: There is no browser, no page with the widget, or the window did not open.
    """
    from playwright.sync_api import Error, sync_playwright

    load_before = os.getloadavg()[0]
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=_browser(), args=["--no-sandbox", "--disable-gpu"]
            )
            rounds = []
            for number in range(opens):
                progress("Opening windows", number / opens)
                rounds.append(_round(browser, url))
            progress("Opening windows", 1.0)
            browser.close()
    except Error as error:
        first = str(error).splitlines()[0]
        msg = f"The window at '{url}' did not open: {first}. Start the server, and name a page with the widget on it."
        raise BenchError(msg) from error
    fetched = rounds[0]["fetched"]
    return {
        "opens": opens,
        **_spread("cold_ms", [one["cold"] for one in rounds]),
        **_spread("at_load_ms", [one["at_load"] for one in rounds]),
        **_spread("ready_ms", [one["ready"] for one in rounds]),
        "window_requests": len(fetched),
        "window_kb": round(sum(fetched) / 1024, 1),
        "machine": {
            **describe_machine(),
            "load_before": round(load_before, 2),
            "load_after": round(os.getloadavg()[0], 2),
        },
    }


def _browser() -> str:
    for name in _BROWSERS:
        if path := shutil.which(name):
            return path
    msg = "There is no Chromium on the PATH. Install it, e.g. apt install chromium."
    raise BenchError(msg)


def _round(browser: Browser, url: str) -> Mapping[str, Any]:
    with _visit(browser, url, script=_STAY_AWAY) as page:
        page.wait_for_timeout(_REST_MS)
        page.evaluate(_START)
        cold, fetched = _painted_after_ms(page), _frame(page).evaluate(_FETCHED)
    with _visit(browser, url, script=_PRESS_AT_LOAD) as page:
        at_load = _painted_after_ms(page)
    with _visit(browser, url) as page:
        _frame(page).locator(".disclosure").wait_for(state="attached")
        page.wait_for_timeout(_REST_MS)
        ready = page.evaluate(_PRESS_NOW)
    return {"cold": cold, "at_load": at_load, "ready": ready, "fetched": fetched}


@contextmanager
def _visit(browser: Browser, url: str, *, script: str = "") -> Iterator[Page]:
    """A page in a profile of its own, loaded."""
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 860})
    context.set_default_timeout(_PATIENCE_MS)
    page = context.new_page()
    page.add_init_script(f"if (self === top) {{ {script} }}")
    page.goto(url)
    yield page
    context.close()


def _painted_after_ms(page: Page) -> float:
    page.wait_for_timeout(_REST_MS)  # whoever asks while it paints, delays it: by 40 ms of 130
    frame = _frame(page)
    painted = float(frame.evaluate(_FIRST_PAINT))
    if not frame.locator("header").is_visible():
        msg = f"The first paint of the window at '{page.url}' was empty. Look at it in a browser."
        raise BenchError(msg)
    return painted - float(page.evaluate("window.pressed"))


def _frame(page: Page) -> Frame:
    found = page.locator("kefu-widget iframe").element_handle().content_frame()
    if found is None:
        msg = f"The page '{page.url}' shows no chat window. Name a page with the widget on it."
        raise BenchError(msg)
    return found


def _spread(name: str, times_ms: Sequence[float]) -> dict[str, float]:
    return {name: round(statistics.median(times_ms)), f"{name}_max": round(max(times_ms))}
