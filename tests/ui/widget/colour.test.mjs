import assert from "node:assert/strict";
import test from "node:test";
import { contrast, palette, parse, readableOn, READABLE } from "../../../ui/widget/colour.mjs";

const BRANDS = ["#000", "#fff", "#ff0", "#f00", "#0f0", "#00f", "#777777", "#0f6b5c", "#2f54eb", "#ffd400", "#7f7f7f", "#e91e63"];
const GROUNDS = { light: ["#ffffff", "#f6f7fa", "#eef0f5"], dark: ["#14161d", "#20232d", "#2a2d38"] };

test("short and long colours are the same", () => {
  assert.deepEqual(parse("#1af"), parse("#11aaff"));
});

test("contrast is what WCAG computes", () => {
  assert.equal(contrast("#000000", "#ffffff"), 21);
  assert.ok(Math.abs(contrast("#777777", "#ffffff") - 4.48) < 0.01);
});

for (const dark of [false, true]) {
  test(`any brand's colour stays readable on every ${dark ? "dark" : "light"} ground`, () => {
    for (let red = 0; red < 256; red += 51) {
      for (let green = 0; green < 256; green += 51) {
        for (let blue = 0; blue < 256; blue += 51) BRANDS.push(`#${[red, green, blue].map((c) => c.toString(16).padStart(2, "0")).join("")}`);
      }
    }

    for (const brand of BRANDS) {
      const { brand: fill, "brand-ink": ink, accent } = palette(brand, dark);
      assert.ok(contrast(fill, ink) >= READABLE, `${brand}: ${ink} on ${fill}`);
      for (const ground of dark ? GROUNDS.dark : GROUNDS.light) assert.ok(contrast(accent, ground) >= READABLE, `${brand}: ${accent} on ${ground}`);
    }
  });
}

test("a colour that is readable already is not touched", () => {
  assert.equal(readableOn("#0f6b5c", "#ffffff"), "#0f6b5c");
  assert.equal(palette("#2f54eb", false).brand, "#2f54eb");
});
