from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from knowledge.errors import IndexMismatchError
from knowledge.index.manifest import (
    FORMAT,
    NAME,
    POINTER,
    Manifest,
    check_files,
    current,
    new_folder,
    publish,
    read_manifest,
    require,
    sha256_of,
)

MANIFEST = Manifest(
    format=FORMAT,
    knowledge_version=3,
    encoder="e",
    dimension=8,
    passages=1,
    rows=2,
    tokenizer="1",
    kind="flat",
    description="flat",
    noise=0.5,
    digest="0123456789abcdef",
    built_at="2026-01-01T00:00:00+00:00",
    files={},
)


def build(folder: Path, manifest: Manifest = MANIFEST, *, content: str = "x") -> Path:
    with new_folder(folder, manifest.name) as building:
        (building / "part").write_text(content)
        return publish(building, replace(manifest, files={"part": sha256_of(building / "part")}))


def test_a_published_index_is_the_current_one_and_whole(tmp_path: Path) -> None:
    built = build(tmp_path)

    assert current(tmp_path) == built
    assert built.name == "3-01234567"
    assert check_files(built, read_manifest(built)) == []
    assert require(built, encoder="e", dimension=8, tokenizer="1").rows == 2


def test_before_the_first_build_there_is_no_current_index(tmp_path: Path) -> None:
    assert current(tmp_path) is None


def test_the_previous_index_stays_and_older_ones_go(tmp_path: Path) -> None:
    for version in (1, 2, 3):
        build(tmp_path, replace(MANIFEST, knowledge_version=version))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["2-01234567", "3-01234567", POINTER]


def test_building_the_same_version_again_never_touches_the_one_that_serves(tmp_path: Path) -> None:
    first = build(tmp_path)
    before = (first / NAME).stat().st_mtime_ns

    second = build(tmp_path)

    assert second != first
    assert current(tmp_path) == second
    assert (first / NAME).stat().st_mtime_ns == before


def test_a_build_that_fails_leaves_nothing_and_the_old_index_current(tmp_path: Path) -> None:
    built = build(tmp_path)

    def fail_half_way() -> None:
        with new_folder(tmp_path, "4-x") as building:
            (building / "part").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()

    assert current(tmp_path) == built
    assert not list(tmp_path.glob("*.tmp"))


def test_what_a_killed_build_left_is_removed_but_a_running_one_is_not(tmp_path: Path) -> None:
    dead = tmp_path / "9-dead.999999999.tmp"
    running = tmp_path / f"9-busy.{os.getpid()}.tmp"
    dead.mkdir()
    running.mkdir()

    build(tmp_path)

    assert not dead.exists()
    assert running.exists()


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    built = build(tmp_path)
    (built / "part").write_text("y")

    with pytest.raises(IndexMismatchError, match=r"part is not as it was written.*kefu index build"):
        require(built, encoder="e", dimension=8, tokenizer="1")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    built = build(tmp_path)
    (built / "part").unlink()

    assert check_files(built, read_manifest(built)) == [f"{built / 'part'} is missing."]


@pytest.mark.parametrize(
    ("encoder", "dimension", "tokenizer", "said"),
    [
        ("other", 8, "1", r"built by encoder 'e' \(8 wide\), but settings name 'other' \(8 wide\)"),
        ("e", 9, "1", r"'e' \(9 wide\)"),
        ("e", 8, "2", "tokenizer 1, not 2"),
    ],
)
def test_an_index_of_another_encoder_or_tokenizer_is_refused_by_name(
    tmp_path: Path, encoder: str, dimension: int, tokenizer: str, said: str
) -> None:
    built = build(tmp_path)

    with pytest.raises(IndexMismatchError, match=said):
        require(built, encoder=encoder, dimension=dimension, tokenizer=tokenizer)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}', "\udcff"])
def test_a_damaged_manifest_is_refused(tmp_path: Path, text: str) -> None:
    built = build(tmp_path)
    (built / NAME).write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(IndexMismatchError, match="kefu index build"):
        read_manifest(built)


def test_an_index_of_another_format_is_refused(tmp_path: Path) -> None:
    built = build(tmp_path)
    values = json.loads((built / NAME).read_text()) | {"format": FORMAT + 1}
    (built / NAME).write_text(json.dumps(values))

    with pytest.raises(IndexMismatchError, match=f"format {FORMAT + 1}"):
        read_manifest(built)


@pytest.mark.parametrize("name", ["", "../elsewhere", "gone", "."])
def test_a_pointer_to_nowhere_is_refused(tmp_path: Path, name: str) -> None:
    build(tmp_path)
    (tmp_path / POINTER).write_text(name)

    with pytest.raises(IndexMismatchError, match="not an index folder"):
        current(tmp_path)


def test_a_broken_pointer_does_not_stop_the_next_build(tmp_path: Path) -> None:
    build(tmp_path)
    (tmp_path / POINTER).write_text("gone")

    built = build(tmp_path, replace(MANIFEST, knowledge_version=4))

    assert current(tmp_path) == built
