"""Several bots in one process: the same models, and nothing else that they share."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatbot.assemble import Models, Service, open_knowledge, open_service
from chatbot.guests import guest_settings
from chatbot.settings import Settings, load_settings
from chatbot.types import Message, Turn
from fakes import FakeEncoder
from knowledge.encode import BatchingEncoder
from knowledge.errors import SettingsError
from knowledge.items import Faq
from knowledge.types import Encoder

NO_MODEL = '[generation.model]\nkind = "none"\n'
SHOP, BANK = "ALPHA", "BRAVO"
"""Every answer of a company bears its mark and a code of its own."""
TOPICS = [
    ("the code of locker {n}", "{n} 号储物柜的密码"),
    ("the opening hours of branch {n}", "{n} 号门店的营业时间"),
    ("the price of parcel size {n}", "{n} 号包裹的价格"),
    ("the phone number of floor {n}", "{n} 楼的电话"),
    ("the return period of product line {n}", "{n} 系列产品的退货期限"),
]
ASKING_EN = [
    "What is {}?",
    "please tell me {}",
    "{}",
    "I forgot {}, what is it",
    "do you know {}",
    "{} pls!!",
]
ASKING_ZH = ["{}是多少？", "请问{}", "{}", "我忘了{}，能告诉我吗", "你知道{}吗", "{}！！！"]


@dataclass(frozen=True, slots=True)
class Pair:
    """A shop and a bank in one process."""

    shop: Service
    bank: Service

    def of(self, mark: str) -> Service:
        return self.shop if mark == SHOP else self.bank


def project(folder: Path, *, mark: str = "", extra: str = "") -> Settings:
    folder.mkdir(parents=True)
    (folder / "kefu.toml").write_text(NO_MODEL + extra, "utf-8")
    settings = load_settings(folder)
    if mark:
        open_knowledge(settings).upsert_faqs(list(company(mark)))
    return settings


def company(mark: str) -> Iterator[Faq]:
    """Both companies are asked the same, and a few things that only one knows."""
    codes = random.Random(mark)
    for number, (english, chinese) in enumerate(TOPICS):
        for n in range(1, 7):
            yield Faq(
                id=f"{mark}-{number}-{n}",
                question=f"What is {english.format(n=n)}?",
                answer=f"It is {mark}{codes.randrange(10**9)}.",
                locale="en",
            )
            yield Faq(
                id=f"{mark}-{number}-{n}-zh",
                question=f"{chinese.format(n=n)}是多少？",
                answer=f"是 {mark}{codes.randrange(10**9)}。",
                locale="zh",
            )
    yield Faq(
        id=f"{mark}-own", question=f"What is project {mark}?", answer=f"It is {mark}'s secret.", locale="en"
    )


def queries(count: int) -> list[tuple[str, str]]:
    """Which company is asked what; no query is asked twice."""
    chance = random.Random(5)
    asked: dict[tuple[str, str], None] = {}
    while len(asked) < count:
        english = chance.random() < 0.5
        topic = chance.choice(TOPICS)[0 if english else 1].format(n=chance.randrange(1, 10))
        text = chance.choice(ASKING_EN if english else ASKING_ZH).format(topic)
        other = chance.choice([SHOP, BANK])
        text += chance.choice(
            ["", f" {other}", f" ({other} {chance.randrange(1000)})", f" {chance.randrange(10**6)}"]
        )
        asked[chance.choice([SHOP, BANK]), text] = None
    return list(asked)


@contextmanager
def opened(folder: Path, encoder: Encoder) -> Iterator[Pair]:
    batching = BatchingEncoder(encoder, window_ms=2, batch_size=32, cache_entries=10_000)
    models = Models(batching, None, None)
    shop = open_service(project(folder / "shop", mark=SHOP), models=models)
    project(folder / "bank", mark=BANK)
    bank = open_service(guest_settings(folder / "bank", beside=[shop]), models=shop.models)
    try:
        yield Pair(shop, bank)
    finally:
        bank.close()
        shop.close()
        batching.close()


def test_ten_thousand_searches_never_find_the_other_companys_knowledge(tmp_path: Path) -> None:
    found = {SHOP: 0, BANK: 0}
    with opened(tmp_path, FakeEncoder()) as pair:
        retrievers = {mark: pair.of(mark).live.current().retriever for mark in found}
        strange = []
        for mark, text in queries(10_000):
            hits = retrievers[mark].search(text, 5)
            found[mark] += bool(hits)
            strange += [(mark, text, hit) for hit in hits if not hit.passage.id.startswith(f"faq:{mark}-")]
            strange += [(mark, text, hit) for hit in hits if mark not in hit.passage.text]

    assert strange == []
    assert min(found.values()) > 4000


@pytest.mark.models
@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.hard)])
def test_customers_of_two_companies_at_once_never_hear_of_the_other(
    count: int, tmp_path: Path, encoder: Encoder, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path, encoder) as pair, ThreadPoolExecutor(4) as pool:
        turns = list(pool.map(lambda asked: ask(pair.of(asked[0]), asked[1]), queries(count)))
        suggested = {
            mark: str([pair.of(mark).suggestions(language) for language in ("zh", "en")])
            for mark in (SHOP, BANK)
        }

    leaks = [
        (mark, text, turn)
        for (mark, text), turn in zip(queries(count), turns, strict=True)
        if leaked(mark, text, turn)
    ]
    told = [turn for turn in turns if SHOP in turn.reply.text or BANK in turn.reply.text]
    assert leaks == []
    assert BANK not in suggested[SHOP]
    assert SHOP not in suggested[BANK]
    assert len(told) > count / 4
    assert "ALPHA" not in caplog.text
    assert "BRAVO" not in caplog.text


def leaked(mark: str, asked: str, turn: Turn) -> bool:
    """Whether anything of the turn is the other company's, but for what the customer said."""
    other = BANK if mark == SHOP else SHOP
    said = [turn.reply.text, *turn.reply.quick_replies, *turn.reply.refused]
    said += [f"{source.passage_id} {source.title} {source.text}" for source in turn.reply.citations]
    said += [f"{hit.passage.id} {hit.passage.title} {hit.passage.text} {hit.matched}" for hit in turn.hits]
    return any(other in words.replace(asked, "") for words in said)


def ask(service: Service, text: str) -> Turn:
    *_, turn = service.bot.reply(Message(uuid.uuid4().hex, text, datetime.now(UTC), channel="widget"))
    assert isinstance(turn, Turn)
    return turn


def test_a_guest_answers_with_the_hosts_models_and_leaves_them_open(tmp_path: Path) -> None:
    with opened(tmp_path, FakeEncoder()) as pair:
        pair.bank.close()

        assert pair.bank.models is pair.shop.models
        assert SHOP in ask(pair.shop, "What is project ALPHA?").reply.text
        assert pair.shop.ready()["stages"] == "ok"


def test_what_is_said_to_one_bot_is_not_in_the_records_of_the_other(tmp_path: Path) -> None:
    with opened(tmp_path, FakeEncoder()) as pair:
        ask(pair.bank, "a secret of the bank's customer")

        assert pair.bank.store.count_turns() == 1
        assert pair.shop.store.count_turns() == 0


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ('[storage]\nurl = "sqlite:///{shop}/data/kefu.db"\n', "share its database"),
        ('[storage]\nfolder = "{shop}/data"\nurl = "sqlite:///{shop}/other.db"\n', "share its data folder"),
        (
            '[knowledge.encoder]\nkind = "sentence_transformers"\nmodel = "other"\n',
            "another knowledge.encoder",
        ),
    ],
)
def test_a_bot_that_cannot_be_kept_apart_is_refused(extra: str, said: str, tmp_path: Path) -> None:
    models = Models(BatchingEncoder(FakeEncoder(), window_ms=2, batch_size=8, cache_entries=0), None, None)
    shop = open_service(project(tmp_path / "shop"), models=models)
    project(tmp_path / "bank", extra=extra.replace("{shop}", str(tmp_path / "shop")))

    with pytest.raises(SettingsError, match=said):
        guest_settings(tmp_path / "bank", beside=[shop])

    shop.close()
    models.encoder.close()


def test_a_bot_with_another_dialogue_model_is_refused(tmp_path: Path) -> None:
    models = Models(BatchingEncoder(FakeEncoder(), window_ms=2, batch_size=8, cache_entries=0), None, None)
    shop = open_service(project(tmp_path / "shop"), models=models)
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank" / "kefu.toml").write_text('[generation.model]\nkind = "llama_cpp"\n', "utf-8")

    with pytest.raises(SettingsError, match=r"another generation\.model"):
        guest_settings(tmp_path / "bank", beside=[shop])

    shop.close()
    models.encoder.close()


def test_a_bot_without_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no kefu\.toml"):
        guest_settings(tmp_path / "nowhere", beside=[])
