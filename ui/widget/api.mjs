// @ts-check
/** The server's side of the conversation: one method for each route, the visitor's token on each request. */
import { readEvents } from "./events.mjs";

/** @typedef {import("./conversation.mjs").Turn} Turn */
/** @typedef {import("./conversation.mjs").Letter} Letter */
/** @typedef {import("./options.mjs").Field} Field */
/** @typedef {{get: <T>(name: string, standard: T) => T, set: (name: string, value: unknown) => void}} Keeper */
/**
 * @typedef {object} Session
 * @property {string} token @property {string} conversation_id @property {boolean} new
 * @property {{id: string, name: string} | null} user
 * @property {{name: string, title: string, bot_name: string, contact: string}} site
 * @property {Field[]} prechat @property {string[]} suggestions @property {string} disclosure
 */

const SILENCE_MS = 45_000; // the server sends a sign of life every 15 s

/** The server said no, or was not there (status 0). */
export class Refusal extends Error {
  /** @param {number} status @param {string} slug @param {string} detail @param {number} after_s */
  constructor(status, slug, detail, after_s = 0) {
    super(detail || slug);
    this.status = status;
    this.slug = slug;
    this.detail = detail;
    this.after_s = after_s;
  }
}

/** Whether to send a message again, and when. @param {unknown} error */
export function judge(error) {
  if (!(error instanceof Refusal)) return { hopeless: "", after_ms: 0 };
  const again = error.status == 0 || error.status >= 500 || [401, 403, 408, 409, 425, 429].includes(error.status);
  return { hopeless: again ? "" : error.message, after_ms: error.after_s * 1000 };
}

export class Api {
  /** @type {Promise<Session> | null} */
  #opening = null;
  /** @type {AbortController} */
  #gone = new AbortController();

  /** @param {string} site @param {Keeper} keeper @param {() => string} locale
   * @param {() => Promise<string>} renew A new proof of who a signed-in visitor is, "" for nobody. */
  constructor(site, keeper, locale, renew) {
    this.site = site;
    this.keeper = keeper;
    this.locale = locale;
    this.renew = renew;
  }

  get known() {
    return this.keeper.get("token", "") != "";
  }

  /** Open the session, or go on with it; anew when an identity (a JWT of the site, "" for none) is given.
   * @param {string} [identity] @returns {Promise<Session>} */
  session(identity) {
    if (identity !== undefined) this.#opening = null;
    this.#opening ??= this.#open(identity).catch((error) => {
      this.#opening = null;
      throw error;
    });
    return this.#opening;
  }

  /** Forget the visitor. */
  forget() {
    this.#gone.abort();
    this.#gone = new AbortController();
    this.#opening = null;
    this.keeper.set("token", null);
  }

  /** @param {string} [identity] @returns {Promise<Session>} */
  async #open(identity) {
    const body = { site: this.site, locale: this.locale(), ...(identity ? { identity } : {}) };
    const session = await (await this.#fetch("POST", "session", body)).json();
    this.keeper.set("token", session.token);
    return session;
  }

  /** @returns {Promise<{id: string, turns: Turn[]}>} */
  async conversation() {
    return (await this.#call("GET", "conversation")).json();
  }

  /** What was said after the turn of this number; all of it when the conversation is another by now, null for nothing.
   * @param {string} id @param {number} after @returns {Promise<{id: string, turns: Turn[]} | null>} */
  async news(id, after) {
    const answer = await this.#call("GET", `conversation?${new URLSearchParams({ id, after: String(after) })}`);
    return answer.status == 204 ? null : answer.json();
  }

  /**
   * The turn of a message; `told` hears the reply so far.
   *
   * @param {Letter} letter @param {string} so_far What was heard before the stream broke. @param {(text: string) => void} told
   * @returns {Promise<Turn>}
   */
  async send(letter, so_far, told) {
    const headers = { Accept: "text/event-stream", ...(so_far ? { "Last-Event-ID": String([...so_far].length) } : {}) };
    const body = { text: letter.text, key: letter.key, locale: this.locale() };
    const response = await this.#call("POST", "messages", body, headers);
    if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) return response.json();
    let text = so_far;
    /** @type {Turn | null} */
    let turn = null;
    try {
      for await (const { event, data } of readEvents(/** @type {ReadableStream} */ (response.body), SILENCE_MS)) {
        const value = JSON.parse(data);
        if (event == "turn") turn = value;
        if (event == "error") throw new Refusal(value.status, value.type, value.detail, 1);
        if (event == "delta") told((text += value.text));
      }
    } catch (error) {
      if (!turn) throw error instanceof Refusal ? error : new Refusal(0, "cut", String(error));
    }
    if (turn) return turn;
    throw new Refusal(0, "cut", "The stream ended before the turn.");
  }

  /** @param {string} turn @param {{value: "up" | "down", reasons: string[], comment: string}} rating */
  feedback(turn, rating) {
    return this.#call("POST", `turns/${turn}/feedback`, rating);
  }

  /** @param {number} score @param {string} comment */
  csat(score, comment) {
    return this.#call("POST", "csat", { score, comment });
  }

  /** @param {string} email */
  sendTranscript(email) {
    return this.#call("POST", "transcript", { email });
  }

  async transcript() {
    return (await this.#call("GET", "transcript")).blob();
  }

  /** @param {Record<string, string>} fields */
  prechat(fields) {
    return this.#call("POST", "prechat", { fields });
  }

  /** @param {Record<string, unknown>} context */
  context(context) {
    const fields = Object.fromEntries(Object.entries(context).map(([name, value]) => [name, String(value).slice(0, 500)]));
    return this.#call("POST", "context", { fields });
  }

  /** A new conversation of the same visitor. @returns {Promise<Session>} */
  async reset() {
    const fresh = await (await this.#call("POST", "reset")).json();
    this.keeper.set("token", fresh.token);
    return fresh;
  }

  /** @param {string} method @param {string} route @param {unknown} [body] @param {Record<string, string>} [headers] */
  async #call(method, route, body, headers) {
    if (!this.known) await this.session();
    try {
      return await this.#fetch(method, route, body, headers);
    } catch (error) {
      if (!(error instanceof Refusal) || error.status != 401) throw error;
      const identity = await this.renew(); // run out, or signed in elsewhere
      this.keeper.set("token", null);
      await this.session(identity);
      return this.#fetch(method, route, body, headers);
    }
  }

  /** @param {string} method @param {string} route @param {unknown} [body] @param {Record<string, string>} [headers] */
  async #fetch(method, route, body, headers = {}) {
    const token = this.keeper.get("token", "");
    const response = await fetch(new URL(`../../api/widget/${route}`, import.meta.url), {
      method,
      signal: this.#gone.signal,
      credentials: "omit",
      cache: "no-store",
      headers: {
        "Accept-Language": this.locale(),
        ...(method == "POST" ? { "Content-Type": "application/json" } : {}),
        ...(token ? { Authorization: `Bearer ${token}` } : {}),
        ...headers,
      },
      body: method == "POST" ? JSON.stringify(body ?? {}) : undefined,
    }).catch((error) => {
      throw new Refusal(0, "unreachable", String(error));
    });
    if (response.ok) return response;
    const problem = await response.json().catch(() => ({}));
    const after_s = Number(response.headers.get("Retry-After")) || 0;
    throw new Refusal(response.status, String(problem.type ?? "").replace("urn:kefu:", ""), problem.detail ?? "", after_s);
  }
}
