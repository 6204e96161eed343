import assert from "node:assert/strict";
import test from "node:test";
import { choices, newDay, shownLetters, unreadOf, withTurn } from "../../../ui/widget/conversation.mjs";
import { hostOrigin } from "../../../ui/widget/host.mjs";
import { memoryShelf, Store } from "../../../ui/widget/store.mjs";

const AT = "2026-11-22T10:00:00+00:00";

/** @param {number} sequence @param {string} text @returns {import("../../../ui/widget/conversation.mjs").Turn} */
function turn(sequence, text = "hello", at = AT) {
  return {
    id: `t${sequence}`, sequence, decision: "answer", language: "en", message: { text, sent_at: at },
    reply: { text: "hi", citations: [], quick_replies: ["more"], finish: "complete" },
  };
}

test("turns stand in the server's order, each once", () => {
  const turns = [turn(3), turn(1), turn(2), turn(3)].reduce(withTurn, /** @type {any[]} */ ([]));

  assert.deepEqual(turns.map((one) => one.sequence), [1, 2, 3]);
});

test("what came after the last look is unread", () => {
  assert.equal(unreadOf([turn(1), turn(2), turn(3)], 1), 2);
  assert.equal(unreadOf([], 5), 0);
});

test("a letter whose turn is in the history already is not shown twice", () => {
  const letter = { key: "k", text: "hello ", at: Date.parse(AT) + 1000 };

  assert.deepEqual(shownLetters([letter], [turn(1)]), []);
  assert.deepEqual(shownLetters([letter], [turn(1, "another")]), [letter]);
  assert.deepEqual(shownLetters([{ ...letter, at: letter.at + 600_000 }], [turn(1)]).length, 1);
  assert.deepEqual(shownLetters([{ ...letter, failed: "too long" }], [turn(1)]).length, 1);
});

test("quick replies are those of the last reply, and none while something is under way", () => {
  const letter = { key: "k", text: "x", at: 0 };

  assert.deepEqual(choices([], [], ["start"]), ["start"]);
  assert.deepEqual(choices([turn(1)], [], ["start"]), ["more"]);
  assert.deepEqual(choices([turn(1)], [letter], ["start"]), []);
  assert.deepEqual(choices([turn(1)], [{ ...letter, failed: "no" }], []), ["more"]);
});

test("a day is named where it changes", () => {
  const today = new Date().toISOString();

  assert.equal(newDay(turn(1, "x", today), undefined, "en"), "");
  assert.equal(newDay(turn(1, "x", "2020-03-05T12:00:00Z"), undefined, "en"), "March 5");
  assert.equal(newDay(turn(2, "x", "2020-03-05T12:30:00Z"), turn(1, "x", "2020-03-05T12:00:00Z"), "en"), "");
  assert.equal(newDay(turn(2, "x", "2020-03-07T12:30:00Z"), turn(1, "x", "2020-03-05T12:00:00Z"), "zh-CN"), "3月7日");
});

test("a host page is only the one that the site allows, however it is written", () => {
  const allowed = "https://shop.example https://help.shop.example:8443";
  const at = (/** @type {string} */ origin) => hostOrigin(`#origin=${encodeURIComponent(origin)}`, allowed, "https://kefu.example");

  assert.equal(at("https://shop.example"), "https://shop.example");
  assert.equal(at("https://kefu.example"), "https://kefu.example");
  for (const foreign of ["https://evil.example", "https://shop.example.evil.example", "https://shop", "null", "*", "", "http://shop.example", "https://help.shop.example", "https://shop.example https://help.shop.example:8443"]) {
    assert.equal(at(foreign), "", foreign);
  }
});

test("the store keeps JSON apart by site, and survives a shelf that breaks", () => {
  const shelf = memoryShelf();
  const [one, other] = [new Store(shelf, "a"), new Store(shelf, "b")];
  one.set("token", "secret");

  assert.equal(one.get("token", ""), "secret");
  assert.equal(other.get("token", ""), "");
  one.set("token", null);
  assert.equal(one.get("token", "none"), "none");

  shelf.setItem("kefu:a:token", "{broken");
  assert.equal(one.get("token", "none"), "none");

  const full = new Store({ ...shelf, setItem: () => { throw new Error("quota"); } }, "a");
  full.set("token", "x");
});
