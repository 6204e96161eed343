// @ts-check
/** One visitor's conversation: what the server, the host page, the other tabs and the visitor do to it. */
import { Api, judge, Refusal } from "./api.mjs";
import { Asking } from "./asking.mjs";
import { choices, lastSequence, shownLetters, unreadOf, withTurn } from "./conversation.mjs";
import { Log } from "./log.mjs";
import { News } from "./news.mjs";
import { alone, Outbox, pause_ms } from "./outbox.mjs";
import { Shell } from "./shell.mjs";
import { fill, LOCALES, negotiate, textsOf } from "./texts.mjs";

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
  asking = new Asking(this);
  unread = 0;
  #begun = false;
  #failures = 0;
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
      rate: (turn, value) => this.asking.rate(turn, value),
      edit: (letter) => this.#edit(letter),
      remove: (letter) => this.outbox.remove(letter.key),
    });
    this.shell = new Shell(this.log.root, {
      say: (text) => this.say(text),
      person: () => this.say(this.texts.person),
      close: () => host.tell("close"),
      fresh: () => this.reset(),
      draft: (draft) => tab.set("draft", draft || null),
      files: () => void this.asking.refuseFiles(),
      items: () => this.#items(),
    }, host.origin != "");
    this.news = new News({ look: () => this.#lookElsewhere(), seen: () => this.#seen() });
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
  }

  /** Show what is known, and go on where the visitor left. @param {boolean} shown */
  start(shown) {
    this.relabel();
    const draft = this.tab.get("draft", "");
    if (draft) this.shell.write(draft); // measures the box, which nothing should before the first paint
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
    const offered = this.asking.first || ended ? [] : choices(turns, letters, session?.suggestions ?? []);
    this.log.show({
      turns, letters, bot, locale: this.locale, progress: this.progress, choices: offered,
      intro: [disclosure, fill(options.greeting || texts.greeting, { bot })],
    });
    this.shell.show({ offline: this.offline, writing: !this.asking.first, ended });
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

  /** When what is under way with the session has come to an end, well or not. */
  get settled() {
    return this.#work;
  }

  /** @param {Session} session */
  async #enter(session) {
    const known = this.session;
    this.session = session;
    this.store.set("bot", session.site.bot_name);
    if (!session.new) this.turns = (await this.api.conversation()).turns;
    this.offline = false;
    this.#failures = 0;
    if (known?.site.bot_name != session.site.bot_name || known?.disclosure != session.disclosure) this.relabel();
    if (this.context) this.#tellContext(this.context);
    this.asking.begin();
    this.draw();
    this.news.stir();
  }

  /** @param {boolean} focus */
  open(focus) {
    this.shown = true;
    this.tab.set("open", true);
    this.begin();
    this.draw();
    this.log.toEnd();
    this.news.hurry();
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
    if (!this.asking.first) this.log.note();
    const letter = this.outbox.add(text);
    this.begin();
    this.log.toEnd();
    this.channel.postMessage({ type: "outbox" });
    this.host.tell("message:sent", { id: letter.key, text });
    if (this.shown && document.hasFocus()) this.shell.focus(); // what was pressed may be gone
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
    this.channel.postMessage({ type: "turn", turn });
    this.#heard(turn);
    if (turn.decision == "handoff") this.host.tell("handoff", { id: turn.id });
  }

  /** A reply that is new here. @param {Turn} turn */
  #heard(turn) {
    this.#receive(turn);
    this.log.announce(`${fill(this.texts.bot, { bot: this.bot })} ${turn.reply.text}`);
    this.host.tell("message:received", { id: turn.id, text: turn.reply.text });
  }

  /** @param {Turn} turn */
  #receive(turn) {
    this.turns = withTurn(this.turns, turn);
    if (this.asking.first) this.asking.begin();
    this.draw();
    this.log.toReply(turn.id);
    this.news.stir();
  }

  /** Who can see what comes in. */
  #seen() {
    if (document.hidden || !this.session) return "away";
    return this.shown ? "open" : "closed";
  }

  /** Another device of the same customer may have gone on with the conversation, or begun another. */
  async #lookElsewhere() {
    const { session, turns } = this;
    if (!session || this.outbox.letters.some((letter) => !letter.failed)) return;
    const told = await this.api.news(session.conversation_id, lastSequence(turns));
    if (!told || this.session != session) return;
    if (told.id != session.conversation_id) {
      this.#clear();
      return void this.#soon(async () => this.#enter({ ...(await this.api.session("")), new: false }));
    }
    for (const turn of told.turns) {
      if (!this.turns.some(({ id }) => id == turn.id)) this.#heard(turn);
    }
  }

  /** @param {unknown} error */
  #delayed(error) {
    for (const [key, progress] of this.progress) this.progress.set(key, { ...progress, waiting: true });
    if (!this.offline) this.complain(error);
    this.offline = !(error instanceof Refusal) || error.status == 0 || error.status >= 500;
    this.draw();
    const { hopeless, after_ms } = judge(error);
    if (!this.#begun && !hopeless) setTimeout(() => this.begin(), pause_ms(++this.#failures, after_ms));
  }

  #hurry() {
    if (this.#begun) this.outbox.hurry();
    else if (this.shown || this.api.known) this.begin();
    this.news.hurry();
    this.draw();
  }

  /** @param {unknown} error */
  complain(error) {
    const refusal = error instanceof Refusal ? error : null;
    if (!refusal) console.error(error);
    this.host.tell("error", { code: refusal?.slug || "failed", status: refusal?.status ?? 0, detail: String(refusal?.detail ?? error) });
  }

  /** @param {Letter} letter */
  #edit(letter) {
    this.outbox.remove(letter.key);
    this.shell.write(letter.text);
    this.shell.focus();
  }

  #items() {
    const { texts } = this;
    const languages = Object.entries(LOCALES).map(([locale, label]) => ({
      label,
      checked: locale == this.locale,
      act: () => this.speak(locale),
    }));
    if (!this.turns.length) return languages;
    return [
      { label: texts.end, act: () => this.asking.end() },
      { label: texts.download, act: () => this.asking.download() },
      { label: texts.email, act: () => this.asking.email() },
      ...languages,
    ];
  }

  /** Another language. @param {string} wanted */
  speak(wanted) {
    this.locale = negotiate(wanted, "", navigator.language);
    this.texts = textsOf(this.locale, this.options.texts);
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
        this.complain(new Refusal(401, "identity", error.detail));
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
    this.api.context(context).catch((error) => this.complain(error));
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
