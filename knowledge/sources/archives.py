"""XLSX and DOCX are ZIP archives: refuse bombs before a library unpacks them."""

from __future__ import annotations

import zipfile
from pathlib import Path

from knowledge.sources.encodings import read_bytes, unreadable

MAX_UNPACKED_BYTES = 256 * 1024 * 1024
MAX_PARTS = 10_000
_PROLOGUE = 2_048


def check_archive(path: Path) -> None:
    """Refuse what is no ZIP, unpacks to more than 256 MB, or declares XML entities.

    The sizes in the directory are the sender's word, yet binding: `zipfile` stops reading a part there.

    Raises:
        UnreadableFileError: With the reason.
    """
    if read_bytes(path)[:4] == b"\xd0\xcf\x11\xe0":
        raise unreadable(
            path,
            "The file is in the old Office format, or protected by a password.",
            "Open it, remove the password, and save it as .xlsx or .docx.",
        )
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            size = sum(part.file_size for part in parts)
            if size > MAX_UNPACKED_BYTES or len(parts) > MAX_PARTS:
                raise unreadable(
                    path,
                    f"The file unpacks to {size:,} bytes in {len(parts):,} parts; at most "
                    f"{MAX_UNPACKED_BYTES:,} bytes in {MAX_PARTS:,} parts are read.",
                    "Split it into several files.",
                )
            for part in parts:
                if part.filename.endswith((".xml", ".rels")) and _declares_entities(archive, part):
                    raise unreadable(
                        path,
                        f"Its part '{part.filename}' declares a document type, which Office never does.",
                        "Save the file anew with Office or LibreOffice.",
                    )
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise unreadable(
            path, f"The file is damaged or of another kind than its name says: {error}.", "Save it anew."
        ) from error


def _declares_entities(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    with archive.open(part) as content:
        return b"<!DOCTYPE" in content.read(_PROLOGUE)
