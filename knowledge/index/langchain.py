"""Any LangChain vector store as the retriever: pgvector, Qdrant, Milvus, for knowledge beyond one machine.

Each wording and each answer is one document of the store, with everything about its passage in the metadata,
so that searching asks nobody else. The store makes its own vectors: give it `EncoderEmbeddings(encoder)`.
"""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

from knowledge.fusion import OTHER_LANGUAGE
from knowledge.index.snapshot import passage_id_of
from knowledge.index.texts import worded
from knowledge.lexical import bare, bigram_likeness, fold, tokenize
from knowledge.types import Entry, Hit, KnowledgeSource, Passage

OVERFETCH = 8
"""Documents asked for per hit: several may belong to one passage."""


@dataclass(frozen=True, slots=True)
class Found:
    """The best document of a passage, and the best score of its questions and of its text."""

    passage: Passage
    matched: str
    question: float
    answer: float
    refused: float

    @property
    def best(self) -> float:
        """Score of the passage before its language is looked at; below 0 when a negative question is nearer."""
        best = max(self.question, self.answer)
        return -1.0 if self.refused > best else best


class VectorStoreRetriever:
    """A `Retriever` over a LangChain vector store, kept in step with the database."""

    def __init__(self, store: VectorStore, source: KnowledgeSource, state: Path) -> None:
        """Search `store`; `state` is a file that remembers what was put into it, and up to which change."""
        self._store = store
        self._source = source
        self._state = state
        self._lock = threading.Lock()
        self._sequence, self._sizes = _read_state(state)

    @property
    def version(self) -> str:
        """The last change that the store has, e.g. "12-external"."""
        return f"{self._sequence}-external"

    def refresh(self) -> bool:
        """Put into the store what changed since the last look; everything at the first."""
        with self._lock:
            latest = self._source.version()
            if latest == self._sequence:
                return False
            entries = self._everything() if self._sequence == 0 else self._changed()
            self._put(entries)
            self._sequence = latest
            _write_state(self._state, latest, self._sizes)
            return True

    def search(self, query: str, k: int = 5, *, locale: str | None = None) -> Sequence[Hit]:
        """The best `k` hits, best first; scores are the store's relevance, 0..1."""
        if not bare(query):
            return []
        found = _by_passage(self._scored(query, k * OVERFETCH))
        scored = sorted(
            ((item.best * _factor(item.passage, locale), item) for item in found if item.best >= 0),
            key=lambda pair: -pair[0],
        )
        return [
            _hit(item, query, score, rank, others=[s for s, other in scored if other is not item])
            for rank, (score, item) in enumerate(scored[:k], start=1)
        ]

    def _everything(self) -> Mapping[str, Entry | None]:
        now: dict[str, Entry | None] = {entry.passage.id: entry for entry in self._source.entries()}
        return {**dict.fromkeys(self._sizes), **now}

    def _changed(self) -> Mapping[str, Entry | None]:
        changes = self._source.changes_since(self._sequence)
        changed = {passage_id_of(kind, item) for _, kind, item in changes}
        return {name: self._source.entry(name) for name in sorted(changed - {""})}

    def _scored(self, query: str, count: int) -> list[tuple[Document, float]]:
        with warnings.catch_warnings():
            # A store whose cosine is 1.0000001 makes langchain-core warn; scores are clipped below.
            warnings.simplefilter("ignore", UserWarning)
            try:
                pairs = self._store.similarity_search_with_relevance_scores(query, count)
            except NotImplementedError:
                pairs = self._store.similarity_search_with_score(query, count)
        return [(document, min(max(float(score), 0.0), 1.0)) for document, score in pairs]

    def _put(self, entries: Mapping[str, Entry | None]) -> None:
        gone = [f"{name}/{number}" for name in entries for number in range(self._sizes.pop(name, 0))]
        if gone:
            self._store.delete(gone)
        documents = [document for entry in entries.values() if entry for document in _documents(entry)]
        if documents:
            self._store.add_documents(documents, ids=[document.id for document in documents])
        for entry in filter(None, entries.values()):
            self._sizes[entry.passage.id] = len(_documents(entry))


def _documents(entry: Entry) -> list[Document]:
    passage = entry.passage
    _, questions, text, negatives, asked = worded(entry)
    about = {
        "passage_id": passage.id,
        "passage_text": passage.text,
        "title": passage.title,
        "source": passage.source,
        "locale": passage.locale,
        "url": passage.url or "",
        "category": passage.category or "",
        "quick_replies": json.dumps(passage.quick_replies, ensure_ascii=False),
    }
    parts = [
        *(("question", item.text) for item in (*questions, *asked)),
        ("text", text.text),
        *(("negative", item.text) for item in negatives),
    ]
    return [
        Document(id=f"{passage.id}/{number}", page_content=words, metadata={**about, "role": role})
        for number, (role, words) in enumerate(parts)
    ]


def _by_passage(pairs: Iterable[tuple[Document, float]]) -> list[Found]:
    best: dict[str, dict[str, tuple[float, Document]]] = {}
    for document, score in pairs:
        roles = best.setdefault(document.metadata["passage_id"], {})
        role = document.metadata["role"]
        if role not in roles or score > roles[role][0]:
            roles[role] = (score, document)
    found = []
    for roles in best.values():
        score_of = {role: score for role, (score, _) in roles.items()}
        about = next(iter(roles.values()))[1].metadata
        matched = roles["question"][1].page_content if "question" in roles else about["title"]
        question, answer = score_of.get("question", 0.0), score_of.get("text", 0.0)
        found.append(Found(_passage(about), matched, question, answer, score_of.get("negative", 0.0)))
    return found


def _passage(about: Mapping[str, Any]) -> Passage:
    return Passage(
        id=about["passage_id"],
        text=about["passage_text"],
        title=about["title"],
        source=about["source"],
        locale=about["locale"],
        url=about["url"] or None,
        quick_replies=tuple(json.loads(about["quick_replies"])),
        category=about["category"] or None,
    )


def _factor(passage: Passage, locale: str | None) -> float:
    same = locale is None or passage.locale.split("-")[0].lower() == locale.split("-")[0].lower()
    return 1.0 if same else OTHER_LANGUAGE


def _hit(item: Found, query: str, score: float, rank: int, *, others: Sequence[float]) -> Hit:
    asked, words = set(tokenize(query)), set(tokenize(item.matched))
    margin = score - max(others, default=0.0)
    features = {
        "cosine_question": item.question,
        "cosine_answer": item.answer,
        "overlap": len(asked & words) / max(len(asked), 1),
        "bigrams": bigram_likeness(fold(query), [fold(item.matched)])[0],
        "fused": score,
        "margin": margin,
        "question_margin": margin,
        "is_faq": float(item.passage.source != "document"),
        "exact": float(bare(query) == bare(item.matched)),
    }
    return Hit(item.passage, score, rank, item.matched, features)


def _read_state(path: Path) -> tuple[int, dict[str, int]]:
    if not path.is_file():
        return 0, {}
    state = json.loads(path.read_text("utf-8"))
    return int(state["sequence"]), {str(name): int(size) for name, size in state["sizes"].items()}


def _write_state(path: Path, sequence: int, sizes: Mapping[str, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".tmp")
    draft.write_text(json.dumps({"sequence": sequence, "sizes": sizes}, ensure_ascii=False), "utf-8")
    draft.replace(path)
