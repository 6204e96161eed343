import assert from "node:assert/strict";
import test from "node:test";
import { EventParser, readEvents } from "../../../ui/widget/events.mjs";

const STREAM = 'event: delta\nid: 5\ndata: {"text": "你好"}\n\n: keep-alive\n\nevent: turn\nid: t1\ndata: {"a":\ndata: 1}\n\n';

/** @param {string[]} pieces */
function read(pieces) {
  const parser = new EventParser();
  return pieces.flatMap((piece) => parser.push(piece));
}

test("events are the same however the network cuts them", () => {
  const whole = read([STREAM]);

  assert.deepEqual(whole, [
    { event: "delta", id: "5", data: '{"text": "你好"}' },
    { event: "turn", id: "t1", data: '{"a":\n1}' },
  ]);
  for (let at = 0; at <= STREAM.length; at++) assert.deepEqual(read([STREAM.slice(0, at), STREAM.slice(at)]), whole);
  assert.deepEqual(read([...STREAM]), whole);
});

test("lines may end as on any system", () => {
  const crlf = STREAM.replaceAll("\n", "\r\n");

  assert.deepEqual(read([crlf]), read([STREAM]));
  for (let at = 0; at <= crlf.length; at++) assert.deepEqual(read([crlf.slice(0, at), crlf.slice(at)]), read([STREAM]));
});

test("half an event at the end is none", () => {
  assert.deepEqual(read(["event: turn\ndata: {}\n"]), []);
});

test("letters that the network cuts in the middle arrive whole", async () => {
  const bytes = new TextEncoder().encode(STREAM);
  const body = new ReadableStream({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });

  const found = [];
  for await (const event of readEvents(body, 1000)) found.push(event);

  assert.deepEqual(found, read([STREAM]));
});

test("a stream that falls silent is dead", async () => {
  const body = new ReadableStream({ start: () => undefined });

  await assert.rejects(async () => {
    for await (const _ of readEvents(body, 20));
  }, /silent/);
});
