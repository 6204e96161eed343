// @ts-check
/**
 * What was said elsewhere, on another device or by another hand: looked for while somebody can see it, soon after
 * something happened, then less and less often.
 */

/**
 * @typedef {object} Outside
 * @property {() => Promise<void>} look
 * @property {() => "open" | "closed" | "away"} seen The window is open, or only the page is in sight, or neither.
 * @property {(wake: () => void, ms: number) => any} [later] @property {(timer: any) => void} [never]
 * @property {() => number} [now]
 */

const SOONEST_MS = 3000;
const LATEST_MS = 30_000;

/** How long to wait before the next look. @param {number} quiet_ms Since something happened. @param {boolean} open */
export function pace_ms(quiet_ms, open) {
  return open ? Math.min(LATEST_MS, Math.max(SOONEST_MS, quiet_ms / 10)) : LATEST_MS;
}

export class News {
  /** @type {any} */
  #timer = null;
  #stirred = 0;
  #looking = false;

  /** @param {Outside} outside */
  constructor({ look, seen, later = setTimeout, never = clearTimeout, now = Date.now }) {
    this.outside = { look, seen, later: later.bind(globalThis), never: never.bind(globalThis), now };
  }

  /** Something was said here, so that something may be said elsewhere soon. */
  stir() {
    this.#stirred = this.outside.now();
    this.#plan();
  }

  /** Somebody looks: look too. */
  hurry() {
    this.#stirred = this.outside.now();
    void this.#look();
  }

  #plan() {
    this.outside.never(this.#timer);
    const seen = this.outside.seen();
    if (seen == "away" || this.#looking) return;
    const wait_ms = pace_ms(this.outside.now() - this.#stirred, seen == "open");
    this.#timer = this.outside.later(() => void this.#look(), wait_ms);
  }

  async #look() {
    if (this.#looking || this.outside.seen() == "away") return;
    this.#looking = true;
    try {
      await this.outside.look();
    } catch {
      this.#stirred = 0; // what is sent finds out what is wrong, and says so; here it is enough to ask less often
    }
    this.#looking = false;
    this.#plan();
  }
}
