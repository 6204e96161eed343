"""What a client of /api is promised."""

from __future__ import annotations

import asyncio
import re

import pytest
from server_fakes import FakeService, held, running, until

from knowledge.errors import ConflictError, KefuError, StoreError
from ui.server.app import context_of

pytestmark = pytest.mark.anyio
HERE = "/api/conversations/conversation-1"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_new_conversation_has_an_id_that_cannot_be_guessed_and_can_be_read() -> None:
    async with running() as (_, client):
        first = await client.post("/api/conversations", json={"locale": "zh-TW", "channel": "widget"})
        second = await client.post("/api/conversations")

        read = await client.get(f"/api/conversations/{first.json()['id']}")

    assert first.status_code == second.status_code == 201
    assert len(first.json()["id"]) == 24
    assert first.json()["id"] != second.json()["id"]
    assert read.json() == {"id": first.json()["id"], "locale": "zh-TW", "channel": "widget", "turns": []}


async def test_a_message_is_answered_with_its_sources_and_without_what_the_guard_refused() -> None:
    service = FakeService()
    async with running(service) as (_, client):
        answer = await client.post(
            f"{HERE}/messages", json={"text": " Can I return it? \x00", "locale": "en"}
        )

    shown = answer.json()
    assert answer.status_code == 200
    assert shown["message"]["text"] == "Can I return it?"
    assert shown["reply"]["text"] == "You can return it within 30 days."
    assert shown["reply"]["citations"][0]["url"] == "https://shop.example/returns"
    assert shown["reply"]["quick_replies"] == ["How do I return it?"]
    assert shown["decision"] == "answer"
    assert "refused" not in answer.text
    assert service.bot.began[0].locale == "en"


async def test_a_conversation_shows_its_turns_in_order() -> None:
    service = FakeService()
    service.store.create_conversation(channel="web", conversation_id="conversation-1")
    async with running(service) as (_, client):
        for text in ("one", "two"):
            await client.post(f"{HERE}/messages", json={"text": text})

        read = await client.get(HERE)

    assert [turn["message"]["text"] for turn in read.json()["turns"]] == ["one", "two"]
    assert [turn["sequence"] for turn in read.json()["turns"]] == [1, 2]


@pytest.mark.parametrize(
    "path", ["/api/conversations/nobody-knows", "/api/turns/nothing", "/api/nowhere", "/"]
)
async def test_what_does_not_exist_is_a_problem_404_with_a_request_id(path: str) -> None:
    async with running() as (_, client):
        answer = await client.get(path, headers={"X-Request-ID": "my-own-id-1"})

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "my-own-id-1"
    assert answer.json().keys() == {"type", "title", "status", "detail", "instance", "request_id"}


async def test_a_request_id_that_could_forge_a_log_line_is_replaced() -> None:
    async with running() as (_, client):
        answer = await client.get("/healthz", headers={"X-Request-ID": 'a" \t{"event":"forged"}'})

    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


async def test_the_same_key_gives_the_same_turn_whether_in_the_body_or_in_the_header() -> None:
    async with running() as (_, client):
        first = await client.post(f"{HERE}/messages", json={"text": "hi", "key": "key-1"})
        again = await client.post(
            f"{HERE}/messages", json={"text": "hi"}, headers={"Idempotency-Key": "key-1"}
        )
        torn = await client.post(
            f"{HERE}/messages", json={"text": "hi", "key": "key-1"}, headers={"Idempotency-Key": "key-2"}
        )

    assert again.json() == first.json()
    assert torn.status_code == 422


async def test_a_key_used_for_another_text_is_422() -> None:
    async with running() as (_, client):
        await client.post(f"{HERE}/messages", json={"text": "hi", "key": "key-1"})

        other = await client.post(f"{HERE}/messages", json={"text": "something else", "key": "key-1"})

    assert other.status_code == 422
    assert other.json()["type"] == "urn:kefu:key-used"


async def test_a_key_that_is_being_answered_is_409_with_a_time_to_come_back() -> None:
    service = FakeService()
    service.bot.gate, go = held()
    async with running(service) as (_, client):
        first = client.post(f"{HERE}/messages", json={"text": "hi", "key": "key-1"})
        task = asyncio.ensure_future(first)
        await until(lambda: service.bot.began)

        twin = await client.post(f"{HERE}/messages", json={"text": "hi", "key": "key-1"})
        go.set()

        assert (await task).status_code == 200
    assert twin.status_code == 409
    assert twin.headers["retry-after"] == "1"
    assert len(service.bot.began) == 1


async def test_a_key_that_another_process_answers_is_409_too() -> None:
    service = FakeService()
    service.bot.error = ConflictError("An earlier message is still being answered. Wait.")
    async with running(service) as (_, client):
        answer = await client.post(f"{HERE}/messages", json={"text": "hi"})

    assert answer.status_code == 409


async def test_a_turn_is_explained_with_hits_scores_timings_and_versions() -> None:
    async with running() as (_, client):
        turn = (await client.post(f"{HERE}/messages", json={"text": "hi"})).json()

        why = (await client.get(f"/api/turns/{turn['id']}")).json()

    assert why["hits"][0]["features"] == {"cosine": 0.88}
    assert why["hits"][0]["score"] == 0.93
    assert why["decision"]["kind"] == "answer"
    assert why["reason"] == "The best hit is certain enough."
    assert why["seconds"]["search"] == 0.004
    assert why["versions"] == {"index": "1-abc"}
    assert why["reply"]["refused"] == ["secret thing the guard refused"]


async def test_feedback_is_stored_and_counted() -> None:
    service = FakeService()
    async with running(service) as (_, client):
        turn = (await client.post(f"{HERE}/messages", json={"text": "hi"})).json()
        path = f"/api/turns/{turn['id']}/feedback"

        good = await client.post(
            path,
            content=r'{"value": "down", "reasons": ["wrong"], "comment": "No.\u0000"}',
            headers={"Content-Type": "application/json"},
        )
        bad = await client.post(path, json={"value": "sideways"})
        lost = await client.post("/api/turns/unknown/feedback", json={"value": "up"})
        metrics = (await client.get("/metrics")).text

    assert (good.status_code, bad.status_code, lost.status_code) == (204, 422, 404)
    assert [(r.value, r.reasons, r.comment) for r in service.store.rated] == [("down", ("wrong",), "No.")]
    assert 'kefu_ratings_total{value="down"} 1.0' in metrics


async def test_suggestions_speak_the_language_of_the_page() -> None:
    async with running() as (_, client):
        chinese = await client.get("/api/suggestions", params={"locale": "zh"})
        english = await client.get("/api/suggestions", params={"locale": "en"})

    assert chinese.json() == {"suggestions": ["怎么退货？"]}
    assert english.json() == {"suggestions": ["How do I return it?"]}


async def test_ready_is_503_with_the_reasons_until_every_part_is() -> None:
    service = FakeService(checks={"database": "ok", "index": "is being built"})
    async with running(service) as (app, client):
        waiting = await client.get("/readyz")
        service.checks = {"database": "ok", "index": "ok"}
        ready = await client.get("/readyz")
        context_of(app).closing.ask(cut_after_s=60)
        stopping = await client.get("/readyz")
        alive = await client.get("/healthz")

    assert waiting.status_code == stopping.status_code == 503
    assert waiting.json()["checks"] == {"index": "is being built"}
    assert "is being built" in waiting.json()["detail"]
    assert ready.json()["status"] == "ok"
    assert alive.status_code == 200


async def test_a_ready_check_that_hangs_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.server.health._READY_TIMEOUT_S", 0.05)
    service = FakeService()
    gate, go = held()
    service.ready = lambda: gate() and {}  # type: ignore[method-assign, assignment, return-value]
    async with running(service) as (_, client):
        answer = await client.get("/readyz")
        go.set()

    assert answer.status_code == 503
    assert "did not answer" in answer.json()["checks"]["ready"]


async def test_metrics_count_turns_stages_and_requests_by_route_and_not_by_id() -> None:
    async with running() as (_, client):
        await client.post(f"{HERE}/messages", json={"text": "hi"})

        page = await client.get("/metrics")

    assert page.headers["content-type"].startswith("text/plain")
    assert 'kefu_turns_total{decision="answer",finish="complete"} 1.0' in page.text
    assert 'kefu_stage_seconds_count{stage="search"} 1.0' in page.text
    assert 'route="/api/conversations/{conversation_id}/messages",status="200"} 1.0' in page.text
    assert "conversation-1" not in page.text
    assert "kefu_build_info{version=" in page.text
    assert "kefu_turns_under_way 0.0" in page.text


async def test_two_apps_in_one_process_count_apart() -> None:
    async with running() as (_, one), running() as (_, other):
        await one.post(f"{HERE}/messages", json={"text": "hi"})

        page = (await other.get("/metrics")).text

    assert "kefu_turns_total{" not in page


async def test_the_documentation_needs_nothing_from_elsewhere_and_can_be_switched_off() -> None:
    async with running() as (_, client):
        page = await client.get("/docs")
        schema = (await client.get("/openapi.json")).json()
    async with running(server={"docs": False}) as (_, client):
        off = [(await client.get(path)).status_code for path in ("/docs", "/openapi.json")]

    assert "<script" not in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert all(path in page.text for path in schema["paths"])
    assert "ShownTurn" in page.text
    assert off == [404, 404]


async def test_the_routes_are_these_and_no_others() -> None:
    async with running() as (_, client):
        paths = (await client.get("/openapi.json")).json()["paths"]

    assert {(method, path) for path, methods in paths.items() for method in methods} == {
        ("post", "/api/conversations"),
        ("get", "/api/conversations/{conversation_id}"),
        ("post", "/api/conversations/{conversation_id}/messages"),
        ("get", "/api/suggestions"),
        ("get", "/api/turns/{turn_id}"),
        ("post", "/api/turns/{turn_id}/feedback"),
        ("post", "/v1/chat/completions"),
        ("get", "/v1/models"),
        ("get", "/healthz"),
        ("get", "/readyz"),
        ("get", "/metrics"),
    }


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StoreError("The database /srv/kefu.db is full. Free some space."), 503),
        (KefuError("The model file /srv/secret is gone. Fetch it."), 503),
        (RuntimeError("password=hunter2"), 500),
    ],
)
async def test_customers_never_see_what_went_wrong_inside(error: Exception, status: int) -> None:
    service = FakeService()
    service.bot.error = error
    async with running(service) as (_, client):
        english = await client.post(f"{HERE}/messages", json={"text": "hi"})
        chinese = await client.post(
            f"{HERE}/messages", json={"text": "你好"}, headers={"Accept-Language": "zh-CN,en;q=0.5"}
        )

    assert english.status_code == chinese.status_code == status
    assert "srv" not in english.text
    assert "hunter2" not in english.text
    assert "Traceback" not in english.text
    assert re.search("[一-鿿]", chinese.json()["detail"])
    assert (status == 500) == ("retry-after" not in english.headers)


async def test_a_failure_outside_the_bot_is_a_problem_too() -> None:
    service = FakeService()
    service.suggestions = lambda locale: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    async with running(service) as (_, client):
        answer = await client.get("/api/suggestions")

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]


async def test_a_read_that_hangs_ends_with_503(monkeypatch: pytest.MonkeyPatch) -> None:
    service = FakeService()
    gate, go = held()
    service.suggestions = lambda locale: gate() and []  # type: ignore[method-assign, assignment, return-value]
    async with running(service) as (app, client):
        monkeypatch.setitem(type(context_of(app)).read.__kwdefaults__, "timeout_s", 0.05)
        answer = await client.get("/api/suggestions")
        go.set()

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
