"""An index on disk: written whole into a new folder, read only when it is what its manifest says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from knowledge.errors import IndexMismatchError, KefuError
from knowledge.index.manifest import (
    FORMAT,
    REMEDY,
    Manifest,
    check_files,
    current,
    new_folder,
    publish,
    read_manifest,
    require,
    sha256_of,
)
from knowledge.index.snapshot import Placed, Snapshot, digest_of
from knowledge.index.texts import EncodedTexts
from knowledge.lexical import TOKENIZER_VERSION
from knowledge.settings import RetrievalSettings
from knowledge.types import Encoder


def write(
    placed: Sequence[Placed],
    texts: EncodedTexts,
    folder: Path,
    *,
    sequence: int,
    encoder: Encoder,
    noise: float,
    settings: RetrievalSettings,
) -> Snapshot:
    """Write an index below `folder`, let CURRENT point to it, and return the snapshot it holds."""
    digest = digest_of(placed, texts, encoder=encoder.fingerprint)
    folder.mkdir(parents=True, exist_ok=True)
    with new_folder(folder, version_of(sequence, digest)) as building:
        files = {name: sha256_of(building / name) for name in texts.save(building)}
        manifest = Manifest(
            format=FORMAT,
            knowledge_version=sequence,
            encoder=encoder.fingerprint,
            dimension=encoder.dimension,
            passages=len(placed),
            rows=len(texts.rows),
            tokenizer=TOKENIZER_VERSION,
            kind=texts.vectors.kind,
            description=texts.vectors.describe(settings),
            noise=noise,
            digest=digest,
            built_at=datetime.now(UTC).isoformat(timespec="seconds"),
            files=files,
        )
        publish(building, manifest)
    return Snapshot(placed, texts, version=version_of(sequence, digest), noise=noise)


def read(folder: Path, encoder: Encoder) -> tuple[Manifest, EncodedTexts]:
    """What the index that CURRENT points to has encoded.

    Raises:
        IndexMismatchError: There is none, it is damaged, or another encoder made it.
    """
    index = existing(folder)
    manifest = require(
        index,
        encoder=encoder.fingerprint,
        dimension=encoder.dimension,
        tokenizer=TOKENIZER_VERSION,
    )
    return manifest, EncodedTexts.load(index)


def existing(folder: Path) -> Path:
    """The index folder that CURRENT points to.

    Raises:
        IndexMismatchError: There is none.
    """
    index = current(folder)
    if index is None:
        msg = f"There is no index in {folder}. {REMEDY}"
        raise IndexMismatchError(msg)
    return index


def findings(folder: Path) -> list[str]:
    """What is wrong with the index on disk, one sentence each; [] when it is whole."""
    try:
        index = existing(folder)
        manifest = read_manifest(index)
        wrong = check_files(index, manifest)
        if not wrong:
            texts = EncodedTexts.load(index)
            sizes = {len(texts.rows), len(texts.tokens), len(texts.vectors), manifest.rows}
            if len(sizes) > 1 or texts.vectors.dimension != manifest.dimension:
                wrong.append(f"{index} holds other rows than its manifest says.")
    except KefuError as error:
        return [str(error)]
    return wrong


def version_of(sequence: int, digest: str) -> str:
    """Names a snapshot: the last change it knows, and what it holds."""
    return f"{sequence}-{digest[:8]}"
