// @ts-check
/** The messages on the screen: each turn an element of its own, made once and changed only when it changed. */
import { newDay } from "./conversation.mjs";
import { h, icon } from "./dom.mjs";
import { rich, safeLink } from "./rich.mjs";
import { fill } from "./texts.mjs";

/** @typedef {import("./conversation.mjs").Turn} Turn */
/** @typedef {import("./conversation.mjs").Letter} Letter */
/** @typedef {import("./texts.mjs").Texts} Texts */
/** @typedef {{said: string, waiting: boolean}} Progress How far the reply to a letter is; waiting for another try. */
/**
 * @typedef {object} Shown
 * @property {Turn[]} turns @property {Letter[]} letters @property {Map<string, Progress>} progress
 * @property {string[]} choices @property {string[]} intro @property {string} bot @property {string} locale
 */
/**
 * @typedef {object} Acts
 * @property {(text: string) => void} say @property {(turn: Turn, value: "up" | "down") => void} rate
 * @property {(letter: Letter) => void} edit @property {(letter: Letter) => void} remove
 */

const NEAR_PX = 80;

export class Log {
  /** @type {Map<string, {print: string, node: HTMLElement}>} */
  #made = new Map();
  /** @type {Node[]} */
  #notes = [];

  /** @param {Texts} texts @param {Acts} acts */
  constructor(texts, acts) {
    this.texts = texts;
    this.acts = acts;
    this.list = h("div", { class: "list" });
    this.live = h("div", { class: "sr", role: "status", "aria-live": "polite" });
    this.latest = h("button", { class: "latest", type: "button", hidden: true, text: "↓", onclick: () => this.toEnd() });
    this.scroller = h("div", { class: "log", role: "log", "aria-live": "off", tabindex: "0", onscroll: () => this.#watch() }, this.list);
    this.root = h("main", { class: "talk" }, this.scroller, this.latest, this.live);
    new ResizeObserver(() => this.#near && this.toEnd()).observe(this.scroller);
    this.relabel(texts);
  }

  #near = true;

  /** @param {Texts} texts */
  relabel(texts) {
    this.texts = texts;
    this.#made.clear();
    this.list.replaceChildren();
    this.scroller.setAttribute("aria-label", texts.log);
    this.latest.setAttribute("aria-label", texts.latest);
    this.latest.title = texts.latest;
  }

  /** @param {Shown} shown */
  show(shown) {
    const wanted = new Map(this.#wanted(shown));
    for (const [id, { node }] of this.#made) {
      if (wanted.has(id)) continue;
      node.remove();
      this.#made.delete(id);
    }
    /** @type {HTMLElement | null} */
    let before = null;
    for (const [id, make] of wanted) {
      const node = this.#keep(id, make);
      const place = /** @type {Node | null} */ (before ? before.nextSibling : this.list.firstChild);
      if (node != place) this.list.insertBefore(node, place);
      before = node;
    }
    this.list.append(...this.#notes);
    if (this.#near) this.toEnd();
  }

  /** @param {Shown} shown @returns {[string, {print: string, make: () => HTMLElement}][]} */
  #wanted({ turns, letters, progress, choices, intro, bot, locale }) {
    /** @type {[string, {print: string, make: () => HTMLElement}][]} */
    const wanted = [["intro", { print: JSON.stringify(intro), make: () => this.#intro(intro, bot) }]];
    turns.forEach((turn, at) => {
      const print = `${turn.reply.finish} ${turn.feedback}`;
      const day = newDay(turn, turns[at - 1], locale);
      wanted.push([turn.id, { print, make: () => this.#turn(turn, bot, day) }]);
    });
    for (const letter of letters) {
      const at = progress.get(letter.key);
      wanted.push([letter.key, { print: JSON.stringify([letter, at]), make: () => this.#letter(letter, at, bot) }]);
    }
    if (choices.length) wanted.push(["choices", { print: choices.join("\n"), make: () => this.#choices(choices) }]);
    return wanted;
  }

  /** @param {string} id @param {{print: string, make: () => HTMLElement}} wanted */
  #keep(id, { print, make }) {
    const made = this.#made.get(id);
    if (made && made.print == print) return made.node;
    const node = make();
    if (!made) node.classList.add("fresh"); // comes in; while it grows it does not come in again
    made?.node.replaceWith(node);
    this.#made.set(id, { print, node });
    return node;
  }

  /** @param {string[]} intro @param {string} bot */
  #intro([disclosure, greeting], bot) {
    return h("div", { class: "turn" }, h("p", { class: "note disclosure", text: disclosure }), this.#botRow(bot, h("p", { text: greeting })));
  }

  /** @param {Turn} turn @param {string} bot @param {string} day */
  #turn(turn, bot, day) {
    const { reply } = turn;
    const row = this.#botRow(bot, turn.html ? rich(turn.html) : h("p", { text: reply.text }));
    const stack = /** @type {Element} */ (row.lastElementChild);
    if (reply.finish == "interrupted") {
      const again = h("button", { class: "plain", type: "button", text: this.texts.ask_again, onclick: () => this.acts.say(turn.message.text) });
      stack.append(h("p", { class: "state" }, `${this.texts.interrupted} `, again));
    }
    const foot = h("div", { class: "foot" }, this.#thumbs(turn), this.#sources(reply.citations));
    stack.append(foot);
    const user = this.#userRow(turn.message.text, new Date(turn.message.sent_at));
    return h("div", { class: "turn", "data-turn": turn.id }, day && h("p", { class: "note", text: day }), user, row);
  }

  /** @param {Letter} letter @param {Progress | undefined} progress @param {string} bot */
  #letter(letter, progress, bot) {
    const node = h("div", { class: "turn pending", "data-key": letter.key }, this.#userRow(letter.text, new Date(letter.at)));
    if (letter.failed) {
      const edit = h("button", { class: "plain", type: "button", text: this.texts.edit, onclick: () => this.acts.edit(letter) });
      const remove = h("button", { class: "plain", type: "button", text: this.texts.remove, onclick: () => this.acts.remove(letter) });
      node.append(h("p", { class: "state bad", dir: "auto" }, `${this.texts.failed}: ${letter.failed} `, edit, " · ", remove));
      return node;
    }
    if (!progress || progress.waiting) {
      node.append(h("p", { class: "state", text: this.texts.waiting }));
    }
    if (progress?.said) node.append(this.#botRow(bot, h("p", { text: progress.said })));
    else if (progress && !progress.waiting) node.append(this.#botRow(bot, this.#dots(bot)));
    return node;
  }

  /** @param {string} bot */
  #dots(bot) {
    const label = fill(this.texts.typing, { bot });
    return h("p", { class: "dots", role: "img", "aria-label": label }, h("span"), h("span"), h("span"));
  }

  /** @param {string} text @param {Date} at */
  #userRow(text, at) {
    const said = h("p", { text });
    return h("div", { class: "row user", title: at.toLocaleString() }, h("div", { class: "bubble", dir: "auto" }, h("span", { class: "sr", text: this.texts.you }), said));
  }

  /** @param {string} bot @param {Node} said */
  #botRow(bot, said) {
    const face = h("span", { class: "face", "aria-hidden": "true", text: [...bot][0] ?? "K" });
    const speaker = h("span", { class: "sr", text: fill(this.texts.bot, { bot }) });
    return h("div", { class: "row bot" }, face, h("div", { class: "stack" }, h("div", { class: "bubble", dir: "auto" }, speaker, said)));
  }

  /** @param {import("./conversation.mjs").Citation[]} citations */
  #sources(citations) {
    if (!citations.length) return null;
    const items = citations.map(({ title, text, url }) => {
      const target = safeLink(url);
      const link = target && h("a", { href: target, target: "_blank", rel: "noopener noreferrer nofollow", text: this.texts.open_source });
      return h("li", { dir: "auto" }, h("b", { text: title }), h("blockquote", { text }), link);
    });
    return h("details", {}, h("summary", { text: fill(this.texts.sources, { count: citations.length }) }), h("ol", {}, ...items));
  }

  /** @param {Turn} turn */
  #thumbs(turn) {
    const box = h("div", { class: "thumbs" });
    for (const [value, label] of /** @type {["up" | "down", string][]} */ ([["up", this.texts.helpful], ["down", this.texts.unhelpful]])) {
      const rate = () => this.acts.rate(turn, value);
      box.append(h("button", { class: "icon", type: "button", "aria-label": label, title: label, "aria-pressed": String(turn.feedback == value), onclick: rate }, icon(value)));
    }
    return box;
  }

  /** @param {string[]} choices */
  #choices(choices) {
    const buttons = choices.map((text) => h("button", { class: "choice", type: "button", dir: "auto", text, onclick: () => this.acts.say(text) }));
    return h("div", { class: "choices", role: "group", "aria-label": this.texts.suggestions }, ...buttons);
  }

  /** A passing remark below the messages; the ones before it go. @param {...Node} notes */
  note(...notes) {
    for (const note of this.#notes) note.parentNode?.removeChild(note);
    this.#notes = notes;
    this.list.append(...notes);
    this.toEnd();
  }

  /** Read out by a screen reader. @param {string} text */
  announce(text) {
    this.live.replaceChildren(h("p", { text }));
  }

  toEnd() {
    this.#near = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.latest.hidden = true;
  }

  /** A reply that is longer than the window is read from its beginning. @param {string} turn */
  toReply(turn) {
    const node = /** @type {HTMLElement | undefined} */ (this.#made.get(turn)?.node);
    if (!node || !this.#near || node.offsetHeight < this.scroller.clientHeight) return;
    this.scroller.scrollTop = node.offsetTop - this.scroller.offsetTop;
  }

  #watch() {
    const { scrollTop, clientHeight, scrollHeight } = this.scroller;
    this.#near = scrollHeight - clientHeight - scrollTop < NEAR_PX;
    this.latest.hidden = this.#near;
  }
}
