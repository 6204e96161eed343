// @ts-check
/** The host page, at the other end of postMessage; nobody for a page of its own. */

/** @typedef {{type: string, [name: string]: any}} Note */

const VERSION = 1;

export class Host {
  /** @param {string} origin "" when there is no host page. */
  constructor(origin) {
    this.origin = origin;
  }

  /** @param {string} type @param {Record<string, unknown>} [more] */
  tell(type, more = {}) {
    if (this.origin) parent.postMessage({ ...more, kefu: VERSION, type }, this.origin);
  }

  /** @param {(note: Note) => void} hear */
  listen(hear) {
    addEventListener("message", (event) => {
      if (event.origin != this.origin || event.source != parent || event.data?.kefu != VERSION) return;
      hear(event.data);
    });
  }
}

/** The origin that the loader named, if this site allows it. @param {string} hash @param {string} allowed @param {string} self */
export function hostOrigin(hash, allowed, self) {
  const named = new URLSearchParams(hash.slice(1)).get("origin") ?? "";
  return [self, ...allowed.split(" ")].includes(named) ? named : "";
}
