// @ts-check
/**
 * The widget as a module, for sites that bundle their scripts:
 *
 *     import { boot, open } from "https://HOST/widget.mjs";
 *     boot({ bot: "demo" });
 *
 * Bundled, it no longer knows where it came from: name the host, boot({ bot: "demo", host: "https://HOST" }).
 */
import "./widget.js";

/** @typedef {Record<string, any>} Settings */

const kefu = /** @type {any} */ (globalThis).kefu;

/** Start the widget, and end the one that was there. @param {Settings} settings */
export const boot = (settings) => kefu.boot({ host: new URL(".", import.meta.url).href, ...settings });

export const { open, close, toggle, setUser, setLocale, setContext, sendMessage, reset, destroy, on, off } = kefu;

export default { boot, open, close, toggle, setUser, setLocale, setContext, sendMessage, reset, destroy, on, off };
