import assert from "node:assert/strict";
import test from "node:test";
import { News, pace_ms } from "../../../ui/widget/news.mjs";

/** A clock that is moved by hand, and news that count how often somebody looked. */
function made(look = async () => {}) {
  const world = { time: 1000, seen: "open", looks: 0, planned: /** @type {any} */ (null) };
  const news = new News({
    look: () => (world.looks++, look()),
    seen: () => /** @type {"open"} */ (world.seen),
    later: (wake, ms) => (world.planned = { wake, ms }),
    never: () => void (world.planned = null),
    now: () => world.time,
  });
  const wait = async () => {
    const { wake, ms } = world.planned;
    world.time += ms;
    world.planned = null;
    wake();
    await new Promise(setImmediate);
    return ms;
  };
  return { world, news, wait };
}

test("the longer nothing happens, the less often it looks", async () => {
  const { world, news, wait } = made();
  news.stir();

  const paces = [];
  for (let at = 0; at < 60; at++) paces.push(await wait());

  assert.equal(paces[0], 3000);
  assert.ok(paces.every((pace, at) => at == 0 || pace >= paces[at - 1]));
  assert.equal(paces.at(-1), 30_000);
  assert.equal(world.looks, 60);
  news.stir();
  assert.equal(world.planned.ms, 3000);
});

test("a closed window looks seldom, one that nobody sees never", async () => {
  const { world, news } = made();

  world.seen = "closed";
  news.stir();
  assert.equal(world.planned.ms, 30_000);
  world.seen = "away";
  news.stir();
  assert.equal(world.planned, null);
  news.hurry();
  assert.equal(world.looks, 0);
});

test("whoever comes back sees at once what was said, asked for once", async () => {
  const { world, news } = made();

  news.hurry();
  news.hurry();
  await new Promise(setImmediate);

  assert.equal(world.looks, 1);
  assert.equal(world.planned.ms, 3000);
});

test("a server that is away is asked less often and nothing breaks", async () => {
  const { world, news } = made(() => Promise.reject(new Error("away")));
  world.time = 10 ** 9;

  news.hurry();
  await new Promise(setImmediate);

  assert.equal(world.planned.ms, 30_000);
});

test("the pace is between three and thirty seconds", () => {
  assert.equal(pace_ms(0, true), 3000);
  assert.equal(pace_ms(100_000, true), 10_000);
  assert.equal(pace_ms(10 ** 9, true), 30_000);
});
