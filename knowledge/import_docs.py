"""What each document would do to the store."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from knowledge.imports import Draft, ImportPlan, OnConflict, Progress
from knowledge.items import Document
from knowledge.sources.documents.read import DocumentRow, read_documents
from knowledge.sources.places import Place, Problem
from knowledge.store import KnowledgeStore


def plan_import_docs(
    store: KnowledgeStore,
    paths: Iterable[Path],
    *,
    locale: str | None = None,
    characters: int = 700,
    on_conflict: OnConflict = "overwrite",
    progress: Progress | None = None,
) -> ImportPlan[Document]:
    """Compare documents with the store; nothing is written.

    A document's id is made of the names of its folder and file (or is the id of its JSONL record): the same
    file again is the same document. Equal bytes, split in the same way, are "same"; anything else replaces
    all its pieces.

    Args:
        store: What is known.
        paths: Files, see `sources.documents.read.ENDINGS`.
        locale: "zh" or "en"; None guesses each.
        characters: The longest piece.
        on_conflict: What becomes of documents that are stored with another content.
        progress: Called after each file.
    """
    draft: Draft[Document] = Draft(on_conflict)
    stored = {document.id: document.sha256 for document in store.documents()}
    owners = {digest: f"the stored document '{document_id}'" for document_id, digest in stored.items()}
    read: dict[str, Place] = {}
    files = list(paths)
    for number, path in enumerate(files, start=1):
        for row in read_documents(path, characters=characters, locale=locale):
            if row.document is None:
                draft.invalid([row.problem] if row.problem else [])
            else:
                _place_document(draft, row, row.document, stored=stored, owners=owners, read=read)
        if progress:
            progress(number, len(files))
    return draft.plan()


def _place_document(
    draft: Draft[Document],
    row: DocumentRow,
    document: Document,
    *,
    stored: dict[str, str],
    owners: dict[str, str],
    read: dict[str, Place],
) -> None:
    """Decide on one document.

    Args:
        draft: The plan in the making.
        row: Where it stands.
        document: What it says.
        stored: Id -> digest of what the store has.
        owners: Digest -> who has that content already, in words.
        read: Id -> where this import has it.
    """
    place = row.place
    if document.id in read:
        what = f"The id '{document.id}' belongs already to {read[document.id]}."
        draft.invalid([Problem(place, what, "Rename the file, or give the record an id of its own.")])
        return
    read[document.id] = place
    if stored.get(document.id) == document.sha256:
        draft.leave(place, "same", item_id=document.id)
    elif document.id in stored:
        message = f"{place}: The document '{document.id}' has changed; its pieces are replaced."
        draft.add(place, "changed", document, item_id=document.id, message=message)
    elif document.sha256 in owners:
        message = f"{place}: {owners[document.sha256]} has the same content. Delete one of them."
        draft.leave(place, "duplicate", item_id=document.id, message=message)
    else:
        draft.add(place, "new", document, item_id=document.id)
        owners[document.sha256] = str(place)
