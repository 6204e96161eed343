"""The index through its life: build beside the old one, verify, swap, follow every edit while serving.

open     load what lies on disk; encode only what the database says and the index does not have
refresh  follow the change log: a new snapshot takes the old one's place, requests under way keep theirs
persist  write the snapshot into a new folder, so that the next start need not encode again
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import structlog

from knowledge.errors import IndexMismatchError
from knowledge.index.disk import existing, findings, read, version_of, write
from knowledge.index.manifest import read_manifest
from knowledge.index.snapshot import Placed, Snapshot, digest_of, passage_id_of, place
from knowledge.index.texts import EncodedTexts, all_texts, noise_of, worded
from knowledge.lexical import warm_up
from knowledge.search import search
from knowledge.settings import RetrievalSettings
from knowledge.types import Encoder, Entry, Hit, KnowledgeSource, Progress

log = structlog.get_logger(__name__)

ALL_AGAIN = 200
"""From so many changes on, reading all entries is cheaper than asking for each."""
WRITE_AFTER_S = 30.0
"""Edits come in bursts; the index is written so long after the first of them."""


def build(
    source: KnowledgeSource,
    encoder: Encoder,
    *,
    settings: RetrievalSettings,
    folder: Path,
    progress: Progress | None = None,
    fresh: bool = False,
) -> Snapshot:
    """Build the index into a new folder and let CURRENT point to it.

    Args:
        source: The database.
        encoder: Makes the vectors.
        settings: Say what kind of index is right for how many vectors.
        folder: Where index folders lie.
        progress: Told how far it is.
        fresh: Encode everything again; otherwise texts that the present index has keep their vectors.
    """
    known = None if fresh else _present(folder, encoder)
    version = source.version()
    entries = list(map(worded, source.entries()))
    texts = EncodedTexts.build(all_texts(entries), encoder, settings=settings, progress=progress, known=known)
    return write(
        [place(entry, texts) for entry in entries],
        texts,
        folder,
        sequence=version,
        encoder=encoder,
        noise=noise_of(encoder),
        settings=settings,
    )


def arrange(
    entries: Iterable[Entry],
    encoder: Encoder,
    *,
    settings: RetrievalSettings,
    progress: Progress | None = None,
    known: Snapshot | None = None,
) -> Snapshot:
    """An index in memory alone, for calibration, evaluation and tests; what `known` has is not encoded again."""
    listed = list(map(worded, entries))
    texts = EncodedTexts.build(
        all_texts(listed),
        encoder,
        settings=settings,
        progress=progress,
        known=known.texts if known else None,
    )
    placed = [place(entry, texts) for entry in listed]
    version = version_of(0, digest_of(placed, texts, encoder=encoder.fingerprint))
    return Snapshot(placed, texts, version=version, noise=known.noise if known else noise_of(encoder))


def verify(folder: Path) -> list[str]:
    """What is wrong with the index on disk, one sentence each; [] when it is whole."""
    return findings(folder)


def info(folder: Path) -> Mapping[str, Any]:
    """What the index on disk holds, and why it is of its kind.

    Raises:
        IndexMismatchError: There is none, or it cannot be read.
    """
    index = existing(folder)
    manifest = read_manifest(index)
    return {
        "folder": str(index),
        "version": manifest.name,
        "knowledge_version": manifest.knowledge_version,
        "describe": manifest.description,
        "kind": manifest.kind,
        "passages": manifest.passages,
        "vectors": manifest.rows,
        "dimension": manifest.dimension,
        "encoder": manifest.encoder,
        "tokenizer": manifest.tokenizer,
        "noise": round(manifest.noise, 4),
        "bytes": sum((index / name).stat().st_size for name in manifest.files),
    }


class IndexService:
    """The retriever of a serving process: always one whole snapshot, replaced when the knowledge changes."""

    def __init__(
        self, source: KnowledgeSource, encoder: Encoder, settings: RetrievalSettings, folder: Path
    ) -> None:
        self._source = source
        self._encoder = encoder
        self._settings = settings
        self._folder = folder
        self._snapshot: Snapshot | None = None
        self._sequence = 0
        self._day = _today()
        self._changing = threading.Lock()
        self._persisting = threading.Lock()
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None
        self._unsaved_since: float | None = None
        self.problem = ""
        """Why the last look for edits failed; "" when it did not."""

    def open(self, *, build_if_needed: bool = True, progress: Progress | None = None) -> IndexService:
        """Load the index and bring it up to date with the database.

        Args:
            build_if_needed: Build when there is no index or it does not fit; otherwise that is an error.
            progress: Told how far a build is.

        Raises:
            IndexMismatchError: It is missing, damaged or of another encoder, and may not be built.
        """
        warm_up()
        try:
            manifest, texts = read(self._folder, self._encoder)
        except IndexMismatchError as error:
            if not build_if_needed:
                raise
            log.info("index.build", why=str(error))
            self._sequence = self._source.version()
            self._snapshot = build(
                self._source,
                self._encoder,
                settings=self._settings,
                folder=self._folder,
                progress=progress,
            )
            return self
        with self._changing:
            self._rearrange(texts, manifest.noise)
        if self.snapshot.version != manifest.name:
            self._unsaved_since = time.monotonic()
        return self

    @property
    def snapshot(self) -> Snapshot:
        """What answers now.

        Raises:
            IndexMismatchError: `open` was not called.
        """
        if self._snapshot is None:
            msg = f"The index in {self._folder} is not open. Call open() first."
            raise IndexMismatchError(msg)
        return self._snapshot

    @property
    def version(self) -> str:
        """Names the snapshot that answers now, e.g. "12-3f9a0c41"."""
        return self.snapshot.version

    def describe(self) -> str:
        """One line: the kind of index, and why."""
        return self.snapshot.texts.vectors.describe(self._settings)

    def search(
        self, query: str, k: int | None = None, *, locale: str | None = None, read_as: str = ""
    ) -> Sequence[Hit]:
        """The best `k` hits (default: settings), best first, from one snapshot."""
        return search(
            self.snapshot,
            self._encoder,
            query,
            k=k or self._settings.k,
            locale=locale,
            read_as=read_as,
            method=self._settings.method,
        )

    def refresh(self) -> bool:
        """Take in what changed since the last look; True when another snapshot answers now.

        Only texts never seen before are encoded. Days count as changes: FAQs begin and end to be valid.
        """
        with self._changing:
            today = _today()
            changes = self._source.changes_since(self._sequence)
            if not changes and today == self._day:
                return False
            before = self.snapshot
            changed = {passage_id_of(kind, item) for _, kind, item in changes} - {""}
            if today != self._day or len(changed) > ALL_AGAIN:
                self._rearrange(before.texts, before.noise)
            else:
                self._replace(changed, sequence=changes[-1][0])
            self._day = today
            if self.snapshot is before:
                return False
            self._unsaved_since = self._unsaved_since or time.monotonic()
            log.info("index.refreshed", version=self.version, changes=len(changes))
            return True

    def persist(self) -> None:
        """Write the snapshot that answers now into a new folder; serving goes on meanwhile."""
        with self._persisting:
            before = self.snapshot
            entries = list(map(worded, before.entries))
            texts = EncodedTexts.build(
                all_texts(entries), self._encoder, settings=self._settings, known=before.texts
            )
            written = write(
                [place(entry, texts) for entry in entries],
                texts,
                self._folder,
                sequence=int(before.version.split("-")[0]),
                encoder=self._encoder,
                noise=before.noise,
                settings=self._settings,
            )
            with self._changing:
                unchanged = self._snapshot is before
                self._snapshot = written if unchanged else self._snapshot
                self._unsaved_since = None if unchanged else time.monotonic()

    def start_watching(self, interval_s: float | None = None) -> None:
        """Look for edits every `interval_s` (default: settings) in a thread until `close`."""
        if self._watcher is None:
            interval = interval_s or self._settings.refresh_s
            self._stopping.clear()
            self._watcher = threading.Thread(
                target=self._watch, args=(interval,), name="kefu-index", daemon=True
            )
            self._watcher.start()

    def close(self) -> None:
        """Stop watching; what was not written yet is written."""
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join()
            self._watcher = None
        if self._snapshot is not None and self._unsaved_since is not None:
            self._try(self.persist)

    def _watch(self, interval_s: float) -> None:
        writer: threading.Thread | None = None
        while not self._stopping.wait(interval_s):
            self._try(self.refresh)
            since = self._unsaved_since
            due = since is not None and time.monotonic() - since >= WRITE_AFTER_S
            if due and (writer is None or not writer.is_alive()):
                writer = threading.Thread(target=self._try, args=(self.persist,), name="kefu-index-writer")
                writer.start()
        if writer is not None:
            writer.join()

    def _try(self, step: Any) -> None:
        """Serving goes on with the snapshot there is, whatever happens to a step."""
        try:
            step()
            self.problem = ""
        except Exception as error:
            self.problem = f"{type(error).__name__}: {error}"
            log.exception("index.step_failed", step=step.__name__)

    def _rearrange(self, texts: EncodedTexts, noise: float) -> None:
        """Read all entries and arrange them over what is encoded, encoding what is new."""
        sequence = self._source.version()
        entries = list(map(worded, self._source.entries()))
        grown = texts.grown(all_texts(entries), self._encoder)
        placed = [place(entry, grown) for entry in entries]
        self._swap(placed, grown, sequence, noise)

    def _replace(self, changed: set[str], *, sequence: int) -> None:
        before = self.snapshot
        now = {passage_id: self._source.entry(passage_id) for passage_id in sorted(changed)}
        placed = dict(before.placed)
        different = {
            passage_id: worded(entry) if entry else None
            for passage_id, entry in now.items()
            if (placed[passage_id].entry if passage_id in placed else None) != entry
        }
        if different:
            texts = before.texts.grown(all_texts(filter(None, different.values())), self._encoder)
            for passage_id, entry in different.items():
                placed.pop(passage_id, None)
                if entry:
                    placed[passage_id] = place(entry, texts)
            self._swap(list(placed.values()), texts, sequence, before.noise)
        self._sequence = sequence

    def _swap(self, placed: list[Placed], texts: EncodedTexts, sequence: int, noise: float) -> None:
        version = version_of(sequence, digest_of(placed, texts, encoder=self._encoder.fingerprint))
        self._snapshot = Snapshot(placed, texts, version=version, noise=noise)
        self._sequence = sequence


def _present(folder: Path, encoder: Encoder) -> EncodedTexts | None:
    """What the index on disk has encoded, if it is whole and of this encoder."""
    try:
        return read(folder, encoder)[1]
    except IndexMismatchError:
        return None


def _today() -> date:
    """This machine's date, as the store reads it."""
    return datetime.now().astimezone().date()
