"""Sites, keys, visitors and remarks are kept alike by SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from record_cases import new_database, postgres_url
from sqlalchemy import Engine, text

from chatbot.record.migrate import upgrade
from chatbot.record.remarks import Remarks, Stars
from chatbot.sites.site import Site, SiteError, id_from
from chatbot.sites.store import SiteStore
from chatbot.sites.visitors import VisitorStore
from knowledge.database import open_engine, writing

SHOP = Site("shop", "The shop", ("https://shop.example",))
TABLES = ("visitors", "site_keys", "sites", "server_secrets", "satisfaction", "particulars", "conversations")


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        engine = open_engine(new_database(tmp_path))
    else:
        url = postgres_url()
        if url is None:
            pytest.skip("no PostgreSQL on this machine")
        upgrade(url)
        engine = open_engine(url)
        with writing(engine) as connection:
            for table in TABLES:
                connection.execute(text(f"DELETE FROM {table}"))
    yield engine
    engine.dispose()


@pytest.fixture
def sites(engine: Engine) -> SiteStore:
    store = SiteStore(engine)
    store.add(SHOP)
    return store


@pytest.fixture
def visitors(engine: Engine, sites: SiteStore) -> VisitorStore:
    return VisitorStore(engine)


def test_a_site_is_added_changed_and_removed(sites: SiteStore) -> None:
    changed = sites.replace(Site("shop", "Shop", ("https://SHOP.example", "https://b.example"), "bots/b"))

    assert sites.sites() == (changed,)
    assert changed.origins == ("https://shop.example", "https://b.example")
    assert sites.site("shop").created_at is not None

    sites.remove("shop")

    assert sites.sites() == ()


def test_what_is_not_there_is_named_together_with_what_is(sites: SiteStore) -> None:
    for wrong in (
        lambda: sites.site("nobody"),
        lambda: sites.remove("nobody"),
        lambda: sites.replace(Site("nobody", "x", ())),
        lambda: sites.add_key("nobody"),
    ):
        with pytest.raises(SiteError, match="Sites: shop"):
            wrong()
    with pytest.raises(SiteError, match="has no key 'k'"):
        sites.remove_key("shop", "k")


@pytest.mark.parametrize("site_id", ["", "Shop", "a b", "../x", "x" * 65, "-x", "sité"])
def test_an_id_that_cannot_stand_in_a_link_is_refused(site_id: str, sites: SiteStore) -> None:
    with pytest.raises(SiteError):
        sites.add(Site(site_id, "x", ()))


def test_an_id_is_taken_once_and_made_from_the_name_otherwise(sites: SiteStore) -> None:
    with pytest.raises(SiteError, match="already"):
        sites.add(SHOP)

    assert id_from("Help Centre!", []) == "help-centre"
    assert id_from("shop", ["shop", "shop-2"]) == "shop-3"
    assert id_from("商店", []) == "site"


def test_a_key_is_random_and_ends_at_once_or_after_an_overlap(sites: SiteStore) -> None:
    one, two = sites.add_key("shop"), sites.add_key("shop", "second")
    soon = datetime.now(UTC) + timedelta(hours=1)

    sites.remove_key("shop", one.kid)
    sites.remove_key("shop", "second", expires_at=soon)

    assert one.secret != two.secret
    assert len(one.secret) >= 43
    (left,) = sites.keys("shop")
    assert (left.kid, left.secret) == ("second", two.secret)
    assert left.valid(datetime.now(UTC))
    assert not left.valid(soon)
    with pytest.raises(SiteError, match="already"):
        sites.add_key("shop", "second")
    with pytest.raises(SiteError, match="cannot name a key"):
        sites.add_key("shop", "a b")


def test_a_stranger_is_the_same_at_every_look_and_stored_by_none(
    engine: Engine, visitors: VisitorStore
) -> None:
    one, other = visitors.new("shop"), visitors.new("shop")

    assert visitors.find("shop", one.id) == one
    assert one.conversation_id != other.conversation_id
    assert one.conversation_id.startswith("site:shop:")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM visitors")).scalar_one() == 0


def test_a_new_conversation_is_the_visitors_from_then_on(visitors: VisitorStore) -> None:
    visitor = visitors.new("shop")

    first, second = visitors.reset(visitor), visitors.reset(visitor)

    assert len({visitor.conversation_id, first.conversation_id, second.conversation_id}) == 3
    assert visitors.find("shop", visitor.id) == second


def test_signing_in_locks_the_stranger_out_and_keeps_one_row_a_user(visitors: VisitorStore) -> None:
    stranger = visitors.new("shop")

    user = visitors.sign_in("shop", "ann", name="Ann", leaving=stranger, keep=True)
    again = visitors.sign_in("shop", "ann", name="Ann B.", leaving=visitors.new("shop"), keep=False)

    assert visitors.find("shop", stranger.id).revoked
    assert user.conversation_id == stranger.conversation_id
    assert (again.id, again.conversation_id, again.user_name) == (user.id, user.conversation_id, "Ann B.")
    assert visitors.find("shop", user.id) == again


def test_a_user_who_signs_in_twice_at_once_is_one_visitor(visitors: VisitorStore) -> None:
    found: list[str] = []

    def sign_in() -> None:
        found.append(visitors.sign_in("shop", "ann", name="", leaving=visitors.new("shop"), keep=False).id)

    threads = [threading.Thread(target=sign_in) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1


def test_users_of_two_sites_with_the_same_id_are_two(sites: SiteStore, visitors: VisitorStore) -> None:
    sites.add(Site("bank", "The bank", ()))

    ann = visitors.sign_in("shop", "ann", name="", leaving=None, keep=False)
    other = visitors.sign_in("bank", "ann", name="", leaving=None, keep=False)

    assert ann.id != other.id
    assert ann.conversation_id != other.conversation_id


def test_all_processes_have_the_same_secret(engine: Engine, visitors: VisitorStore) -> None:
    assert VisitorStore(engine).derived("token") == visitors.derived("token")
    assert len(visitors.derived("token")) == 32


def test_removing_a_site_removes_its_keys_and_visitors(
    engine: Engine, sites: SiteStore, visitors: VisitorStore
) -> None:
    sites.add_key("shop")
    visitors.sign_in("shop", "ann", name="", leaving=None, keep=False)

    sites.remove("shop")

    assert sites.keys("shop") == ()
    assert visitors.user("shop", "ann") is None


def test_the_last_remarks_count_and_make_their_conversation(engine: Engine) -> None:
    remarks = Remarks(engine)
    assert remarks.stars("c1") is None
    assert remarks.told("c1", "prechat") == {}

    remarks.rate("c1", Stars(2, "so so"))
    remarks.rate("c1", Stars(5, "better\x00"))
    remarks.tell("c1", "prechat", {"name": "Ann"})
    remarks.tell("c1", "context", {"page": "one"})
    remarks.tell("c1", "context", {"page": "two"})

    assert remarks.stars("c1") == Stars(5, "better")
    assert remarks.told("c1", "prechat") == {"name": "Ann"}
    assert remarks.told("c1", "context") == {"page": "two"}
