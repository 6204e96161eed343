// @ts-check
/** One visitor's conversation: what the server, the host page, the other tabs and the visitor do to it. */
import { Api, judge, Refusal } from "./api.mjs";
import { csatCard, emailCard, prechatCard, reasonCard } from "./cards.mjs";
import { choices, lastSequence, shownLetters, unreadOf, withTurn } from "./conversation.mjs";
import { h } from "./dom.mjs";
import { Log } from "./log.mjs";
import { alone, Outbox } from "./outbox.mjs";
import { Shell } from "./shell.mjs";
import { fill, LOCALES, loadTexts, negotiate } from "./texts.mjs";

/** @typedef {import("./conversation.mjs").Turn} Turn */
/** @typedef {import("./conversation.mjs").Letter} Letter */
/** @typedef {import("./api.mjs").Session} Session */
/** @typedef {import("./store.mjs").Store} Store */

const IDENTITY_MS = 5000;

export class Chat {
  /** @type {Turn[]} */
  turns = [];
  /** @type {Map<string, import("./log.mjs").Progress>} */
  progress = new Map();
  /** @type {Session | null} */
  session = null;
  /** @type {Record<string, unknown> | null} */
  context = null;
  shown = false;
  offline = false;
  asking = false;
  unread = 0;
  #begun = false;
  #work = Promise.resolve();
  /** @type {((token: string) => void) | null} */
  #identified = null;

  /**
   * @param {{site: string, host: import("./host.mjs").Host, options: import("./options.mjs").Options, store: Store, tab: Store,
   *   texts: import("./texts.mjs").Texts, locale: import("./texts.mjs").Locale}} given
   */
  constructor({ site, host, options, store, tab, texts, locale }) {
    this.host = host;
    this.options = options;
    this.store = store;
    this.tab = tab;
    this.texts = texts;
    this.locale = locale;
    this.context = options.context;
    this.api = new Api(site, store, () => this.locale, () => this.#renew());
    this.channel = new BroadcastChannel(store.prefix);
    this.channel.onmessage = (event) => this.#hearTab(event.data);
    this.outbox = new Outbox({
      keeper: store,
      judge,
      deliver: (letter) => this.#deliver(letter),
      answered: (letter, turn) => this.#answered(letter, turn),
      delayed: (error) => this.#delayed(error),
      changed: () => this.draw(),
      alone: (work) => alone(store.prefix, work),
    });
    this.log = new Log(texts, {
      say: (text) => this.say(text),
      rate: (turn, value) => this.#rate(turn, value),
      edit: (letter) => this.#edit(letter),
      remove: (letter) => this.outbox.remove(letter.key),
    });
    this.shell = new Shell(this.log.root, {
      say: (text) => this.say(text),
      person: () => this.say(this.texts.person),
      close: () => host.tell("close"),
      fresh: () => this.reset(),
      draft: (draft) => tab.set("draft", draft || null),
      files: () => this.#refuseFiles(),
      items: () => this.#items(),
    }, host.origin != "");
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
  }

  /** Show what is known, and go on where the visitor left. @param {boolean} shown */
  start(shown) {
    this.relabel();
    this.shell.write(this.tab.get("draft", ""));
    if (this.api.known || this.outbox.letters.length) this.begin();
    if (shown) this.open(false);
  }

  get bot() {
    return this.session?.site.bot_name ?? this.store.get("bot", "") ?? "";
  }

  relabel() {
    const { texts, options } = this;
    const bot = this.bot || options.title || texts.launcher;
    this.shell.relabel(texts, options.title || this.bot || texts.launcher, options.subtitle || texts.status, bot);
    this.log.relabel(texts);
    const title = options.launcherTitle || texts.launcher;
    this.host.tell("labels", { labels: [title, texts.close] });
    this.draw();
  }

  draw() {
    const { texts, session, turns, options } = this;
    const letters = shownLetters(this.outbox.letters, turns);
    const ended = this.store.get("ended", false);
    const bot = this.bot || options.title || texts.launcher;
    const disclosure = session?.disclosure || texts.disclosure;
    const offered = this.asking || ended ? [] : choices(turns, letters, session?.suggestions ?? []);
    this.log.show({
      turns, letters, bot, locale: this.locale, progress: this.progress, choices: offered,
      intro: [disclosure, fill(options.greeting || texts.greeting, { bot })],
    });
    this.shell.show({ offline: this.offline, writing: !this.asking, ended });
    const seen = this.shown && !document.hidden;
    if (seen) this.store.set("read", lastSequence(turns));
    const unread = seen ? 0 : unreadOf(turns, this.store.get("read", 0));
    if (unread != this.unread) this.host.tell("unread", { count: unread });
    this.unread = unread;
  }

  /** Open the session and read what was said; tried again until the server is there. */
  begin() {
    if (this.#begun) return;
    this.#begun = true;
    void this.#soon(async () => {
      await this.#enter(await this.api.session());
      void this.outbox.run();
    });
  }

  /** One thing after the other: sign-in, sign-out, history. @param {() => Promise<void>} work */
  #soon(work) {
    this.#work = this.#work.then(work).catch((error) => {
      this.#begun = false;
      this.#delayed(error);
    });
    return this.#work;
  }

  /** @param {Session} session */
  async #enter(session) {
    const known = this.session;
    this.session = session;
    this.store.set("bot", session.site.bot_name);
    if (!session.new) this.turns = (await this.api.conversation()).turns;
    this.offline = false;
    if (known?.site.bot_name != session.site.bot_name || known?.disclosure != session.disclosure) this.relabel();
    if (this.context) this.#tellContext(this.context);
    this.#askFirst();
    this.draw();
  }

  /** @param {boolean} focus */
  open(focus) {
    this.shown = true;
    this.tab.set("open", true);
    this.begin();
    this.draw();
    this.log.toEnd();
    if (focus) this.shell.focus();
  }

  close() {
    this.shown = false;
    this.tab.set("open", null);
    this.draw();
  }

  /** @param {string} said */
  say(said) {
    const text = said.trim();
    if (!text) return;
    if (this.store.get("ended", false)) return void this.reset().then(() => this.say(text));
    this.log.note();
    const letter = this.outbox.add(text);
    this.begin();
    this.log.toEnd();
    this.channel.postMessage({ type: "outbox" });
    this.host.tell("message:sent", { id: letter.key, text });
    if (this.shown && !this.asking) this.shell.input.focus();
  }

  /** @param {Letter} letter @returns {Promise<Turn>} */
  #deliver(letter) {
    const said = this.progress.get(letter.key)?.said ?? "";
    /** @param {string} text */
    const told = (text) => {
      this.offline = false;
      this.progress.set(letter.key, { said: text, waiting: false });
      this.draw();
    };
    this.progress.set(letter.key, { said, waiting: false });
    this.draw();
    return this.api.send(letter, said, told);
  }

  /** @param {Letter} letter @param {Turn} turn */
  #answered(letter, turn) {
    this.progress.delete(letter.key);
    this.offline = false;
    this.#receive(turn);
    this.channel.postMessage({ type: "turn", turn });
    this.log.announce(`${fill(this.texts.bot, { bot: this.bot })} ${turn.reply.text}`);
    this.host.tell("message:received", { id: turn.id, text: turn.reply.text });
    if (turn.decision == "handoff") this.host.tell("handoff", { id: turn.id });
  }

  /** @param {Turn} turn */
  #receive(turn) {
    this.turns = withTurn(this.turns, turn);
    this.draw();
    this.log.toReply(turn.id);
  }

  /** @param {unknown} error */
  #delayed(error) {
    for (const [key, progress] of this.progress) this.progress.set(key, { ...progress, waiting: true });
    if (!this.offline) this.#complain(error);
    this.offline = !(error instanceof Refusal) || error.status == 0 || error.status >= 500;
    this.draw();
    if (!this.#begun) setTimeout(() => this.begin(), 3000);
  }

  #hurry() {
    if (this.#begun) this.outbox.hurry();
    else if (this.shown || this.api.known) this.begin();
    this.draw();
  }

  /** @param {unknown} error */
  #complain(error) {
    const refusal = error instanceof Refusal ? error : null;
    if (!refusal) console.error(error);
    this.host.tell("error", { code: refusal?.slug || "failed", status: refusal?.status ?? 0, detail: String(refusal?.detail ?? error) });
  }

  /** Run what may fail; say so in one sentence. @param {Promise<unknown>} work */
  async #tried(work) {
    try {
      await work;
      return true;
    } catch (error) {
      this.#complain(error);
      this.log.note(h("p", { class: "note", role: "alert", text: this.texts.problem }));
      return false;
    }
  }

  /** @param {Letter} letter */
  #edit(letter) {
    this.outbox.remove(letter.key);
    this.shell.write(letter.text);
    this.shell.focus();
  }

  /** @param {Turn} turn @param {"up" | "down"} value */
  #rate(turn, value) {
    this.turns = withTurn(this.turns, { ...turn, feedback: value });
    this.draw();
    const thank = () => this.#thank(this.texts.thanks);
    if (value == "up") return void this.#tried(this.api.feedback(turn.id, { value, reasons: [], comment: "" })).then((done) => done && thank());
    void this.#tried(this.api.feedback(turn.id, { value, reasons: [], comment: "" }));
    const asked = reasonCard(this.texts, (reasons, comment) => {
      void this.#tried(this.api.feedback(turn.id, { value, reasons, comment })).then((done) => done && thank());
    }, () => this.#leaveCard());
    this.#ask(asked);
  }

  /** @param {string} text */
  #thank(text) {
    this.#leaveCard();
    this.log.note(h("p", { class: "note", text }));
    this.log.announce(text);
  }

  /** @param {HTMLElement} form */
  #ask(form) {
    this.log.note(form);
    form.querySelector("input")?.focus();
  }

  #leaveCard() {
    this.log.note();
    this.shell.focus();
  }

  #askFirst() {
    const { options, session, texts, store } = this;
    const fields = options.prechat ? session?.prechat ?? [] : [];
    const asked = store.get("prechat", false) || this.turns.length > 0 || fields.length == 0;
    if (this.asking && asked) this.log.note();
    this.asking = !asked;
    if (asked) return;
    const done = () => {
      store.set("prechat", true);
      this.asking = false;
      this.#leaveCard();
      this.draw();
      this.shell.focus();
    };
    const send = (/** @type {Record<string, string>} */ given) => void this.#tried(this.api.prechat(given)).then((sent) => sent && done());
    this.log.note(prechatCard(texts, fields, send, fields.some((field) => field.required) ? undefined : done));
    if (this.shown && document.hasFocus()) this.shell.focus();
  }

  #items() {
    const { texts } = this;
    const languages = Object.entries(LOCALES).map(([locale, label]) => ({
      label,
      checked: locale == this.locale,
      act: () => void this.speak(locale),
    }));
    if (!this.turns.length) return languages;
    return [
      { label: texts.end, act: () => this.#end() },
      { label: texts.download, act: () => void this.#tried(this.#download()) },
      { label: texts.email, act: () => this.#email() },
      ...languages,
    ];
  }

  #end() {
    const done = () => {
      this.store.set("ended", true);
      this.log.note(h("p", { class: "note", text: this.texts.csat_thanks }));
      this.log.announce(this.texts.csat_thanks);
      this.draw();
      this.shell.fresh.focus();
    };
    this.#ask(csatCard(this.texts, (score, comment) => void this.#tried(this.api.csat(score, comment)).then((sent) => sent && done()), done));
  }

  async #download() {
    const url = URL.createObjectURL(await this.api.transcript());
    h("a", { href: url, download: "chat.txt" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  #email() {
    const send = async (/** @type {string} */ email) => {
      try {
        await this.api.sendTranscript(email);
        this.#thank(this.texts.email_sent);
      } catch (error) {
        this.#complain(error);
        this.#thank(error instanceof Refusal && error.status == 501 ? this.texts.email_off : this.texts.problem);
      }
    };
    this.#ask(emailCard(this.texts, (email) => void send(email), () => this.#leaveCard()));
  }

  #refuseFiles() {
    const contact = this.session?.site.contact;
    const more = contact ? fill(this.texts.no_files_contact, { contact }) : "";
    this.log.note(h("p", { class: "note", role: "alert", text: fill(this.texts.no_files, { contact: more }) }));
  }

  /** Another language. @param {string} wanted */
  async speak(wanted) {
    this.locale = negotiate(wanted, "", navigator.language);
    this.texts = await loadTexts(this.locale, this.options.texts);
    document.documentElement.lang = this.locale;
    this.relabel();
    if (this.session) void this.#soon(async () => this.#enter(await this.api.session("")));
  }

  /** Who the site says the visitor is; null for nobody. @param {string | null} token */
  sign(token) {
    if (token && this.#identified) return this.#identified(token);
    void this.#soon(async () => {
      if (!token && !this.store.get("user", "")) return;
      try {
        if (!token) this.#forget();
        const session = await this.api.session(token ?? "");
        this.store.set("user", session.user?.id ?? null);
        this.#begun = true;
        await this.#enter({ ...session, new: false });
        this.channel.postMessage({ type: "user" });
      } catch (error) {
        if (!(error instanceof Refusal) || error.status != 401) throw error;
        this.#complain(new Refusal(401, "identity", error.detail));
      }
    });
  }

  /** The token has run out: a signed-in visitor needs a new proof from the site. @returns {Promise<string>} */
  async #renew() {
    if (!this.store.get("user", "")) return "";
    /** @type {Promise<string>} */
    const proof = new Promise((resolve) => {
      this.#identified = resolve;
      setTimeout(() => resolve(""), IDENTITY_MS);
    });
    this.host.tell("identity");
    const token = await proof;
    this.#identified = null;
    if (!token) this.store.set("user", null);
    return token;
  }

  /** @param {Record<string, unknown>} context */
  setContext(context) {
    this.context = { ...this.context, ...context };
    if (this.session) this.#tellContext(this.context);
  }

  /** @param {Record<string, unknown>} context */
  #tellContext(context) {
    this.api.context(context).catch((error) => this.#complain(error));
  }

  /** A new conversation. */
  async reset() {
    this.outbox.clear();
    await this.#soon(async () => {
      const fresh = this.api.known ? await this.api.reset() : await this.api.session();
      this.channel.postMessage({ type: "reset" });
      this.#clear();
      await this.#enter({ ...this.session, ...fresh, new: true });
      if (this.shown) this.shell.focus();
    });
  }

  #clear() {
    this.turns = [];
    this.progress.clear();
    for (const name of ["ended", "prechat", "read"]) this.store.set(name, null);
    this.log.note();
  }

  /** Nothing of the visitor stays. */
  #forget() {
    this.outbox.clear();
    this.#clear();
    this.api.forget();
    this.store.set("user", null);
  }

  /** @param {any} told By another tab of this site. */
  #hearTab(told) {
    if (told.type == "turn") this.#receive(told.turn);
    else if (told.type == "outbox") this.draw();
    else {
      this.#clear();
      void this.#soon(async () => this.#enter({ ...(await this.api.session("")), new: false }));
    }
  }
}
