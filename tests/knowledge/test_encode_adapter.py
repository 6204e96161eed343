"""A LoRA adapter merged into the encoder's weights says what peft says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from finetune.encoder import LearningEncoder
from finetune.wordings import Text
from knowledge.encode import open_bundled
from knowledge.errors import ModelError
from knowledge.packaged import ENCODER, require

TEXTS = ["how long does a refund take?", "退款要多久才能到账", "where is my parcel"]


@pytest.fixture(scope="module")
def trained(models_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LearningEncoder]:
    """An adapter whose weights are far from zero, and the network that wrote it."""
    import torch

    torch.manual_seed(0)
    encoder = LearningEncoder(
        require(models_cache, ENCODER), ("query: ", "passage: "), first=9, rank=4, longest=64
    )
    for weight in encoder.learned():
        torch.nn.init.normal_(weight, std=0.05)
    folder = tmp_path_factory.mktemp("adapter")
    encoder.save(folder)
    return folder, encoder


@pytest.mark.models
def test_the_merged_encoder_gives_the_vectors_of_the_trained_network(
    models_cache: Path, trained: tuple[Path, LearningEncoder]
) -> None:
    folder, network = trained
    merged = open_bundled(cache=models_cache, precision="float32", adapter=folder)
    plain = open_bundled(cache=models_cache, precision="float32")
    states = network.below([Text(text, 0) for text in TEXTS], progress=lambda what, done: None)

    vectors = merged.encode_queries(TEXTS)

    assert np.allclose((vectors * network.vectors(states)).sum(axis=1), 1, atol=1e-4)
    assert (vectors * plain.encode_queries(TEXTS)).sum(axis=1).max() < 0.99


@pytest.mark.models
def test_an_adapter_changes_the_fingerprint_and_so_the_index(
    models_cache: Path, trained: tuple[Path, LearningEncoder]
) -> None:
    merged = open_bundled(cache=models_cache, adapter=trained[0])

    assert merged.fingerprint != open_bundled(cache=models_cache).fingerprint


@pytest.mark.models
def test_the_adapter_holds_nothing_but_what_was_learned(trained: tuple[Path, LearningEncoder]) -> None:
    folder, _ = trained
    config = json.loads((folder / "adapter_config.json").read_text())

    assert config["base_model_name_or_path"] is None
    assert (folder / "adapter_model.safetensors").stat().st_size < 1_000_000


@pytest.mark.models
@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda folder: (folder / "adapter_config.json").unlink(), "is no adapter"),
        (
            lambda folder: (folder / "adapter_config.json").write_text(
                json.dumps({"peft_type": "LORA", "use_dora": True, "r": 4, "lora_alpha": 8})
            ),
            "not plain LoRA",
        ),
        (lambda folder: (folder / "adapter_model.safetensors").write_bytes(b"\x00" * 9), "cannot be used"),
    ],
)
def test_a_damaged_adapter_says_what_to_do(
    models_cache: Path, trained: tuple[Path, LearningEncoder], tmp_path: Path, spoil: object, complaint: str
) -> None:
    for path in trained[0].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    spoil(tmp_path)  # type: ignore[operator]

    with pytest.raises(ModelError, match=complaint):
        open_bundled(cache=models_cache, adapter=tmp_path)
