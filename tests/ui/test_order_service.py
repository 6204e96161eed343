"""The demo company's order service."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from knowledge.errors import KnowledgeError
from ui.orders import AS_OF, DEMO_DATA, load_collections, moved_on, running_order_service

DATA = {
    "orders": {"LM20261": {"status": "shipped", "eta": "明天"}},
    "products": {"arvon-x5": {"price": "¥1"}},
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "services.json"
    path.write_text(json.dumps(DATA), "utf-8")
    return path


def test_an_object_is_found_by_its_id_as_customers_type_it(data: Path) -> None:
    with running_order_service(data) as base, httpx.Client(base_url=base) as client:
        found = [
            client.get(path) for path in ("/orders/LM20261", "/orders/lm20261", "/orders/ＬＭ２０２６１")
        ]
        product = client.get("/products/Arvon-X5")

    assert base.startswith("http://127.0.0.1:")
    assert [answer.json() for answer in found] == [DATA["orders"]["LM20261"]] * 3
    assert product.json() == {"price": "¥1"}


def test_what_it_does_not_know_is_404_and_nothing_can_be_written(data: Path) -> None:
    with running_order_service(data) as base, httpx.Client(base_url=base) as client:
        codes = [
            client.get("/orders/LM999").status_code,
            client.get("/nothing/LM20261").status_code,
            client.get("/orders").status_code,
            client.get("/orders/../../etc/passwd").status_code,
            client.put("/orders/LM20261", json={}).status_code,
        ]

    assert codes == [404, 404, 404, 404, 405]


def test_it_is_gone_afterwards(data: Path) -> None:
    with running_order_service(data) as base:
        pass

    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{base}/orders/LM20261")


@pytest.mark.parametrize("content", ["{", "[]", '{"orders": []}', '{"orders": {"LM1": "shipped"}}'])
def test_data_of_another_shape_is_refused_by_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "services.json"
    path.write_text(content)

    with pytest.raises(KnowledgeError, match=r"services\.json"), running_order_service(path):
        pass


def test_the_demo_companys_data_has_the_shape_and_no_two_ids_are_the_same_when_folded() -> None:
    collections = load_collections(DEMO_DATA)

    assert "orders" in collections
    for objects in collections.values():
        assert len({key.casefold() for key in objects}) == len(objects)


def test_its_dates_are_moved_on_to_today_and_nothing_else(tmp_path: Path) -> None:
    written = {"orders": {"LM2026110012": {"eta": "2026-11-24", "total": "¥4,299.00", "no": "HE5520417730"}}}
    path = tmp_path / "services.json"
    path.write_text(json.dumps(written), "utf-8")

    with (
        running_order_service(path, today=AS_OF + timedelta(days=40)) as later,
        running_order_service(path) as then,
    ):
        moved, kept = (httpx.get(f"{base}/orders/LM2026110012").json() for base in (later, then))

    assert moved == {"eta": "2027-01-03", "total": "¥4,299.00", "no": "HE5520417730"}
    assert kept == written["orders"]["LM2026110012"]


def test_every_date_of_the_demo_moves() -> None:
    moved = json.dumps(moved_on(load_collections(DEMO_DATA), timedelta(days=3650)))

    assert "2036-11-2" in moved
    assert not re.search(r"\b20(?:2\d)-\d\d-\d\d\b", moved)
