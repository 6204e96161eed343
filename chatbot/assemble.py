"""The only file that names concrete classes: settings in, a working chatbot out.

What only a serving process needs is imported where it is made: the commands that read or write the
database start in a second, and loading langchain, scikit-learn and the dictionaries takes several.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from chatbot.answer.webhook import HttpCaller
from chatbot.bot import Bot, Stages
from chatbot.calibrations import calibration_in_force
from chatbot.decide.policy import RulePolicy
from chatbot.decide.thresholds import CalibratedRetriever, Calibration
from chatbot.decide.weighing import weigh
from chatbot.dialogues import Dialogues
from chatbot.handoff.desk import SqlDesk
from chatbot.live import Live
from chatbot.memory import open_classifier, with_chats
from chatbot.record.migrate import upgrade
from chatbot.record.remarks import Remarks
from chatbot.record.store import SqlTurnStore
from chatbot.registry import Registry
from chatbot.retrievers import Retrievers, Searching
from chatbot.settings import Settings
from chatbot.sites.store import SiteStore
from chatbot.sites.visitors import VisitorStore
from chatbot.trained import (
    feelings_in_force,
    intents_in_force,
    learned_in_force,
    names_in_force,
    reranked,
    rewriter_in_force,
)
from chatbot.types import TurnStore
from knowledge.database import open_engine
from knowledge.errors import KefuError
from knowledge.sources.builtin import load_builtin_intents
from knowledge.sources.intents import Intent, starters
from knowledge.store import KnowledgeStore
from knowledge.types import Retriever

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from chatbot.understand.reader import Reader
    from knowledge.build import IndexService
    from knowledge.encode import BatchingEncoder

Report: TypeAlias = Callable[[str, float], None]


def silent(_what: str, _done: float) -> None:
    """A report that nobody reads."""


# The database and what is derived from it.


def open_database(settings: Settings, url: str = "") -> Engine:
    """The database, its tables up to date.

    Raises:
        StoreError: It cannot be reached, or is newer than this program.
    """
    url = url or settings.database_url
    if url.startswith("sqlite"):
        settings.data_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    upgrade(url)
    return open_engine(url, busy_timeout_s=settings.storage.busy_timeout_s)


def open_knowledge(settings: Settings) -> KnowledgeStore:
    """What the company knows."""
    return KnowledgeStore(open_database(settings))


def open_records(settings: Settings) -> SqlTurnStore:
    """What was said."""
    return SqlTurnStore(open_database(settings), busy_timeout_s=settings.storage.busy_timeout_s)


def open_sites(settings: Settings) -> SiteStore:
    """The sites that show the widget."""
    return SiteStore(open_database(settings))


def open_visitors(settings: Settings) -> VisitorStore:
    """The visitors of those sites."""
    return VisitorStore(open_database(settings))


def index_folder(settings: Settings) -> Path:
    """Where the index lies."""
    return settings.search_folder / "index"


def open_encoder(settings: Settings) -> BatchingEncoder:
    """The encoder of the settings, batching concurrent queries."""
    from knowledge.encode import BatchingEncoder
    from knowledge.encode.direct import DirectEncoder

    inner = settings.encoder.open(cache=settings.project.models_cache, threads=settings.project.threads)
    return BatchingEncoder(
        inner,
        window_ms=settings.knowledge.batch_window_ms,
        batch_size=settings.knowledge.batch_size,
        cache_entries=settings.knowledge.cache_entries,
        lanes=inner.lanes if isinstance(inner, DirectEncoder) else 0,
    )


def open_index(
    settings: Settings, knowledge: KnowledgeStore, encoder: BatchingEncoder, *, progress: Report = silent
) -> IndexService:
    """The index, loaded; built where there is none or it does not fit, and brought up to date."""
    from knowledge.build import IndexService

    source = with_chats(knowledge, settings.retriever)
    index = IndexService(source, encoder, settings.retrieval, index_folder(settings))
    index.open(progress=progress)
    return index


def open_retriever(settings: Settings) -> Retriever:
    """Search as the bot does: hybrid, calibrated."""
    knowledge = open_knowledge(settings)
    encoder = open_encoder(settings)
    index = open_index(settings, knowledge, encoder)
    calibration, _ = calibration_in_force(settings, entries=len(index.snapshot), encoder=encoder.fingerprint)
    return CalibratedRetriever(reranked(settings, index), calibration)


def build_index(settings: Settings, *, progress: Report = silent) -> str:
    """Build the index anew; one line about what it is."""
    from knowledge.build import build, info

    encoder, folder, retrieval = open_encoder(settings), index_folder(settings), settings.retrieval
    source = with_chats(open_knowledge(settings), settings.retriever)
    build(source, encoder, settings=retrieval, folder=folder, progress=progress, fresh=True)
    encoder.close()
    return str(info(folder)["describe"])


# Rules.


def open_policy(
    settings: Settings, knowledge: KnowledgeStore, *, entries: int, encoder: str = ""
) -> RulePolicy:
    """The rules in force, over the project's thresholds."""
    fitted = calibration_in_force(settings, entries=entries, encoder=encoder)
    return _rules(settings, all_intents(knowledge), fitted)


def _rules(
    settings: Settings, intents: Mapping[str, Intent], fitted: tuple[Calibration, str], *, reads: bool = False
) -> RulePolicy:
    calibration, stale = fitted
    return RulePolicy(
        intents,
        calibration.thresholds,
        strict=stale,
        calibration=calibration.version,
        passages=settings.generation.passages,
        reads=reads,
    )


# The stages.


def all_intents(knowledge: KnowledgeStore) -> dict[str, Intent]:
    """The company's intents over the built-in ones (small talk, care), which it may replace by name."""
    return {intent.name: intent for intent in [*load_builtin_intents(), *knowledge.intents()]}


def open_reader(
    settings: Settings, index: IndexService, encoder: BatchingEncoder, *, intents: Sequence[Intent]
) -> Reader:
    """UNDERSTAND, fitted to the intents and to the wordings of the entries."""
    from chatbot.understand.reader import Reader

    snapshot, folder = index.snapshot, settings.search_folder / "intents"
    classifier, reads_chats = open_classifier(
        intents,
        encoder,
        snapshot,
        retriever=settings.retriever,
        folder=folder,
        tuned=intents_in_force(settings),
    )
    return Reader(
        intents=intents,
        classifier=classifier,
        wordings=[question for entry in snapshot.entries for question in entry.questions],
        bot_name=settings.project.bot_name,
        default_language=settings.languages.default,
        context_turns=settings.understanding.context_turns,
        timezone=ZoneInfo(settings.handoff.timezone),
        reads_chats=reads_chats,
        rewriter=rewriter_in_force(settings),
        feeling=feelings_in_force(settings),
        named=names_in_force(settings),
    )


# The whole.


@dataclass(frozen=True, slots=True)
class Models:
    """What is large, and the same for all bots of a server."""

    encoder: BatchingEncoder
    """The one in force when the server started."""
    adapter: Path | None
    """Over that encoder."""
    chat: Dialogues | None
    """None: stored texts only."""


@dataclass(frozen=True, slots=True)
class Service:
    """A working chatbot; `close` it when done."""

    bot: Bot
    store: SqlTurnStore
    knowledge: KnowledgeStore
    retrievers: Retrievers
    settings: Settings
    live: Live[Stages]
    remarks: Remarks
    models: Models
    closers: Sequence[Callable[[], None]]

    def ready(self) -> Mapping[str, str]:
        """Each part with "ok", or with why it cannot serve."""
        return {
            "database": _works(self.knowledge.version),
            "index": self.retrievers.current().index.problem or "ok",
            "stages": self.live.problem or "ok",
        }

    def suggestions(self, locale: str) -> Sequence[str]:
        """Questions to start with: one of each category in turn, in that language."""
        return self.live.current().suggestions.get(locale, ())

    def close(self) -> None:
        """Stop following the knowledge, finish what is being written."""
        for close in self.closers:
            close()


def open_service(
    settings: Settings, *, progress: Report = silent, records: str = "", models: Models | None = None
) -> Service:
    """Open database, models, index and stages, and follow edits of the knowledge.

    Args:
        settings: From `load_settings`.
        progress: Told how far a first build is.
        records: URL of another database for what is said (a trial run); empty: the project's own.
        models: Those of another service, which closes them; None opens this one's own.

    Raises:
        KefuError: Something is missing or damaged; it says what to do.
    """
    engine = open_database(settings)
    knowledge = KnowledgeStore(engine)
    chat = models.chat if models else Dialogues(settings)
    retrievers = Retrievers(
        lambda adapter: _searching(settings.with_retriever(adapter), knowledge, models, progress=progress),
        lambda: settings.retriever,
    )
    first = retrievers.current()
    using = models or Models(first.encoder, first.adapter, chat)
    kept = open_database(settings, records) if records else engine
    store = SqlTurnStore(kept, busy_timeout_s=settings.storage.busy_timeout_s)
    desk = _desk(settings, kept)
    webhook = HttpCaller(settings.templates.webhook_base, timeout_s=settings.templates.webhook_timeout_s)

    def stages() -> Stages:
        return _stages(
            retrievers.follow(), knowledge, using.chat.follow() if using.chat else None, webhook, desk
        )

    promoted = Registry(settings.models_folder)
    live = Live(
        stages,
        version=lambda: (knowledge.version(), promoted.version()),
        interval_s=settings.retrieval.refresh_s,
    )
    live.start()
    bot = Bot(
        live.current,
        _redacting(settings, store, knowledge),
        desk,
        k=settings.retrieval.k,
        context_turns=settings.understanding.context_turns,
        language=settings.languages.default,
    )
    closers = (live.close, retrievers.close, store.close, webhook.close, desk.close)
    return Service(bot, store, knowledge, retrievers, settings, live, Remarks(kept), using, closers)


def _searching(
    settings: Settings, knowledge: KnowledgeStore, models: Models | None, *, progress: Report
) -> Searching:
    """Encoder and index with the adapter of the settings; another service's encoder where it is the same."""
    shared = models if models and models.adapter == settings.knowledge.encoder.adapter else None
    encoder = shared.encoder if shared else open_encoder(settings)
    index = open_index(settings, knowledge, encoder, progress=progress)
    index.start_watching(settings.retrieval.refresh_s)
    return Searching(settings, encoder, index, own_encoder=shared is None)


def _stages(
    searching: Searching,
    knowledge: KnowledgeStore,
    chat: BaseChatModel | None,
    webhook: HttpCaller,
    desk: SqlDesk,
) -> Stages:
    from chatbot.answer.compose import reads_passages
    from chatbot.answer.say import Speaker

    intents = all_intents(knowledge)
    settings, encoder, index = searching.settings, searching.encoder, searching.index
    index.refresh()  # so that its entries are those of the database, which need not be read again
    entries = index.snapshot.entries
    fitted = calibration_in_force(settings, entries=len(entries), encoder=encoder.fingerprint)
    return Stages(
        understander=open_reader(settings, index, encoder, intents=list(intents.values())),
        retriever=CalibratedRetriever(reranked(settings, index), fitted[0]),
        policy=_rules(
            settings, intents, fitted, reads=settings.generation.read_when_unsure and reads_passages(chat)
        ),
        weigh=lambda understood, hits: weigh(understood, hits, fitted[0].choice),
        answerer=Speaker(
            intents=lambda: intents,
            model=chat,
            generation=settings.generation,
            project=settings.project,
            webhook=webhook,
            desk=desk,
            encoder=encoder,
        ),
        versions={
            "kefu": installed("kefu"),
            "encoder": encoder.fingerprint,
            "dialogue_model": str(getattr(chat, "model", "none")),
            **learned_in_force(settings),
        },
        suggestions={language: starters(intents.values(), language) for language in ("zh", "en")},
    )


def _desk(settings: Settings, engine: Engine) -> SqlDesk:
    own, about = settings.handoff, Remarks(engine).about
    return SqlDesk(
        engine, hours=own.hours, timezone=own.timezone, contact=own.contact, webhook=own.webhook, about=about
    )


def _redacting(settings: Settings, store: SqlTurnStore, knowledge: KnowledgeStore) -> TurnStore:
    if not settings.security.redact:
        return store
    from chatbot.record.redacting import RedactingStore
    from chatbot.record.redaction import contacts

    texts = [text for intent in knowledge.intents() for t in intent.templates for text in t.text.values()]
    return RedactingStore(store, public=contacts([settings.handoff.contact, *texts]))


def _works(check: Callable[[], object]) -> str:
    try:
        check()
    except KefuError as error:
        return str(error)
    return "ok"
