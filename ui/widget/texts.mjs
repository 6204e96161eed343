// @ts-check
/** What the widget says, by language: texts-*.json, changed word for word by the option `texts`. */
import en from "./texts-en.json" with { type: "json" };
import hans from "./texts-zh-CN.json" with { type: "json" };
import hant from "./texts-zh-TW.json" with { type: "json" };

/** @typedef {"zh-CN" | "zh-TW" | "en"} Locale */
/** @typedef {Record<string, any>} Texts */

/** @type {Record<Locale, string>} */
export const LOCALES = { "zh-CN": "简体中文", "zh-TW": "繁體中文", en: "English" };

/**
 * The language for a wish such as "zh-Hant-HK" or "auto"; English where there is none.
 *
 * @param {string} wanted @param {string} page The language of the host page, "" for none. @param {string} browser
 * @returns {Locale}
 */
export function negotiate(wanted, page, browser) {
  const tag = (wanted && wanted != "auto" ? wanted : page || browser).toLowerCase();
  if (!/^zh\b/.test(tag)) return "en";
  return /\b(tw|hk|mo|hant)\b/.test(tag) ? "zh-TW" : "zh-CN";
}

/** @param {string} text @param {Record<string, string | number>} values */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (slot, name) => (Object.hasOwn(values, name) ? String(values[name]) : slot));
}

/** @type {Record<Locale, Texts>} */
const ALL = { "zh-CN": hans, "zh-TW": hant, en };

/** @param {Locale} locale @param {Texts | null} changes @returns {Texts} */
export function textsOf(locale, changes) {
  return { ...ALL[locale], ...changes };
}
