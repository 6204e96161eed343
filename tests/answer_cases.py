"""Passages, a chat model that says what it is told, and a small OpenAI-compatible server with bad manners."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from knowledge.types import Hit, Passage


def _passage(name: str, title: str, text: str, locale: str) -> Passage:
    return Passage(name, text, title, "document", locale)


EN = (
    _passage(
        "returns",
        "Returns Policy > Return window",
        "Most items can be returned within 30 days of delivery. The item must be unused and in its original packaging. "
        "Opened earphones and memory cards cannot be returned for hygiene and data reasons. Return shipping is free if "
        "the item is defective; otherwise a fee of $6.90 is deducted from the refund. Refunds are sent to the original "
        "payment method within 5 business days after we receive the item.",
        "en",
    ),
    _passage(
        "shipping",
        "Shipping Guide > Delivery times",
        "Standard delivery takes 3 to 5 business days and is free for orders over $49. Express delivery takes 1 to 2 "
        "business days and costs $12.90. We do not deliver to PO boxes. Orders placed before 2 pm on a business day are "
        "shipped the same day. You receive an e-mail with the tracking number as soon as the parcel leaves our warehouse. "
        "Laptops can be collected in the shop, but batteries cannot.",
        "en",
    ),
    _passage(
        "warranty",
        "Warranty Terms > Coverage",
        "All electronics have a 24-month warranty from the date of delivery. The warranty covers manufacturing defects "
        "but not damage from drops or water. To claim, send a photo of the defect and the invoice to service@example.com. "
        "Repairs usually take 10 business days. Batteries are covered for 12 months only. The promotion ends on "
        "March 5, 2027. Call 400-800-1234 or open https://lumo.example.com/repair. The Lumo X200 weighs 1,250 g.",
        "en",
    ),
)
ZH = (
    _passage(
        "退货",
        "退货政策 > 退货期限",
        "大多数商品可在签收后30天内申请退货。商品须未使用且保留原包装。耳机和存储卡拆封后因卫生和数据原因不支持退货。"
        "商品有质量问题时退货运费由我们承担，其他情况将从退款中扣除15元运费。我们收到退货后5个工作日内将退款退回原支付账户。",
        "zh",
    ),
    _passage(
        "配送",
        "配送指南 > 配送时效",
        "标准配送需要3到5个工作日，订单满199元免运费。加急配送需要1到2个工作日，费用为25元。我们暂不支持配送到港澳台地区。"
        "工作日14点前下单当天发货。包裹出库后您会收到含运单号的短信。",
        "zh",
    ),
    _passage(
        "保修",
        "保修条款 > 保修范围",
        "所有电子产品自签收之日起享受24个月保修。保修涵盖制造缺陷，不包括摔落或进水造成的损坏。申请保修请将故障照片和发票发送至"
        "service@example.com。维修通常需要10个工作日。电池的保修期为12个月。活动截止到2027年3月5日。请拨打400-800-1234，"
        "或打开“我的订单”页面。《服务协议》自2026年1月1日起生效。",
        "zh",
    ),
)


def hits(*passages: Passage) -> list[Hit]:
    """Hits in this order."""
    return [Hit(passage, 0.9, rank, passage.title) for rank, passage in enumerate(passages, 1)]


class FakeChat(BaseChatModel):
    """Streams the given pieces; an exception among them is raised, a number is slept."""

    pieces: list[Any]
    asked: list[Any] = []  # noqa: RUF012 - pydantic copies it
    closed: Any = None

    def model_post_init(self, context: Any, /) -> None:
        super().model_post_init(context)
        self.closed = threading.Event()

    @property
    def _llm_type(self) -> str:
        return "fake"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError

    def _stream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        self.asked.append(messages)
        try:
            for piece in self.pieces:
                if isinstance(piece, Exception):
                    raise piece
                if isinstance(piece, float):
                    time.sleep(piece)
                    continue
                reason = {"finish_reason": "length"} if piece == "<length>" else {}
                text = "" if reason else piece
                yield ChatGenerationChunk(message=AIMessageChunk(content=text, response_metadata=reason))
        finally:
            self.closed.set()


class _Rude(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    server: Any

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
        pass

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        self.server.requests.append(json.loads(self.rfile.read(length)))
        try:
            self.server.mode(self)
        except (BrokenPipeError, ConnectionResetError):
            self.server.dropped.set()

    def start(self, status: int = 200, kind: str = "text/event-stream") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.end_headers()

    def say(self, text: str, **more: Any) -> None:
        choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None} | more
        body = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        self.raw(f"data: {json.dumps(body)}\n\n".encode())

    def raw(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()


def polite(door: _Rude) -> None:
    door.start()
    for word in ("Express ", "delivery ", "costs ", "$12.90."):
        door.say(word)
    door.raw(b"data: [DONE]\n\n")


def broken(door: _Rude) -> None:
    door.start(500, "application/json")
    door.raw(b'{"error": {"message": "out of memory"}}')


def garbage(door: _Rude) -> None:
    door.start()
    door.raw(b"data: {not json\xff\n\n")


def empty(door: _Rude) -> None:
    door.start()
    door.raw(
        b'data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}\n\ndata: [DONE]\n\n'
    )


def slow(door: _Rude) -> None:
    time.sleep(0.6)
    polite(door)


def drip(door: _Rude) -> None:
    door.start()
    for _ in range(100):
        door.say("a")
        time.sleep(0.05)


def endless(door: _Rude) -> None:
    door.start()
    while True:
        door.say("words without end ")


def cut(door: _Rude) -> None:
    door.start()
    door.say("Express delivery costs")


@contextmanager
def openai_server(mode: Any) -> Iterator[ThreadingHTTPServer]:
    """Serve on loopback in the given mode; `requests` holds what was asked, `dropped` tells of a hang-up."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Rude)
    server.daemon_threads = True
    server.mode, server.requests, server.dropped = mode, [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def texts(pieces: Sequence[Any]) -> str:
    """The deltas of a reply, joined."""
    return "".join(piece.text for piece in pieces[:-1])
