// @ts-check
/** What is asked of the visitor beside the conversation: who they are, how it was, where to send it. */
import { Refusal } from "./api.mjs";
import { csatCard, emailCard, prechatCard, reasonCard } from "./cards.mjs";
import { withTurn } from "./conversation.mjs";
import { h } from "./dom.mjs";
import { fill } from "./texts.mjs";

/** @typedef {import("./conversation.mjs").Turn} Turn */

export class Asking {
  /** Whether the form before the first message stands in the way of writing one. */
  first = false;

  /** @param {import("./chat.mjs").Chat} chat */
  constructor(chat) {
    this.chat = chat;
  }

  /** Ask what the site wants to know before the first message, if that was not done. */
  begin() {
    const { options, session, store, turns, log } = this.chat;
    const fields = options.prechat ? session?.prechat ?? [] : [];
    const asked = store.get("prechat", false) || turns.length > 0 || fields.length == 0;
    if (this.first && asked) log.note();
    this.first = !asked;
    if (asked) return;
    const done = () => {
      store.set("prechat", true);
      this.first = false;
      log.note();
      this.chat.draw();
      this.chat.shell.focus();
    };
    const send = (/** @type {Record<string, string>} */ given) => void this.#tried(this.chat.api.prechat(given), done);
    log.note(prechatCard(this.chat.texts, fields, send, fields.some((field) => field.required) ? undefined : done));
    if (this.chat.shown && document.hasFocus()) this.chat.shell.focus();
  }

  /** @param {Turn} turn @param {"up" | "down"} value */
  rate(turn, value) {
    const { chat } = this;
    const thank = () => this.#thank(chat.texts.thanks);
    /** @param {string[]} reasons @param {string} comment @param {() => void} then */
    const tell = (reasons, comment, then) => void this.#tried(chat.api.feedback(turn.id, { value, reasons, comment }), then);
    chat.turns = withTurn(chat.turns, { ...turn, feedback: value });
    chat.draw();
    if (value == "up") return tell([], "", thank);
    tell([], "", () => undefined);
    this.#ask(reasonCard(chat.texts, (reasons, comment) => tell(reasons, comment, thank), () => this.#leave()));
  }

  /** How was it? Then the conversation is over. */
  end() {
    const { chat } = this;
    const done = () => {
      chat.store.set("ended", true);
      this.#remark(chat.texts.csat_thanks);
      chat.draw();
      chat.shell.fresh.focus();
    };
    this.#ask(csatCard(chat.texts, (score, comment) => void this.#tried(chat.api.csat(score, comment), done), done));
  }

  download() {
    const save = async () => {
      const url = URL.createObjectURL(await this.chat.api.transcript());
      h("a", { href: url, download: "chat.txt" }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    };
    void this.#tried(save(), () => undefined);
  }

  email() {
    const { chat } = this;
    const send = async (/** @type {string} */ email) => {
      try {
        await chat.api.sendTranscript(email);
        this.#thank(chat.texts.email_sent);
      } catch (error) {
        chat.complain(error);
        this.#thank(error instanceof Refusal && error.status == 501 ? chat.texts.email_off : chat.texts.problem);
      }
    };
    this.#ask(emailCard(chat.texts, (email) => void send(email), () => this.#leave()));
  }

  /** Files are not taken; say where else they can go, as soon as the server has said where. */
  async refuseFiles() {
    const { chat } = this;
    const refuse = () => {
      const contact = chat.session?.site.contact;
      const more = contact ? fill(chat.texts.no_files_contact, { contact }) : "";
      this.#warn(fill(chat.texts.no_files, { contact: more }));
    };
    refuse();
    if (chat.session) return;
    await chat.settled;
    if (chat.session) refuse();
  }

  /** Run what may fail; say so in one sentence. @param {Promise<unknown>} work @param {() => void} then */
  async #tried(work, then) {
    try {
      await work;
    } catch (error) {
      this.chat.complain(error);
      return this.#warn(this.chat.texts.problem);
    }
    then();
  }

  /** @param {string} text */
  #warn(text) {
    this.chat.log.note(h("p", { class: "note", role: "alert", text }));
  }

  /** @param {string} text */
  #remark(text) {
    this.chat.log.note(h("p", { class: "note", text }));
    this.chat.log.announce(text);
  }

  /** @param {string} text */
  #thank(text) {
    this.#leave();
    this.#remark(text);
  }

  /** @param {HTMLElement} form */
  #ask(form) {
    this.chat.log.note(form);
    form.querySelector("input")?.focus();
  }

  #leave() {
    this.chat.log.note();
    this.chat.shell.focus();
  }
}
