from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import knowledge.build as service_module
from fakes import FakeEncoder
from knowledge.build import IndexService, arrange, build, info, verify
from knowledge.errors import IndexMismatchError
from knowledge.index.manifest import current
from knowledge.index.texts import KnowingEncoder
from knowledge.settings import RetrievalSettings
from knowledge.types import Entry, Hit, Matrix, Passage, Source

SETTINGS = RetrievalSettings()


class MemorySource:
    """A knowledge source in memory, with its change log."""

    def __init__(self) -> None:
        self.kept: dict[str, Entry] = {}
        self.log: list[tuple[int, str, str]] = []
        self.broken = False

    def put(self, name: str, *questions: str, answer: str = "", source: Source = "faq") -> None:
        passage_id = f"faq:{name}" if source == "faq" else name
        passage = Passage(passage_id, answer or f"Answer {name}.", questions[0], source, "en")
        self.kept[passage_id] = Entry(passage, questions)
        self.note("faq" if source == "faq" else "passage", name)

    def drop(self, name: str) -> None:
        del self.kept[f"faq:{name}"]
        self.note("faq", name)

    def note(self, kind: str, name: str) -> None:
        self.log.append((len(self.log) + 1, kind, name))

    def entries(self) -> list[Entry]:
        return list(self.kept.values())

    def entry(self, passage_id: str) -> Entry | None:
        return self.kept.get(passage_id)

    def version(self) -> int:
        return len(self.log)

    def changes_since(self, sequence: int) -> Sequence[tuple[int, str, str]]:
        if self.broken:
            msg = "database is locked"
            raise RuntimeError(msg)
        return self.log[sequence:]


class CountingEncoder(FakeEncoder):
    """Remembers what it was asked to encode."""

    def __init__(self, fingerprint: str = "fake-256") -> None:
        self.fingerprint = fingerprint
        self.asked: list[str] = []

    def encode_queries(self, texts: Sequence[str]) -> Matrix:
        self.asked += texts
        return super().encode_queries(texts)

    def encode_passages(self, texts: Sequence[str]) -> Matrix:
        return self.encode_queries(texts)


@pytest.fixture
def source() -> MemorySource:
    filled = MemorySource()
    filled.put("return", "How do I return an item?", "send something back", answer="Within 30 days.")
    filled.put("order", "Where is my order?", answer="See your account page.")
    filled.put("pay", "Which cards can I pay with?", answer="Visa and Mastercard.")
    return filled


@pytest.fixture
def encoder() -> CountingEncoder:
    return CountingEncoder()


@pytest.fixture
def opened(source: MemorySource, encoder: CountingEncoder, tmp_path: Path) -> Iterator[IndexService]:
    service = IndexService(source, encoder, SETTINGS, tmp_path / "index").open()
    yield service
    service.close()


def best(service: IndexService, query: str) -> str | None:
    hits: Sequence[Hit] = service.search(query, 1)
    return hits[0].passage.id if hits else None


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_the_first_start_builds_the_index_and_finds_what_is_known(opened: IndexService) -> None:
    assert best(opened, "how can I return items") == "faq:return"
    assert opened.version.startswith("3-")
    assert opened.describe().startswith("flat (exact")


def test_a_new_edited_and_deleted_faq_reaches_answers_without_a_restart(
    opened: IndexService, source: MemorySource
) -> None:
    source.put("gift", "Do you wrap gifts?")
    source.put("order", "Can I change my delivery address?", answer="Until it ships.")
    source.drop("pay")

    assert opened.refresh()
    assert best(opened, "do you wrap gifts") == "faq:gift"
    assert opened.search("change my delivery address", 1)[0].passage.text == "Until it ships."
    assert "faq:pay" not in [hit.passage.id for hit in opened.search("which cards can I pay with", 10)]
    assert opened.version.startswith("6-")


def test_an_edit_encodes_only_what_was_never_seen(
    opened: IndexService, source: MemorySource, encoder: CountingEncoder
) -> None:
    encoder.asked.clear()
    source.put("return", "How do I return an item?", "give it back", answer="Within 30 days.")

    opened.refresh()

    assert encoder.asked == ["give it back"]


def test_nothing_happens_when_nothing_changed(opened: IndexService, source: MemorySource) -> None:
    before = opened.snapshot

    assert not opened.refresh()
    source.note("intent", "greeting")
    source.note("faq", "never-was")
    source.put("order", "Where is my order?", answer="See your account page.")
    assert not opened.refresh()
    assert opened.snapshot is before


def test_a_search_under_way_keeps_its_snapshot(opened: IndexService, source: MemorySource) -> None:
    old = opened.snapshot
    source.put("gift", "Do you wrap gifts?")

    opened.refresh()

    assert len(old) == 3
    assert len(opened.snapshot) == 4
    assert old.version != opened.version


def test_many_changes_at_once_are_read_whole(opened: IndexService, source: MemorySource) -> None:
    for number in range(250):
        source.put(f"n{number}", f"Question about thing number {number}?")

    opened.refresh()

    assert len(opened.snapshot) == 253
    assert best(opened, "question about thing number 77") == "faq:n77"


def test_a_new_day_reads_all_entries_again(
    opened: IndexService, source: MemorySource, monkeypatch: pytest.MonkeyPatch
) -> None:
    del source.kept["faq:pay"]  # no longer valid: nothing was written, only the date changed

    assert not opened.refresh()
    monkeypatch.setattr(service_module, "_today", lambda: opened._day.replace(year=2999))
    assert opened.refresh()
    assert len(opened.snapshot) == 2


def test_pieces_of_documents_are_followed_too(opened: IndexService, source: MemorySource) -> None:
    source.put("doc:terms.md#1", "Terms > Warranty", answer="Two years on everything.", source="document")

    opened.refresh()

    assert best(opened, "warranty: two years on everything") == "doc:terms.md#1"


def test_a_restart_loads_and_encodes_nothing(
    opened: IndexService, source: MemorySource, tmp_path: Path
) -> None:
    again = CountingEncoder()

    service = IndexService(source, again, SETTINGS, tmp_path / "index").open(build_if_needed=False)

    assert again.asked == []
    assert service.version == opened.version


def test_a_restart_takes_in_what_was_written_meanwhile(
    opened: IndexService, source: MemorySource, tmp_path: Path
) -> None:
    source.put("gift", "Do you wrap gifts?", answer="For two euros.")
    source.drop("pay")
    again = CountingEncoder()

    service = IndexService(source, again, SETTINGS, tmp_path / "index").open(build_if_needed=False)

    assert sorted(again.asked) == ["Do you wrap gifts?", "For two euros."]
    assert best(service, "wrap gifts") == "faq:gift"
    assert service.version.startswith("5-")


def test_closing_writes_what_was_learned_so_that_the_next_start_is_quick(
    source: MemorySource, encoder: CountingEncoder, tmp_path: Path
) -> None:
    service = IndexService(source, encoder, SETTINGS, tmp_path / "index").open()
    source.put("gift", "Do you wrap gifts?")
    source.drop("pay")
    service.refresh()

    service.close()

    again = CountingEncoder()
    assert IndexService(source, again, SETTINGS, tmp_path / "index").open().version == service.version
    assert again.asked == []
    assert verify(tmp_path / "index") == []
    assert info(tmp_path / "index")["vectors"] == len(service.snapshot.texts.rows)
    assert service.snapshot.dead_rows() == 0


def test_a_watching_service_sees_an_edit_by_itself(opened: IndexService, source: MemorySource) -> None:
    opened.start_watching(0.01)
    opened.start_watching(0.01)

    source.put("gift", "Do you wrap gifts?")

    assert wait_until(lambda: best(opened, "do you wrap gifts") == "faq:gift")


def test_a_watching_service_writes_the_index_some_time_after_an_edit(
    opened: IndexService, source: MemorySource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "WRITE_AFTER_S", 0.0)
    opened.start_watching(0.01)

    source.put("gift", "Do you wrap gifts?")

    assert wait_until(lambda: info(tmp_path / "index")["knowledge_version"] == 4)


def test_a_database_that_fails_for_a_while_does_not_stop_answers(
    opened: IndexService, source: MemorySource
) -> None:
    source.broken = True
    opened.start_watching(0.01)

    assert wait_until(lambda: "database is locked" in opened.problem)
    assert best(opened, "where is my order") == "faq:order"

    source.broken = False
    source.put("gift", "Do you wrap gifts?")
    assert wait_until(lambda: best(opened, "do you wrap gifts") == "faq:gift" and not opened.problem)


def test_searches_beside_refreshes_always_see_one_whole_version(
    opened: IndexService, source: MemorySource
) -> None:
    wrong: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            hits = opened.search("how do I return an item", 3)
            if not hits or hits[0].passage.id != "faq:return":
                wrong.append(str(hits))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(15):
        source.put(f"n{number}", f"Something entirely new {number}")
        opened.refresh()
    stop.set()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_without_leave_to_build_a_missing_index_is_an_error_that_says_what_to_do(
    source: MemorySource, encoder: CountingEncoder, tmp_path: Path
) -> None:
    service = IndexService(source, encoder, SETTINGS, tmp_path)

    with pytest.raises(IndexMismatchError, match="kefu index build"):
        service.open(build_if_needed=False)
    with pytest.raises(IndexMismatchError, match="not open"):
        service.search("anything")


def test_an_index_of_another_encoder_is_refused_or_rebuilt(
    opened: IndexService, source: MemorySource, tmp_path: Path
) -> None:
    other = CountingEncoder("other-256")
    service = IndexService(source, other, SETTINGS, tmp_path / "index")

    with pytest.raises(IndexMismatchError, match=r"'fake-256'.*'other-256'"):
        service.open(build_if_needed=False)
    service.open()

    assert len(other.asked) > 5
    assert info(tmp_path / "index")["encoder"] == "other-256"


@pytest.mark.parametrize("name", ["vectors.faiss", "keys.npy", "tokens.npz", "vocabulary.txt"])
def test_one_flipped_byte_anywhere_is_found_before_anything_is_loaded(
    name: str, opened: IndexService, source: MemorySource, encoder: CountingEncoder, tmp_path: Path
) -> None:
    index = current(tmp_path / "index")
    assert index
    damaged = bytearray((index / name).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (index / name).write_bytes(damaged)

    assert name in verify(tmp_path / "index")[0]
    with pytest.raises(IndexMismatchError, match=name):
        IndexService(source, encoder, SETTINGS, tmp_path / "index").open(build_if_needed=False)


def test_verify_sees_rows_that_the_manifest_does_not_know(opened: IndexService, tmp_path: Path) -> None:
    index = current(tmp_path / "index")
    assert index
    values = json.loads((index / "manifest.json").read_text()) | {"rows": 99}
    (index / "manifest.json").write_text(json.dumps(values))

    assert verify(tmp_path / "index") == [f"{index} holds other rows than its manifest says."]


def test_verify_and_info_say_when_there_is_no_index(tmp_path: Path) -> None:
    assert verify(tmp_path) == [f"There is no index in {tmp_path}. Run 'kefu index build'."]
    with pytest.raises(IndexMismatchError, match="no index"):
        info(tmp_path)


def test_building_again_encodes_nothing_unless_asked_to(
    opened: IndexService, source: MemorySource, encoder: CountingEncoder, tmp_path: Path
) -> None:
    reports: list[tuple[str, float]] = []
    known = len(encoder.asked)

    build(source, encoder, settings=SETTINGS, folder=tmp_path / "index")
    reused = len(encoder.asked) - known
    build(
        source,
        encoder,
        settings=SETTINGS,
        folder=tmp_path / "index",
        fresh=True,
        progress=lambda what, share: reports.append((what, share)),
    )

    assert reused == 16  # only the sentences that measure the encoder's noise
    assert len(encoder.asked) - known > 2 * 16
    assert reports[-1][1] == 1.0


def test_an_empty_database_makes_an_index_that_fills_later(tmp_path: Path, encoder: CountingEncoder) -> None:
    source = MemorySource()
    service = IndexService(source, encoder, SETTINGS, tmp_path / "index").open()

    assert list(service.search("anything")) == []
    source.put("first", "The first question?")
    service.refresh()
    assert best(service, "the first question") == "faq:first"
    service.close()
    assert len(IndexService(source, encoder, SETTINGS, tmp_path / "index").open().snapshot) == 1


@pytest.mark.parametrize(
    "settings", [RetrievalSettings(flat_up_to=3), RetrievalSettings(flat_up_to=1, ivf_from=2)]
)
def test_large_indexes_follow_edits_without_being_built_anew(
    settings: RetrievalSettings, tmp_path: Path, encoder: CountingEncoder
) -> None:
    source = MemorySource()
    for number in range(300):
        source.put(f"n{number}", f"Question about thing number {number}?")
    service = IndexService(source, encoder, settings, tmp_path / "index").open()
    source.put("gift", "Do you wrap gifts?")
    source.drop("n5")

    service.refresh()

    assert best(service, "do you wrap gifts") == "faq:gift"
    assert service.snapshot.texts.vectors.recent_rows == 2
    service.close()
    assert service.snapshot.texts.vectors.recent_rows == 0
    assert info(tmp_path / "index")["passages"] == 300


def test_a_snapshot_can_be_arranged_in_memory_alone(encoder: CountingEncoder, source: MemorySource) -> None:
    snapshot = arrange(source.entries(), encoder, settings=SETTINGS)

    assert len(snapshot) == 3
    assert snapshot.version.startswith("0-")


def test_what_the_index_has_encoded_is_looked_up() -> None:
    passage = Passage("faq:a", "Answer a.", "Where is my order?", "faq", "en")
    entry = Entry(passage, ("Where is my order?",), asked=("and now < Where is my order?",))
    snapshot, encoder = arrange([entry], FakeEncoder(), settings=SETTINGS), CountingEncoder()
    knowing = KnowingEncoder(encoder, snapshot.texts)
    asked = ["new", "and now < Where is my order?", "Where is my order?", "newer"]

    vectors = knowing.encode_queries(asked)

    assert len(encoder.asked) == 2
    assert vectors == pytest.approx(FakeEncoder().encode_queries(asked), abs=1e-3)  # the index keeps 16 bits
    assert knowing.encode_passages(["Answer a."]) == pytest.approx(
        FakeEncoder().encode_passages(["Answer a."]), abs=1e-3
    )
    assert len(encoder.asked) == 2
    assert (knowing.fingerprint, knowing.dimension) == (encoder.fingerprint, encoder.dimension)
    assert knowing.encode_queries([]).shape == (0, 256)


def test_what_was_asked_in_chats_is_kept_on_disk_and_changes_the_version(tmp_path: Path) -> None:
    source = MemorySource()
    source.put("a", "Where is my order?")
    without = build(source, FakeEncoder(), settings=SETTINGS, folder=tmp_path).version
    source.kept["faq:a"] = replace(source.kept["faq:a"], asked=("the shiny thing",))
    built = build(source, FakeEncoder(), settings=SETTINGS, folder=tmp_path)

    encoder = CountingEncoder()
    service = IndexService(source, encoder, SETTINGS, tmp_path).open()

    assert service.version == built.version != without
    assert encoder.asked == []
    assert service.search("the shiny thing", 1)[0].features["cosine_asked"] == pytest.approx(1, abs=1e-3)
    service.close()
