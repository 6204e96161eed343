// @ts-check
/** A button that opens a menu, worked by keys as by hand. */
import { h, icon } from "./dom.mjs";

/** @typedef {{label: string, act: () => void, checked?: boolean}} Item */

export class Menu {
  /** @param {() => Item[]} items Asked for each time it opens. */
  constructor(items) {
    this.items = items;
    this.button = h("button", { class: "icon", type: "button", "aria-haspopup": "menu", "aria-expanded": "false", onclick: () => this.toggle() }, icon("more"));
    this.list = h("div", { class: "menu", role: "menu", hidden: true, onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event) });
    this.root = h("div", { class: "menu-place" }, this.button, this.list);
    document.addEventListener("pointerdown", (event) => {
      if (!event.composedPath().includes(this.root)) this.#close(false);
    });
  }

  /** @param {string} label */
  relabel(label) {
    for (const element of [this.button, this.list]) element.setAttribute("aria-label", label);
    this.button.title = label;
  }

  get isOpen() {
    return !this.list.hidden;
  }

  toggle() {
    if (this.isOpen) return this.#close(true);
    this.list.replaceChildren(...this.items().map((item) => this.#item(item)));
    this.list.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    this.#entries()[0]?.focus();
  }

  /** @param {Item} item */
  #item({ label, act, checked }) {
    const choose = () => {
      this.#close(true);
      act();
    };
    const kind = checked === undefined ? { role: "menuitem" } : { role: "menuitemradio", "aria-checked": String(checked) };
    return h("button", { type: "button", tabindex: "-1", text: label, onclick: choose, ...kind });
  }

  #entries() {
    return /** @type {HTMLElement[]} */ ([...this.list.children]);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const entries = this.#entries();
    const at = entries.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    /** @type {Record<string, number>} */
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1 + entries.length, Home: 0, End: entries.length - 1 };
    if (event.key in moves) entries[moves[event.key] % entries.length].focus();
    else if (event.key == "Escape" || event.key == "Tab") this.#close(true);
    else return;
    if (event.key != "Tab") event.preventDefault();
    event.stopPropagation();
  }

  /** @param {boolean} back Whether the focus returns to the button. */
  #close(back) {
    if (!this.isOpen) return;
    this.list.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    if (back) this.button.focus();
  }
}
