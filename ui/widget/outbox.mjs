// @ts-check
/**
 * Messages on their way: kept in storage until their turn has come back, sent in order, again and again with the
 * same key. Neither a reload nor a dead network loses or doubles one.
 */

/** @typedef {import("./conversation.mjs").Letter} Letter */
/** @typedef {import("./conversation.mjs").Turn} Turn */
/** @typedef {{get: <T>(name: string, standard: T) => T, set: (name: string, value: unknown) => void}} Keeper */
/**
 * @typedef {object} Outside
 * @property {Keeper} keeper
 * @property {(letter: Letter) => Promise<Turn>} deliver
 * @property {(letter: Letter, turn: Turn) => void} answered
 * @property {(error: unknown) => void} delayed Delivery failed; it will be tried again.
 * @property {() => void} changed
 * @property {<T>(work: () => Promise<T>) => Promise<T>} alone Runs the work while no other tab sends.
 * @property {(error: unknown) => {hopeless: string, after_ms: number}} judge
 * @property {(ms: number, wake: (wake: () => void) => void) => Promise<void>} [sleep]
 */

const FIRST_MS = 1000;
const LONGEST_MS = 30_000;

/** How long to wait before the next try. @param {number} tries Failed ones, from 1. @param {number} after_ms What the server asked for. */
export function pause_ms(tries, after_ms, random = Math.random()) {
  const backoff = Math.min(LONGEST_MS, FIRST_MS * 2 ** (tries - 1));
  return Math.max(after_ms, backoff * (0.8 + 0.4 * random));
}

export class Outbox {
  /** @type {() => void} */
  #wake = () => undefined;
  #running = false;

  /** @param {Outside} outside */
  constructor(outside) {
    this.outside = outside;
  }

  /** @returns {Letter[]} */
  get letters() {
    return this.outside.keeper.get("outbox", /** @type {Letter[]} */ ([]));
  }

  /** @param {string} text @returns {Letter} */
  add(text) {
    const letter = { key: newKey(), text, at: Date.now() };
    this.#write([...this.letters, letter]);
    void this.run();
    return letter;
  }

  /** @param {string} key */
  remove(key) {
    this.#write(this.letters.filter((letter) => letter.key != key));
  }

  clear() {
    this.#write([]);
    this.#wake();
  }

  /** The network is back, or somebody looks: try at once. */
  hurry() {
    this.#wake();
    void this.run();
  }

  /** Send all there is; returns when nothing is left. */
  async run() {
    if (this.#running) return;
    this.#running = true;
    let tries = 0;
    try {
      while (this.#next()) {
        const after_ms = await this.outside.alone(() => this.#sendOne());
        tries = after_ms === null ? 0 : tries + 1;
        if (after_ms !== null) await this.#sleep(pause_ms(tries, after_ms));
      }
    } finally {
      this.#running = false;
    }
  }

  /** @returns {Promise<number | null>} null when that letter is dealt with; else the least wait before the next try. */
  async #sendOne() {
    const letter = this.#next(); // another tab may have sent it meanwhile
    if (!letter) return null;
    try {
      const turn = await this.outside.deliver(letter);
      const wanted = this.letters.some((one) => one.key == letter.key);
      this.remove(letter.key);
      if (wanted) this.outside.answered(letter, turn);
    } catch (error) {
      const { hopeless, after_ms } = this.outside.judge(error);
      if (!hopeless) {
        this.outside.delayed(error);
        return after_ms;
      }
      this.#write(this.letters.map((one) => (one.key == letter.key ? { ...one, failed: hopeless } : one)));
    }
    return null;
  }

  #next() {
    return this.letters.find((letter) => !letter.failed);
  }

  /** @param {Letter[]} letters */
  #write(letters) {
    this.outside.keeper.set("outbox", letters);
    this.outside.changed();
  }

  /** @param {number} ms @returns {Promise<void>} */
  #sleep(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/**
 * Work that no other tab does meanwhile. Where the browser keeps no locks for frames of other sites it is done all
 * the same: the keys keep it from being done twice.
 *
 * @template T @param {string} name @param {() => Promise<T>} work @returns {Promise<T>}
 */
export async function alone(name, work) {
  /** @type {Promise<T> | null} */
  let begun = null;
  const locks = navigator.locks?.request(name, () => (begun = work()));
  await locks?.catch(() => undefined);
  return begun ?? work();
}

/** 128 random bits. */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
