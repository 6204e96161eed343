"""A trained model as a folder that other programs serve computes what it computed here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from tiny_bert import write_tiny_bert
from tiny_gemma import write_tiny_gemma
from transformers import AutoModelForCausalLM, AutoTokenizer

from finetune.decoder import LearningDecoder, rows
from finetune.export import export_dialogue, export_retriever
from knowledge.encode import open_bundled
from knowledge.errors import ModelError
from knowledge.settings import BundledEncoder

PREFIXES = ("query: ", "passage: ")
DEMO = Path(__file__).resolve().parents[2] / "knowledge" / "data" / "demo" / "models" / "retriever" / "demo"
WORDS = ["where", "is", "my", "parcel", "how", "long", "does", "a", "refund", "take"]


def silent(what: str, done: float) -> None: ...


def learned_something(network: torch.nn.Module) -> None:
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.requires_grad:
                weight.copy_(torch.randn_like(weight) * 0.1)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "base").mkdir()
    return tmp_path / "base"


def test_an_exported_dialogue_model_finds_the_same_words_as_likely(base: Path, tmp_path: Path) -> None:
    decoder = LearningDecoder(write_tiny_gemma(base), first=1, rank=4)
    learned_something(decoder)
    (tmp_path / "learned").mkdir()
    decoder.save(tmp_path / "learned")
    (tmp_path / "learned" / "README.md").write_text("the card")

    export_dialogue(tmp_path / "learned", base, tmp_path / "out", progress=silent)

    tokenizer = AutoTokenizer.from_pretrained(str(tmp_path / "out"))
    network = AutoModelForCausalLM.from_pretrained(str(tmp_path / "out"), dtype=torch.float32)
    asked, written = (
        tokenizer.encode("Refund?", add_special_tokens=False),
        tokenizer.encode("Yes", add_special_tokens=False),
    )
    with torch.no_grad():
        scores = network(torch.tensor([[*asked, *written]])).logits.log_softmax(2)[0]
        expected = decoder.eval().likelihoods(rows([(asked, written, [1.0] * len(written))]))
    likelihood = sum(scores[len(asked) + place - 1, token] for place, token in enumerate(written))
    assert float(likelihood) == pytest.approx(float(expected[0]), abs=0.05), "bfloat16"
    assert (tmp_path / "out" / "README.md").read_text() == "the card"


@pytest.mark.models
def test_sentence_transformers_encodes_with_an_exported_retriever_as_kefu_does(
    tmp_path: Path, models_cache: Path
) -> None:
    base, prefixes = BundledEncoder().weights(cache=models_cache)

    export_retriever(DEMO, base, tmp_path / "out", prefixes=prefixes, progress=silent)

    texts = ["where is my parcel", "退款要多久"]
    here, untrained = (
        open_bundled(cache=models_cache, adapter=adapter, precision="float32") for adapter in (DEMO, None)
    )
    there = SentenceTransformer(str(tmp_path / "out"), local_files_only=True, device="cpu")
    vectors = there.encode(texts, prompt_name="query", normalize_embeddings=True)
    assert np.allclose(vectors, here.encode_queries(texts), atol=1e-3)
    assert not np.allclose(vectors, untrained.encode_queries(texts), atol=1e-2)


def test_nothing_is_written_over(base: Path, tmp_path: Path) -> None:
    write_tiny_bert(base, WORDS)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")

    with pytest.raises(ModelError, match="is there already"):
        export_retriever(tmp_path, base, tmp_path / "out", prefixes=PREFIXES, progress=silent)

    with pytest.raises(ModelError, match="is no adapter"):
        export_retriever(tmp_path, base, tmp_path / "new", prefixes=PREFIXES, progress=silent)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "out"]
