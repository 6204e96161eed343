import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { NAMES, readOptions } from "../../../ui/widget/options.mjs";

const readme = readFileSync(new URL("../../../ui/widget/README.md", import.meta.url), "utf8");
const loader = readFileSync(new URL("../../../ui/widget/widget.js", import.meta.url), "utf8");

test("good options are taken and nothing is said", () => {
  const { options, complaint } = readOptions({ bot: "demo", color: "#0f6b5c", locale: "zh-TW", width: "400", prechat: "false", texts: '{"send": "Go"}' });

  assert.equal(complaint, "");
  assert.equal(options.color, "#0f6b5c");
  assert.equal(options.prechat, false);
  assert.deepEqual(options.texts, { send: "Go" });
});

test("everything that is wrong is told in one line, with what was probably meant", () => {
  const { options, complaint } = readOptions({ bot: "demo", colour: "#fff", color: "red", colorscheme: "dark", position: "top", frobnicate: 1 });

  assert.ok(!complaint.includes("\n"));
  assert.match(complaint, /unknown option "colour" \(did you mean "color"\?\)/);
  assert.match(complaint, /unknown option "colorscheme" \(did you mean "colorScheme"\?\)/);
  assert.match(complaint, /option "color" cannot be "red"/);
  assert.match(complaint, /option "position" cannot be "top"/);
  assert.match(complaint, /unknown option "frobnicate"; |unknown option "frobnicate"\./);
  assert.equal(options.color, "#2f54eb");
});

test("names that every object has are no options", () => {
  const { complaint } = readOptions(JSON.parse('{"bot": "demo", "__proto__": 1, "constructor": 2, "toString": 3}'));

  for (const name of ["__proto__", "constructor", "toString"]) assert.match(complaint, new RegExp(`unknown option "${name}"`));
});

test("every option that the loader reads is a known one", () => {
  const read = [...loader.matchAll(/(?:option|number)\("(\w+)"/g)].map(([, name]) => name);

  assert.ok(read.length > 8);
  assert.deepEqual(read.filter((name) => !NAMES.includes(name)), []);
});

test("the README tells every option, and none that is not", () => {
  const told = [...readme.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);

  for (const name of NAMES) assert.ok(told.includes(name), name);
});

test("the README tells every method", () => {
  const methods = [...loader.matchAll(/^ {4}(\w+)(?::|\()/gm)].map(([, name]) => name);

  for (const name of ["open", "close", "toggle", "setUser", "setLocale", "setContext", "sendMessage", "on", "off", "reset", "destroy", "boot", "push"]) {
    assert.ok(methods.includes(name), name);
    assert.ok(readme.includes(`\`${name}(`), name);
  }
});
