"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fakes import FakeEncoder
from knowledge.settings import BundledEncoder, default_cache
from knowledge.types import Encoder

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Public data sets, used in place; see the README for how to point at them."""
    folder = Path(os.environ.get("KEFU_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "faq").is_dir():
        pytest.skip(f"no public data at {folder}: set KEFU_SHARED_DATA to a folder with faq/, intents/ ...")
    return folder


@pytest.fixture(scope="session")
def models_cache() -> Path:
    """Folder of the prepared default models."""
    folder = default_cache()
    if not folder.is_dir():
        pytest.skip(f"no prepared models at {folder}: run 'make setup'")
    return folder


@pytest.fixture(scope="session")
def encoder(models_cache: Path) -> Encoder:
    """The real default encoder."""
    return BundledEncoder().open(cache=models_cache, threads=2)


@pytest.fixture
def fake_encoder() -> FakeEncoder:
    return FakeEncoder()
