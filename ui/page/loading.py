"""Load gradio without its stub files.

At every import gradio writes a .pyi beside each of its 76 components, for editors: it parses and renders their
sources anew, which takes half of its 4 s, and needs an installation that may be written to. It leaves out
classes whose source file is not known; so while it loads, those of its own are not.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_LOADING = threading.Lock()


def load_gradio() -> Any:
    """The module gradio; quick the first time, at once later."""
    with _LOADING, _without_sources():
        import gradio
    return gradio


@contextmanager
def _without_sources() -> Iterator[None]:
    known = inspect.getfile

    def getfile(thing: Any) -> str:
        if isinstance(thing, type) and thing.__module__.startswith("gradio."):
            raise OSError
        return known(thing)

    inspect.getfile = getfile  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = known
