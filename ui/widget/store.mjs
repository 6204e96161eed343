// @ts-check
/** What outlives a page: in the iframe's own storage, under the site's name; in memory where there is none. */

/** @typedef {Pick<Storage, "getItem" | "setItem" | "removeItem">} Shelf */

/** A shelf that forgets with the page. @returns {Shelf} */
export function memoryShelf() {
  /** @type {Map<string, string>} */
  const kept = new Map();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

/** @param {string} persistence "local", "session" or "none" @returns {Shelf} */
export function openShelf(persistence) {
  try {
    const shelf = persistence == "local" ? localStorage : persistence == "session" ? sessionStorage : memoryShelf();
    shelf.setItem("kefu", "");
    shelf.removeItem("kefu");
    return shelf;
  } catch {
    return memoryShelf(); // the browser keeps nothing for frames of other sites
  }
}

/** JSON under keys of one site. */
export class Store {
  /** @param {Shelf} shelf @param {string} site */
  constructor(shelf, site) {
    this.shelf = shelf;
    this.prefix = `kefu:${site}:`;
  }

  /** @template T @param {string} name @param {T} standard @returns {T} */
  get(name, standard) {
    try {
      return JSON.parse(this.shelf.getItem(this.prefix + name) ?? "") ?? standard;
    } catch {
      return standard;
    }
  }

  /** @param {string} name @param {unknown} value null removes it */
  set(name, value) {
    try {
      if (value === null) this.shelf.removeItem(this.prefix + name);
      else this.shelf.setItem(this.prefix + name, JSON.stringify(value));
    } catch {
      // Full, or taken away meanwhile: what is in memory still serves this page.
    }
  }
}
