from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from knowledge.index.faiss import VectorIndex, choose
from knowledge.settings import RetrievalSettings
from knowledge.types import Matrix

FLAT = RetrievalSettings()
HNSW = RetrievalSettings(flat_up_to=100)
IVF = RetrievalSettings(flat_up_to=100, ivf_from=200)
ALL = [("flat", FLAT), ("hnsw", HNSW), ("ivf", IVF)]


def unit_rows(count: int, *, seed: int = 0, width: int = 32) -> Matrix:
    random = np.random.default_rng(seed)
    centres = random.standard_normal((12, width))
    rows = centres[random.integers(0, 12, count)] + 0.4 * random.standard_normal((count, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(("kind", "settings"), ALL)
def test_each_kind_finds_nearly_all_that_comparing_everything_finds(
    kind: str, settings: RetrievalSettings
) -> None:
    rows = unit_rows(1500)
    index = VectorIndex.build(rows, settings)

    found = total = 0
    for query in unit_rows(30, seed=0):
        best = set(np.argsort(-(rows @ query))[:10].tolist())
        found += len(best & set(index.search(query, 10)[1].tolist()))
        total += 10

    assert index.kind == kind
    assert found / total >= (0.99 if kind == "flat" else 0.8)


@pytest.mark.parametrize(("kind", "settings"), ALL)
def test_rows_added_later_are_found_and_the_old_index_does_not_change(
    kind: str, settings: RetrievalSettings
) -> None:
    rows, more = unit_rows(400), unit_rows(5, seed=9)
    index = VectorIndex.build(rows, settings)

    extended = index.extended(more)

    assert (len(index), len(extended)) == (400, 405)
    assert extended.search(more[3], 1)[1].tolist() == [403]
    assert 403 not in index.search(more[3], 10)[1]
    assert np.allclose(extended.vectors(np.array([0, 404])), [rows[0], more[4]], atol=0.02)
    assert extended.recent_rows == (0 if kind == "flat" else 5)
    assert ("recent" in extended.describe(settings)) == (kind != "flat")


@pytest.mark.parametrize(("kind", "settings"), ALL)
def test_an_index_comes_back_from_disk_as_it_was(
    kind: str, settings: RetrievalSettings, tmp_path: Path
) -> None:
    rows = unit_rows(400)
    index = VectorIndex.build(rows, settings)
    index.save(tmp_path)

    loaded = VectorIndex.load(tmp_path)

    assert (loaded.kind, len(loaded), loaded.dimension) == (kind, 400, 32)
    assert loaded.search(rows[7], 5)[1].tolist() == index.search(rows[7], 5)[1].tolist()
    assert np.array_equal(loaded.vectors(np.arange(50)), index.vectors(np.arange(50)))
    assert loaded.extended(rows[:1]).search(rows[0], 2)[1].tolist()


def test_recent_rows_cannot_be_lost_by_saving_too_early(tmp_path: Path) -> None:
    index = VectorIndex.build(unit_rows(200), HNSW).extended(unit_rows(1))

    with pytest.raises(ValueError, match="recent"):
        index.save(tmp_path)


def test_an_empty_index_finds_nothing() -> None:
    index = VectorIndex.build(np.zeros((0, 8), np.float32), FLAT)

    scores, rows = index.search(np.zeros(8, np.float32), 5)

    assert len(scores) == len(rows) == len(index) == 0


def test_the_kind_follows_the_number_of_vectors() -> None:
    settings = RetrievalSettings(flat_up_to=10, ivf_from=100)

    assert [choose(rows, settings) for rows in (0, 10, 11, 99, 100)] == [
        "flat",
        "flat",
        "hnsw",
        "hnsw",
        "ivf",
    ]


def test_one_line_says_what_the_index_is_and_why() -> None:
    assert VectorIndex.build(unit_rows(20), FLAT).describe(FLAT) == (
        "flat (exact, 16-bit), 20 vectors of 32: up to 50,000 vectors every one is compared."
    )
    assert VectorIndex.build(unit_rows(200), HNSW).describe(HNSW).startswith("HNSW")
    assert VectorIndex.build(unit_rows(300), IVF).describe(IVF).startswith("IVF (")
