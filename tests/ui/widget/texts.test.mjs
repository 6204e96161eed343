import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import { fill, LOCALES, negotiate } from "../../../ui/widget/texts.mjs";

const folder = new URL("../../../ui/widget/", import.meta.url);
const texts = Object.fromEntries(Object.keys(LOCALES).map((locale) => [locale, JSON.parse(readFileSync(new URL(`texts-${locale}.json`, folder), "utf8"))]));

test("every language says everything, with the same slots", () => {
  const slots = (/** @type {unknown} */ text) => JSON.stringify(text).match(/\{\w+\}/g)?.sort() ?? [];

  for (const [locale, said] of Object.entries(texts)) {
    assert.deepEqual(Object.keys(said), Object.keys(texts.en), locale);
    for (const [name, text] of Object.entries(said)) {
      assert.deepEqual(slots(text), slots(texts.en[name]), `${locale} ${name}`);
      assert.equal(Array.isArray(text) ? text.length : 0, Array.isArray(texts.en[name]) ? texts.en[name].length : 0, `${locale} ${name}`);
    }
  }
});

test("every text that the code asks for is there, and no other", () => {
  const code = readdirSync(folder).filter((name) => name.endsWith(".mjs")).map((name) => readFileSync(new URL(name, folder), "utf8")).join("\n");
  const asked = new Set([...code.matchAll(/\btexts\.([a-z_]+)\b(?!js)/g)].map(([, name]) => name).filter((name) => name != "mjs"));

  assert.deepEqual([...asked].filter((name) => !(name in texts.en)), []);
  assert.deepEqual(Object.keys(texts.en).filter((name) => !asked.has(name)), []);
});

test("Traditional Chinese text has no simplified characters", () => {
  const simplified = /[们这对话会发输户务说请为时结复输问线闭录邮转样议应该还没错误迟录载]/;

  assert.equal(JSON.stringify(texts["zh-TW"]).match(simplified), null);
});

test("a wish for a language finds the nearest that there is", () => {
  const cases = [
    ["zh-CN", "", "", "zh-CN"], ["zh-TW", "", "", "zh-TW"], ["zh-HK", "", "", "zh-TW"], ["zh-Hant-SG", "", "", "zh-TW"],
    ["zh", "", "", "zh-CN"], ["ZH-tw", "", "", "zh-TW"], ["en-GB", "", "", "en"], ["ar", "", "", "en"], ["zha", "", "", "en"],
    ["auto", "zh-TW", "en", "zh-TW"], ["auto", "", "zh-CN", "zh-CN"], ["", "en", "zh", "en"],
  ];

  for (const [wanted, page, browser, expected] of cases) assert.equal(negotiate(wanted, page, browser), expected, wanted);
});

test("only named slots are filled", () => {
  assert.equal(fill("{bot} {other} {constructor}", { bot: "Lumi" }), "Lumi {other} {constructor}");
  assert.equal(fill("{bot}", { bot: "{bot} $&" }), "{bot} $&");
});
