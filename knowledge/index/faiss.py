"""Vectors in FAISS: exact while there are few, approximate above.

flat   every vector compared, in 16 bits a number: exact to 0.0001 of a cosine, half the time of 32 bits
hnsw   a graph of neighbours over the same 16-bit vectors, from `flat_up_to` on
ivf    cells of an inverted file with 8-bit vectors, from `ivf_from` on
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import faiss
import numpy as np
import numpy.typing as npt

from knowledge.settings import RetrievalSettings
from knowledge.types import Matrix

Kind: TypeAlias = Literal["flat", "hnsw", "ivf"]
Rows: TypeAlias = npt.NDArray[np.int64]

FILE = "vectors.faiss"

_FAISS: Any = faiss
"""Its stubs do not know what SWIG adds at run time."""

_NEIGHBOURS = 32
_EF_CONSTRUCTION = 80
_EF_SEARCH = 160
"""With it HNSW finds 99.7 % of the exact best 50 among 21,752 e5 vectors, in a quarter of the time."""
_TRAINING_PER_CELL = 64
_PROBED_SHARE = 1 / 16
"""With it IVF finds 98 % of the exact best 10 among the same vectors, 95 % of the best 50."""


class VectorIndex:
    """Rows of unit vectors, found by dot product; immutable: `extended` returns another one.

    A graph or an inverted file is expensive to build, so rows added to one are kept beside it in a flat
    index (`recent`) until the next whole build.
    """

    def __init__(self, kind: Kind, base: Any, recent: Any) -> None:
        self.kind = kind
        self._base = base
        self._recent = recent

    @classmethod
    def build(cls, matrix: Matrix, settings: RetrievalSettings) -> Self:
        """Index the rows of a matrix; float32, shape (rows, dimension), norm 1."""
        kind = choose(len(matrix), settings)
        _FAISS.omp_set_num_threads(os.cpu_count() or 1)
        base = _empty(kind, *matrix.shape)
        if kind == "ivf":
            cells = base.nlist
            sample = np.random.default_rng(0).permutation(len(matrix))[: cells * _TRAINING_PER_CELL]
            base.train(matrix[np.sort(sample)])
        base.add(matrix)
        return cls(kind, base, _flat(matrix.shape[1]))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; the caller has checked the file's SHA-256."""
        base = _FAISS.read_index(str(folder / FILE))
        kinds: dict[type, Kind] = {_FAISS.IndexHNSWSQ: "hnsw", _FAISS.IndexIVFScalarQuantizer: "ivf"}
        return cls(kinds.get(type(base), "flat"), base, _flat(base.d))

    def save(self, folder: Path) -> str:
        """Write the index into a folder and return the name of its file; recent rows must be built in."""
        if self.recent_rows:
            msg = "an index with recent rows is built anew before it is saved"
            raise ValueError(msg)
        _FAISS.write_index(self._base, str(folder / FILE))
        return FILE

    def __len__(self) -> int:
        return int(self._base.ntotal + self._recent.ntotal)

    @property
    def dimension(self) -> int:
        """Width of a vector."""
        return int(self._base.d)

    @property
    def recent_rows(self) -> int:
        """Rows that a whole build would move into the graph or the cells."""
        return int(self._recent.ntotal)

    def extended(self, matrix: Matrix) -> VectorIndex:
        """This index and more rows, numbered on from the last."""
        if not len(matrix):
            return self
        if self.kind == "flat":
            base = _FAISS.clone_index(self._base)
            base.add(matrix)
            return VectorIndex("flat", base, self._recent)
        recent = _FAISS.clone_index(self._recent)
        recent.add(matrix)
        return VectorIndex(self.kind, self._base, recent)

    def search(self, query: Matrix, k: int) -> tuple[Matrix, Rows]:
        """The `k` nearest rows of one query vector, best first.

        Returns:
            Dot products (float32) and row numbers (int64), shape (at most k,).
        """
        _FAISS.omp_set_num_threads(1)  # a setting of this thread: searches run side by side, one core each
        scores, rows = _search(self._base, query, k)
        if self.recent_rows:
            more, recent = _search(self._recent, query, k)
            scores, rows = np.concatenate([scores, more]), np.concatenate([rows, recent + self._base.ntotal])
            order = np.argsort(-scores, kind="stable")[:k]
            scores, rows = scores[order], rows[order]
        return scores, rows

    def neighbours(self, rows: Rows, k: int) -> tuple[Matrix, Rows]:
        """The nearest rows of each of these rows, itself among them, with all cores.

        Returns:
            Dot products (float32) and row numbers (int64, -1 where fewer were found), shape (len(rows), k or
            less, up to twice that beside recent rows), in no order.
        """
        _FAISS.omp_set_num_threads(os.cpu_count() or 1)
        queries = self.vectors(rows)
        if self.kind == "flat":  # many against all is one product of matrices, which 32-bit numbers do best
            every = self.vectors(np.arange(len(self)))
            scores, found = _FAISS.knn(queries, every, min(k, len(self)), _FAISS.METRIC_INNER_PRODUCT)
            return scores, found
        count = min(k, int(self._base.ntotal))
        # A walk as wide as what it brings takes 0.4 of the time of a customer's, and the nearest are found first.
        narrow = _FAISS.SearchParametersHNSW(efSearch=count) if self.kind == "hnsw" else None
        scores, found = self._base.search(queries, count, params=narrow)
        if not self.recent_rows:
            return scores, found
        more, recent = self._recent.search(queries, min(k, self.recent_rows))
        return np.hstack([scores, more]), np.hstack([found, recent + self._base.ntotal])

    def vectors(self, rows: Rows) -> Matrix:
        """The vectors of rows; float32, shape (len(rows), dimension), rounded as the index keeps them."""
        if not self.recent_rows:
            kept: Matrix = self._base.reconstruct_batch(rows)
            return kept
        found = np.empty((len(rows), self.dimension), np.float32)
        old = rows < self._base.ntotal
        if old.any():
            found[old] = self._base.reconstruct_batch(rows[old])
        if not old.all():
            found[~old] = self._recent.reconstruct_batch(rows[~old] - self._base.ntotal)
        return found

    def describe(self, settings: RetrievalSettings) -> str:
        """One line that says what this index is, and why."""
        size = len(self)
        reason = {
            "flat": f"up to {settings.flat_up_to:,} vectors every one is compared",
            "hnsw": f"above {settings.flat_up_to:,} vectors a graph is walked",
            "ivf": f"from {settings.ivf_from:,} vectors on only the nearest cells are compared",
        }[self.kind]
        what = {
            "flat": "flat (exact, 16-bit)",
            "hnsw": f"HNSW (16-bit, {_NEIGHBOURS} neighbours)",
            "ivf": f"IVF ({getattr(self._base, 'nlist', 0):,} cells, 8-bit)",
        }[self.kind]
        recent = f", {self.recent_rows:,} of them recent and compared one by one" if self.recent_rows else ""
        return f"{what}, {size:,} vectors of {self.dimension}{recent}: {reason}."


def choose(rows: int, settings: RetrievalSettings) -> Kind:
    """The kind of index for so many rows."""
    if rows <= settings.flat_up_to:
        return "flat"
    return "hnsw" if rows < settings.ivf_from else "ivf"


def _search(index: Any, query: Matrix, k: int) -> tuple[Matrix, Rows]:
    count = min(k, int(index.ntotal))
    if not count:
        return np.zeros(0, np.float32), np.zeros(0, np.int64)
    scores, rows = index.search(query.reshape(1, -1), count)
    found = rows[0] >= 0  # an approximate index fills up with -1
    return scores[0][found], rows[0][found]


def _empty(kind: Kind, rows: int, dimension: int) -> Any:
    if kind == "flat":
        return _flat(dimension)
    if kind == "hnsw":
        index = _FAISS.IndexHNSWSQ(
            dimension, _FAISS.ScalarQuantizer.QT_fp16, _NEIGHBOURS, _FAISS.METRIC_INNER_PRODUCT
        )
        index.hnsw.efConstruction = _EF_CONSTRUCTION
        index.hnsw.efSearch = _EF_SEARCH
        index.is_trained = True  # 16-bit floats need no training
        return index
    cells = max(1, min(int(4 * math.sqrt(rows)), rows // _TRAINING_PER_CELL))
    quantizer = _FAISS.IndexFlatIP(dimension)
    index = _FAISS.IndexIVFScalarQuantizer(
        quantizer, dimension, cells, _FAISS.ScalarQuantizer.QT_8bit, _FAISS.METRIC_INNER_PRODUCT
    )
    index.own_fields = True
    quantizer.this.disown()
    index.nprobe = max(8, int(cells * _PROBED_SHARE))
    index.set_direct_map_type(_FAISS.DirectMap.Array)
    return index


def _flat(dimension: int) -> Any:
    index = _FAISS.IndexScalarQuantizer(
        dimension, _FAISS.ScalarQuantizer.QT_fp16, _FAISS.METRIC_INNER_PRODUCT
    )
    index.is_trained = True  # 16-bit floats need no training
    return index
