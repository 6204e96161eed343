import assert from "node:assert/strict";
import test from "node:test";
import { judge, Refusal } from "../../../ui/widget/api.mjs";
import { Outbox, pause_ms } from "../../../ui/widget/outbox.mjs";
import { memoryShelf, Store } from "../../../ui/widget/store.mjs";

/** A server that does what it is told, and what came of it. @param {(() => Promise<any> | any)[]} script One for each try. */
function scene(script, shelf = memoryShelf()) {
  const seen = { tried: /** @type {string[]} */ ([]), answered: /** @type {string[]} */ ([]), delayed: 0 };
  const outbox = new Outbox({
    keeper: new Store(shelf, "demo"),
    judge,
    deliver: async (letter) => {
      seen.tried.push(letter.key);
      return (script.shift() ?? (() => ({ id: letter.text })))();
    },
    answered: (_, turn) => seen.answered.push(turn.id),
    delayed: () => {
      seen.delayed++;
      queueMicrotask(() => setTimeout(() => outbox.hurry(), 1)); // the network is back
    },
    changed: () => undefined,
    alone: (work) => work(),
  });
  return { outbox, seen, shelf };
}

/** @param {() => boolean} happened */
async function until(happened) {
  for (let tries = 0; tries < 500 && !happened(); tries++) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.ok(happened());
}

const dead = () => { throw new Refusal(0, "unreachable", "no network"); };

test("messages are sent in order and then forgotten", async () => {
  const { outbox, seen } = scene([]);
  for (const text of ["one", "two", "three"]) outbox.add(text);

  await until(() => seen.answered.length == 3);

  assert.deepEqual(seen.answered, ["one", "two", "three"]);
  assert.deepEqual(outbox.letters, []);
});

test("a dead network delays a message, and every try has the same key", async () => {
  const { outbox, seen } = scene([dead, dead, dead]);
  const letter = outbox.add("hello");

  await until(() => seen.answered.length == 1);

  assert.deepEqual(seen.tried, Array(4).fill(letter.key));
  assert.equal(seen.delayed, 3);
});

test("a message outlives the page, and is sent with its old key", async () => {
  const first = scene([() => new Promise(() => undefined)]);
  const letter = first.outbox.add("hello");
  const second = scene([], first.shelf);

  await second.outbox.run();

  assert.deepEqual(second.seen.tried, [letter.key]);
  assert.deepEqual(second.seen.answered, ["hello"]);
});

test("what the server will never take is marked, and holds up nothing", async () => {
  const tooLong = () => { throw new Refusal(422, "message-too-long", "Please keep it under 2000."); };
  const { outbox, seen } = scene([tooLong]);
  const letter = outbox.add("x".repeat(5000));
  outbox.add("short");

  await until(() => seen.answered.length == 1);

  assert.equal(seen.answered[0], "short");
  assert.deepEqual(outbox.letters.map(({ key, failed }) => [key, failed]), [[letter.key, "Please keep it under 2000."]]);
});

test("a message that was taken back meanwhile is not answered", async () => {
  /** @type {(turn: unknown) => void} */
  let arrive = () => undefined;
  const { outbox, seen } = scene([() => new Promise((resolve) => (arrive = resolve))]);
  outbox.add("hello");
  await until(() => seen.tried.length == 1);
  outbox.clear();
  arrive({ id: "late" });
  await new Promise((resolve) => setTimeout(resolve, 10));

  assert.deepEqual(seen.answered, []);
});

test("keys are long and never the same", () => {
  const { outbox } = scene(Array(50).fill(() => new Promise(() => undefined)));
  const keys = new Set(Array.from({ length: 50 }, () => outbox.add("x").key));

  assert.equal(keys.size, 50);
  for (const key of keys) assert.match(key, /^[\da-f]{32}$/);
});

test("pauses grow to half a minute, and are never shorter than what the server asked for", () => {
  assert.deepEqual([1, 2, 3, 4, 5, 6, 20].map((tries) => pause_ms(tries, 0, 0.5)), [1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  assert.equal(pause_ms(1, 5000), 5000);
});

test("what may come right is tried again; what cannot is not", () => {
  for (const status of [0, 401, 403, 409, 429, 500, 503]) assert.equal(judge(new Refusal(status, "x", "y")).hopeless, "", String(status));
  for (const status of [400, 404, 413, 422]) assert.equal(judge(new Refusal(status, "x", "y")).hopeless, "y", String(status));
  assert.equal(judge(new Refusal(429, "x", "y", 7)).after_ms, 7000);
});
