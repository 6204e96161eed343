import json

import httpx
import pytest

from chatbot.answer.webhook import Fetched, HttpCaller
from knowledge.sources.intents import Webhook

HOOK = Webhook(url="/orders/{order_id}?lang={lang}", fills=["status", "count", "paid", "note"])


def caller(handler, **options) -> HttpCaller:  # type: ignore[no-untyped-def]
    return HttpCaller("http://shop.example/api/", transport=httpx.MockTransport(handler), **options)


def test_the_named_values_of_the_answer_come_back_as_text() -> None:
    def service(request: httpx.Request) -> httpx.Response:
        assert (request.method, str(request.url)) == ("GET", "http://shop.example/api/orders/A1?lang=en")
        return httpx.Response(
            200, json={"status": "sent", "count": 3.0, "paid": True, "note": None, "secret": "x", "other": {}}
        )

    fetched = caller(service)(HOOK, {"order_id": "A1", "lang": "en"})

    assert fetched == Fetched("found", {"status": "sent", "count": "3", "paid": "true"})


def test_a_customer_s_value_stays_one_piece_of_the_address() -> None:
    seen = []
    service = caller(lambda request: (seen.append(request.url.raw_path), httpx.Response(200, json={}))[1])

    service(HOOK, {"order_id": "../../admin?x=1#y", "lang": "a&b=c 中"})

    assert seen == [b"/api/orders/..%2F..%2Fadmin%3Fx%3D1%23y?lang=a%26b%3Dc%20%E4%B8%AD"]


@pytest.mark.parametrize("value", ["..", ".", ""])
def test_dots_and_nothing_are_not_sent(value: str) -> None:
    fetched = caller(lambda request: pytest.fail("it was asked"))(HOOK, {"order_id": value, "lang": "en"})

    assert fetched.outcome == "failed"


def test_404_means_not_found() -> None:
    assert (
        caller(lambda request: httpx.Response(404))(HOOK, {"order_id": "1", "lang": "e"}).outcome
        == "not_found"
    )


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(302, headers={"location": "http://169.254.169.254/"}),
        httpx.Response(204),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, content=b"\xff\xfe"),
        httpx.Response(200, content=b"[1]"),
        httpx.Response(200, content=b"[" * 60_000),
        httpx.Response(200, content=json.dumps({"status": "x" * 70_000}).encode()),
    ],
)
def test_anything_but_a_small_json_object_is_a_failure(answer: httpx.Response) -> None:
    fetched = caller(lambda request: answer)(HOOK, {"order_id": "1", "lang": "e"})

    assert fetched.outcome == "failed"
    assert fetched.problem


def test_a_service_that_is_not_there_is_a_failure() -> None:
    def service(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    assert caller(service)(HOOK, {"order_id": "1", "lang": "e"}).outcome == "failed"


def test_a_service_that_drips_is_stopped_at_the_deadline() -> None:
    class Drip(httpx.SyncByteStream):
        def __iter__(self):  # type: ignore[no-untyped-def]
            while True:
                yield b" "

    fetched = caller(lambda request: httpx.Response(200, stream=Drip()), timeout_s=0.0001)(
        HOOK, {"order_id": "1", "lang": "e"}
    )

    assert fetched.outcome == "failed"


@pytest.mark.parametrize(("base", "url"), [("", "/orders"), ("http://shop.example", "file:///etc/passwd")])
def test_an_address_that_is_no_web_address_is_not_asked(base: str, url: str) -> None:
    hook = HttpCaller(base, transport=httpx.MockTransport(lambda request: pytest.fail("it was asked")))

    assert hook(Webhook(url=url, fills=[]), {}).outcome == "failed"

    hook.close()
