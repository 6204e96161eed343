// @ts-check
/** Where the window begins: whose it is, who opened it, how it looks; then the conversation takes over. */
import { Chat } from "./chat.mjs";
import { palette } from "./colour.mjs";
import { Host, hostOrigin } from "./host.mjs";
import { readOptions } from "./options.mjs";
import { openShelf, Store } from "./store.mjs";
import { negotiate, textsOf } from "./texts.mjs";

const page = document.documentElement;
const { site = "", origins = "", mode = "frame" } = page.dataset;
const alone = mode == "page" || parent === window;
const host = new Host(alone ? "" : hostOrigin(location.hash, origins, location.origin));

/** @param {import("./options.mjs").Options} options */
function dress(options) {
  const dusk = matchMedia("(prefers-color-scheme: dark)");
  const paint = () => {
    const dark = options.colorScheme == "dark" || (options.colorScheme == "auto" && dusk.matches);
    page.dataset.scheme = dark ? "dark" : "light";
    for (const [name, colour] of Object.entries(palette(options.color, dark))) page.style.setProperty(`--${name}`, colour);
  };
  dusk.addEventListener("change", paint);
  paint();
}

/** @param {Record<string, unknown>} given @param {string} lang @param {boolean} shown */
function start(given, lang, shown) {
  const { options, complaint } = readOptions(given);
  if (complaint) console.warn(complaint);
  dress(options);
  const locale = negotiate(options.locale, lang, navigator.language);
  page.lang = locale;
  page.dir = options.dir == "auto" ? "ltr" : options.dir;
  const store = new Store(openShelf(options.persistence), site);
  const tab = new Store(openShelf(options.persistence == "none" ? "none" : "session"), site);
  const texts = textsOf(locale, options.texts);
  const chat = new Chat({ site, host, options, store, tab, texts, locale });
  document.body.replaceChildren(chat.shell.root);
  chat.start(shown);
  host.tell("ready", { site });
  if (tab.get("open", false) && !shown) host.tell("show");
  return chat;
}

/** @type {Chat | null} */
let chat = null;

/** @param {import("./host.mjs").Note} note */
function hear(note) {
  if (note.type == "init") chat ??= start(note.options, note.lang, note.shown);
  if (!chat) return;
  const to = chat;
  /** @type {Record<string, () => unknown>} */
  const does = {
    open: () => to.open(note.focus),
    close: () => to.close(),
    modal: () => (to.shell.modal = note.on),
    locale: () => to.speak(String(note.locale)),
    user: () => to.sign(note.token ? String(note.token) : null),
    context: () => to.setContext(Object(note.context)),
    send: () => to.say(String(note.text)),
    reset: () => to.reset(),
  };
  if (Object.hasOwn(does, note.type)) does[note.type]();
}

if (alone) start(Object.fromEntries(new URLSearchParams(location.hash.slice(1))), "", true);
else {
  host.listen(hear);
  host.tell("hello");
}
