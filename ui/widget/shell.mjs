// @ts-check
/** The window around the messages: who one talks to, where one writes, the way to a person. */
import { focusable, h, icon } from "./dom.mjs";
import { Menu } from "./menu.mjs";

/** @typedef {import("./texts.mjs").Texts} Texts */
/**
 * @typedef {object} Wishes
 * @property {(text: string) => void} say @property {() => void} person @property {() => void} close
 * @property {() => void} fresh @property {(draft: string) => void} draft @property {() => void} files
 * @property {() => import("./menu.mjs").Item[]} items
 */

const TALLEST_PX = 132;

export class Shell {
  /** Whether the window covers the page, so that the focus stays inside. */
  modal = false;

  /** @param {HTMLElement} talk @param {Wishes} wishes @param {boolean} framed */
  constructor(talk, wishes, framed) {
    this.wishes = wishes;
    this.talk = talk;
    this.face = h("span", { class: "face", "aria-hidden": "true" });
    this.title = h("h1");
    this.status = h("p");
    this.menu = new Menu(wishes.items);
    this.close = h("button", { class: "icon", type: "button", hidden: !framed, onclick: wishes.close }, icon("close"));
    this.offline = h("p", { class: "offline", role: "status", hidden: true });
    this.input = h("textarea", { rows: 1, maxlength: 10000, enterkeyhint: "send", oninput: () => this.#typed() });
    this.send = h("button", { class: "main", type: "submit" }, icon("send"));
    this.box = h("form", { class: "box" }, this.input, this.send);
    this.person = h("button", { class: "person", type: "button", onclick: wishes.person }, icon("person"), h("span"));
    this.fresh = h("button", { class: "main wide", type: "button", hidden: true, onclick: wishes.fresh });
    const below = h("div", { class: "below" }, this.person);
    const header = h("header", {}, this.face, h("div", { class: "who" }, this.title, this.status), this.menu.root, this.close);
    this.root = h("div", { class: "app" }, header, talk, h("footer", { class: "dock" }, this.offline, this.box, this.fresh, below));
    this.#listen();
  }

  #listen() {
    this.box.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.input.addEventListener("keydown", (event) => {
      // While an input method composes (Chinese, Japanese …), Enter chooses a word.
      if (event.key != "Enter" || event.shiftKey || event.isComposing || event.keyCode == 229) return;
      event.preventDefault();
      this.#submit();
    });
    this.root.addEventListener("keydown", (event) => this.#key(event));
    addEventListener("dragover", (event) => event.preventDefault());
    for (const name of /** @type {const} */ (["drop", "paste"])) {
      addEventListener(name, (event) => {
        const carried = "dataTransfer" in event ? event.dataTransfer : event.clipboardData;
        if (!carried?.files.length) return;
        event.preventDefault();
        this.wishes.files();
      });
    }
  }

  #submit() {
    const text = this.input.value.trim();
    if (!text) return;
    this.write("");
    this.wishes.say(text);
  }

  /** Put text where one writes. @param {string} text */
  write(text) {
    this.input.value = text;
    this.#typed();
  }

  #typed() {
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight, TALLEST_PX)}px`;
    this.wishes.draft(this.input.value);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key == "Escape" && !event.isComposing) this.wishes.close();
    if (event.key != "Tab" || !this.modal) return;
    const all = focusable(this.root);
    const edge = event.shiftKey ? all[0] : all.at(-1);
    if (document.activeElement != edge) return;
    event.preventDefault();
    (event.shiftKey ? all.at(-1) : all[0])?.focus();
  }

  /** @param {Texts} texts @param {string} title @param {string} status @param {string} bot */
  relabel(texts, title, status, bot) {
    document.title = this.title.textContent = title;
    this.status.textContent = status;
    this.face.textContent = [...bot][0] ?? "K";
    this.menu.relabel(texts.menu);
    this.input.placeholder = texts.placeholder;
    this.input.setAttribute("aria-label", texts.placeholder);
    this.offline.textContent = texts.offline;
    this.fresh.textContent = texts.new_chat;
    /** @type {Element} */ (this.person.lastElementChild).textContent = texts.person;
    for (const [button, label] of /** @type {[HTMLElement, string][]} */ ([[this.close, texts.close], [this.send, texts.send]])) {
      button.setAttribute("aria-label", label);
      button.title = label;
    }
  }

  /** @param {{offline: boolean, writing: boolean, ended: boolean}} state */
  show({ offline, writing, ended }) {
    this.offline.hidden = !offline;
    this.box.hidden = !writing || ended;
    this.fresh.hidden = !ended;
    this.person.hidden = ended;
  }

  /** On a touch screen not where one writes: the keyboard would cover what there is to read. */
  focus() {
    const form = this.root.querySelector("form.card");
    if (this.box.hidden) focusable(form ?? this.root)[0]?.focus();
    else if (matchMedia("(pointer: coarse)").matches) focusable(this.talk)[0]?.focus();
    else this.input.focus();
  }
}
