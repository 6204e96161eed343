"""Scripts and styles as they are sent: without comments and indentation, which a browser has no use for.

A third of their bytes, compressed. Nothing is renamed or joined: what the browser shows is what lies in ui/widget.
"""

from __future__ import annotations

import re

_SUFFIXES = frozenset({".js", ".mjs", ".css"})
_COMMENTS = re.compile(rb"^[ \t]*//[^\n]*\n|/\*[*\s].*?\*/[ ]?", re.MULTILINE | re.DOTALL)
_BLANKS = re.compile(rb"^[ \t]+|^\n", re.MULTILINE)


def lean(body: bytes, suffix: str) -> bytes:
    """The file without whole-line and block comments, blank lines and indentation; others as they are."""
    if suffix not in _SUFFIXES:
        return body
    return _BLANKS.sub(b"", _BLANKS.sub(b"", _COMMENTS.sub(b"", body)))
