"""One fake for each seam: small, deterministic, no model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from knowledge.types import Matrix


class FakeEncoder:
    """Bag of character bigrams and words hashed into a unit vector: texts that share words are near."""

    fingerprint = "fake-256"
    dimension = 256

    def encode_queries(self, texts: Sequence[str]) -> Matrix:
        return np.stack([self._encode(text) for text in texts]) if texts else np.zeros((0, 256), np.float32)

    encode_passages = encode_queries

    def _encode(self, text: str) -> Matrix:
        vector = np.zeros(self.dimension, np.float32)
        lowered = text.lower()
        for piece in [*lowered.split(), *(lowered[i : i + 2] for i in range(len(lowered) - 1)), lowered]:
            vector[int.from_bytes(hashlib.md5(piece.encode()).digest()[:4], "little") % self.dimension] += 1
        norm = float(np.linalg.norm(vector))
        return vector / norm if norm else vector
