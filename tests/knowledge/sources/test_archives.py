"""Promises of archives: a bomb is refused before it is unpacked."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from knowledge.sources import archives
from knowledge.sources.archives import check_archive
from knowledge.sources.encodings import UnreadableFileError
from knowledge.sources.faq import read_faqs


def archive_of(path: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def test_a_bomb_is_refused_by_its_unpacked_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 1_000_000)
    path = archive_of(tmp_path / "faq.xlsx", {"xl/sheet.xml": b"0" * 2_000_000})

    with pytest.raises(UnreadableFileError, match="unpacks to 2,000,000 bytes in 1 parts"):
        read_faqs(path)

    assert path.stat().st_size < 10_000


def test_too_many_parts_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_PARTS", 3)
    path = archive_of(tmp_path / "faq.xlsx", {f"{number}.xml": b"" for number in range(4)})

    with pytest.raises(UnreadableFileError, match="in 4 parts"):
        check_archive(path)


def test_entities_are_refused(tmp_path: Path) -> None:
    path = archive_of(
        tmp_path / "x.docx", {"word/document.xml": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]>'}
    )

    with pytest.raises(UnreadableFileError, match=r"'word/document\.xml' declares a document type"):
        check_archive(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"question,answer", "of another kind than its name says"),
        (b"\xd0\xcf\x11\xe0 old", "old Office format"),
    ],
)
def test_what_is_no_archive_is_told(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "faq.xlsx"
    path.write_bytes(content)

    with pytest.raises(UnreadableFileError, match=said):
        read_faqs(path)


def test_an_archive_that_is_no_workbook_is_told(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "faq.xlsx", {"hello.txt": b"x"})

    with pytest.raises(UnreadableFileError, match="workbook is damaged"):
        read_faqs(path)
