// @ts-check
/** The brand's colour, kept readable: contrast as WCAG 2.2 computes it, at least 4.5 for text. */

/** @typedef {[number, number, number]} Rgb */

export const READABLE = 4.5;

/** @param {string} hex "#abc" or "#aabbcc" @returns {Rgb} */
export function parse(hex) {
  const digits = hex.length == 4 ? [...hex.slice(1)].map((digit) => digit + digit) : hex.slice(1).match(/../g) ?? [];
  const [r, g, b] = digits.map((pair) => parseInt(pair, 16));
  return [r, g, b];
}

/** @param {Rgb} rgb */
export function hex(rgb) {
  return "#" + rgb.map((channel) => Math.round(channel).toString(16).padStart(2, "0")).join("");
}

/** @param {Rgb} rgb */
function luminance(rgb) {
  const [r, g, b] = rgb.map((channel) => {
    const part = channel / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** @param {string} one @param {string} other @returns {number} 1..21 */
export function contrast(one, other) {
  const [low, high] = [luminance(parse(one)), luminance(parse(other))].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** The colour moved toward black or white, no farther than it must be, until it is readable on the ground.
 * @param {string} colour @param {string} ground */
export function readableOn(colour, ground) {
  const target = contrast("#000000", ground) > contrast("#ffffff", ground) ? 0 : 255;
  for (let step = 0; step <= 40; step++) {
    const moved = hex(/** @type {Rgb} */ (parse(colour).map((channel) => channel + ((target - channel) * step) / 40)));
    if (contrast(moved, ground) >= READABLE) return moved;
  }
  return target ? "#ffffff" : "#000000";
}

/** Colours for the style sheet's variables. @param {string} brand @param {boolean} dark */
export function palette(brand, dark) {
  const ink = contrast("#ffffff", brand) >= READABLE ? "#ffffff" : contrast("#111111", brand) >= READABLE ? "#111111" : "#ffffff";
  const fill = contrast(ink, brand) >= READABLE ? hex(parse(brand)) : readableOn(brand, ink);
  // Of the grounds on which the accent stands, the one that is nearest to it.
  return { brand: fill, "brand-ink": ink, accent: readableOn(brand, dark ? "#2a2d38" : "#eef0f5") };
}
