"""What every encoder promises, whichever it is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from fakes import FakeEncoder
from knowledge.encode import BatchingEncoder
from knowledge.types import Encoder

TEXTS = ["How do I return a laptop?", "我的订单什么时候发货", "ＦＵＬＬ　ＷＩＤＴＨ", "🎉", "x" * 5000]


@pytest.fixture(
    params=[
        "fake",
        "batching",
        pytest.param("bundled", marks=pytest.mark.models),
        pytest.param("batching bundled", marks=pytest.mark.models),
    ]
)
def any_encoder(request: pytest.FixtureRequest) -> Iterator[Encoder]:
    inner = request.getfixturevalue("encoder") if "bundled" in request.param else FakeEncoder()
    if "batching" not in request.param:
        yield inner
        return
    batching = BatchingEncoder(inner, window_ms=1.0, batch_size=4, cache_entries=100)
    yield batching
    batching.close()


def test_vectors_are_float32_rows_of_the_told_width(any_encoder: Encoder) -> None:
    for encode in (any_encoder.encode_queries, any_encoder.encode_passages):
        vectors = encode(TEXTS)

        assert vectors.dtype == np.float32
        assert vectors.shape == (len(TEXTS), any_encoder.dimension)


def test_vectors_have_length_one(any_encoder: Encoder) -> None:
    for encode in (any_encoder.encode_queries, any_encoder.encode_passages):
        assert np.linalg.norm(encode(TEXTS), axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-4)


def test_no_text_makes_no_row(any_encoder: Encoder) -> None:
    assert any_encoder.encode_queries([]).shape == (0, any_encoder.dimension)
    assert any_encoder.encode_passages([]).shape == (0, any_encoder.dimension)


def test_an_empty_text_is_legal(any_encoder: Encoder) -> None:
    vectors = any_encoder.encode_queries(["", "refund", "  \n"])

    assert vectors.shape == (3, any_encoder.dimension)
    assert np.isfinite(vectors).all()


def test_rows_keep_the_order_of_the_texts(any_encoder: Encoder) -> None:
    together = any_encoder.encode_queries(TEXTS)

    for text, row in zip(TEXTS, together, strict=True):
        assert float(any_encoder.encode_queries([text])[0] @ row) == pytest.approx(1, abs=1e-4)


def test_the_same_text_twice_gives_the_same_row_twice(any_encoder: Encoder) -> None:
    vectors = any_encoder.encode_passages(["refund", "order", "refund"])

    assert np.allclose(vectors[0], vectors[2])
    assert not np.allclose(vectors[0], vectors[1])


def test_a_paraphrase_is_nearer_than_another_matter(any_encoder: Encoder) -> None:
    query = any_encoder.encode_queries(["how do I get a refund for my order"])[0]
    same, other = any_encoder.encode_passages(["how to get a refund for an order", "opening hours on Sunday"])

    assert query @ same > query @ other


def test_the_fingerprint_is_a_short_name(any_encoder: Encoder) -> None:
    assert 0 < len(any_encoder.fingerprint) < 60
    assert any_encoder.fingerprint == any_encoder.fingerprint.strip()
