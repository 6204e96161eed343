// Kefu on a page: a launcher and an iframe. Options, methods and events: README.md. The frame checks the options.
// @ts-check
(() => {
  /** @typedef {Record<string, any>} Bag */
  const own = Object.hasOwn;
  const root = document.documentElement;
  const script = /** @type {HTMLScriptElement | null} */ (document.currentScript);
  const view = /** @type {Bag} */ (/** @type {unknown} */ (window));
  /** @type {Map<string, Set<Function>>} */
  const listeners = new Map();
  /** @type {Bag | null} */
  let running = null;

  /** @param {string} name @param {Bag} [detail] */
  const emit = (name, detail = {}) =>
    listeners.get(name)?.forEach((listener) => {
      try { listener(detail); } catch (error) { console.error(error); }
    });

  /** @param {Bag} given */
  function start(given) {
    /** @param {string} name @param {any} [standard] @returns {any} */
    const option = (name, standard) => own(given, name) ? given[name] : standard;
    /** @param {string} name @param {number} standard */
    const number = (name, standard) => +option(name, standard) || standard;
    const host = new URL(option("host", script?.src ?? location.href));
    const color = /^#([\da-f]{3}){1,2}$/i.test(option("color")) ? given.color : "#2f54eb";
    const channels = color.slice(1).match(color.length < 5 ? /./g : /../g).map((/** @type {string} */ c) => (parseInt(c + c, 16) & 255) ** 2.2);
    const white = channels[0] * 0.21 + channels[1] * 0.72 + channels[2] * 0.07 < 35000;
    const launched = String(option("launcher", true)) != "false";
    const x = number("offsetX", 20), y = number("offsetY", 20), z = number("zIndex", 2147483000);
    const side = (option("position") == "left" ? "left:" : "right:") + x + "px";
    const full = matchMedia("(max-width:480px),(max-height:480px)");
    const gone = new AbortController();
    const { signal } = gone;
    let user = option("user"), shown = false, ready = false, wantsFocus = false, unread = 0, timer = 0;
    let [label, away] = [option("launcherTitle", /^zh/i.test(root.lang) ? "客服" : "Chat"), "×"];
    /** @type {string | null} */
    let overflow = null;
    /** @type {any} */
    let before = null;
    /** @type {HTMLIFrameElement | null} */
    let frame = null;
    /** @type {Bag[]} */
    let waiting = [];

    /** @param {string} tag @returns {any} */
    const make = (tag) => document.createElement(tag);
    const box = make("kefu-widget"), pane = make("div"), button = make("button"), badge = make("i");
    box.style.cssText = "all:initial!important";
    const shadow = box.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`*{box-sizing:border-box;position:fixed;z-index:${z}}
button{${side};bottom:${y}px;width:56px;height:56px;padding:14px;border:0;border-radius:50%;background:${color};color:${white ? "#fff" : "#111"};cursor:pointer;box-shadow:0 4px 16px #0004}
button:focus-visible{outline:3px solid ${color};outline-offset:3px;box-shadow:0 0 0 3px #fff}
svg{position:static;display:block;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
i{position:absolute;top:-3px;right:-3px;min-width:22px;padding:0 6px;border-radius:11px;background:#c8102e;color:#fff;font:700 13px/22px system-ui}
[hidden]{display:none}
div{${side};bottom:${y + (launched ? 72 : 0)}px;width:min(${number("width", 392)}px,100vw - ${2 * x}px);height:min(${number("height", 660)}px,100vh - ${y + 88}px);border-radius:16px;overflow:hidden;box-shadow:0 8px 40px #0004;transition:opacity .15s,transform .15s}
div:not(.o){visibility:hidden;opacity:0;transform:translateY(12px)}
iframe{position:static;width:100%;height:100%;border:0}
@media ${full.media}{div{inset:0;width:100%;height:100%;border-radius:0}.o+button{display:none}}
@media (prefers-reduced-motion:reduce){div{transition:none}}
@media print{*{display:none}}`);
    shadow.adoptedStyleSheets = [sheet];
    pane.role = "dialog";
    button.type = "button";
    const [svg, path] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.append(path);
    button.append(svg, badge);
    shadow.append(pane);
    if (launched) shadow.append(button);

    const draw = () => {
      pane.className = shown ? "o" : "";
      pane.ariaLabel = label;
      pane.ariaModal = shown && full.matches;
      button.ariaExpanded = shown;
      button.title = button.ariaLabel = shown ? away : label + (unread ? ` (${unread})` : "");
      badge.hidden = !unread || shown;
      badge.textContent = unread;
      path.setAttribute("d", shown ? "M5 9l7 7 7-7" : "M21 12a8 8 0 0 1-8 8H4l2-3a8 8 0 1 1 15-5zM9 12h0M13 12h0M17 12h0");
    };

    /** @param {string} type @param {Bag} [more] */
    const post = (type, more) => {
      const message = { ...more, kefu: 1, type };
      if (ready) frame?.contentWindow?.postMessage(message, host.origin);
      else waiting.push(message);
    };

    const load = () => {
      if (frame || signal.aborted) return;
      frame = /** @type {HTMLIFrameElement} */ (make("iframe"));
      frame.title = label;
      frame.src = new URL(`widget/frame?site=${encodeURIComponent(given.bot)}#origin=${encodeURIComponent(location.origin)}`, host).href;
      pane.append(frame);
      timer = setTimeout(() => { // refused, or no network: the next opening tries again
        show(false);
        frame?.remove();
        frame = null;
        emit("error", { code: "unreachable" });
      }, 20000);
    };

    /** While the window covers the page, the page stays where it is, and the window above the keyboard. */
    const fit = () => {
      const covers = shown && full.matches, seen = visualViewport;
      if (covers != (overflow !== null)) {
        [root.style.overflow, overflow] = covers ? ["hidden", root.style.overflow] : [overflow ?? "", null];
        post("modal", { on: covers });
      }
      pane.style.height = covers && seen ? seen.height + "px" : "";
      pane.style.top = covers && seen ? seen.offsetTop + "px" : "";
      draw();
    };

    /** @param {boolean} wanted @param {boolean} [focus] */
    const show = (wanted, focus = true) => {
      if (wanted == shown) return;
      const inside = shadow.activeElement == frame;
      shown = wanted;
      wantsFocus = wanted && focus;
      if (shown) {
        before = document.activeElement;
        load();
      }
      fit();
      if (wantsFocus && ready) frame?.focus();
      if (!shown && inside) (before?.isConnected && before != box && before != document.body ? before : button).focus();
      post(shown ? "open" : "close", { focus });
      emit(shown ? "open" : "close");
    };

    const identify = async () => {
      try {
        post("user", { token: typeof user == "function" ? await user() : user });
      } catch (error) {
        emit("error", { code: "identity", detail: `${error}` });
      }
    };

    addEventListener("message", (event) => {
      if (event.origin != host.origin || event.source != frame?.contentWindow || event.data?.kefu != 1) return;
      const { kefu, type, ...more } = event.data;
      if (type == "hello") {
        clearTimeout(timer);
        ready = true;
        post("init", { options: JSON.parse(JSON.stringify(given)), lang: root.lang, shown });
        frame?.blur(); // a click into the empty frame gave it the focus, which did not go over to what has loaded
        if (wantsFocus) frame?.focus();
        waiting.splice(0).forEach((message) => post(message.type, message));
      } else if (type == "labels") {
        [label, away] = more.labels;
        if (frame) frame.title = label;
        draw();
      } else if (type == "show") show(!full.matches, false);
      else if (type == "close") show(false);
      else if (type == "identity") identify();
      else {
        if (type == "unread") {
          unread = more.count;
          draw();
        }
        emit(type, more);
        if (type == "ready") dispatchEvent(new CustomEvent("kefu:ready"));
      }
    }, { signal });
    button.onclick = () => show(!shown);
    button.onkeydown = (/** @type {KeyboardEvent} */ event) => { if (event.key == "Escape") show(false); };
    full.addEventListener("change", fit, { signal });
    visualViewport?.addEventListener("resize", fit, { signal });
    visualViewport?.addEventListener("scroll", fit, { signal });
    const trigger = option("trigger");
    if (trigger) document.addEventListener("click", (event) => /** @type {Element} */ (event.target).closest(trigger) && show(!shown), { signal });
    root.append(box);
    draw();
    if (user) identify();
    const idle = () => setTimeout(load, 200); // after the page's own load, which is never delayed
    if (String(option("open")) == "true") show(true, false);
    else if (document.readyState == "complete") idle();
    else addEventListener("load", idle, { signal });

    return {
      post, show,
      toggle: () => show(!shown),
      /** @param {any} next */
      identify(next) { user = next; identify(); },
      end() { show(false); clearTimeout(timer); gone.abort(); box.remove(); },
    };
  }

  /** @type {Bag} */
  const api = {
    /** @param {Bag} settings */
    boot(settings) {
      api.destroy();
      if (settings.bot) running = start(settings);
      else console.warn('kefu: the option "bot" is missing. Name the site: data-bot="...".');
    },
    open: () => running?.show(true),
    close: () => running?.show(false),
    toggle: () => running?.toggle(),
    /** @param {unknown} user */
    setUser: (user) => running?.identify(user),
    /** @param {string} locale */
    setLocale: (locale) => running?.post("locale", { locale }),
    /** @param {Bag} context */
    setContext: (context) => running?.post("context", { context }),
    /** @param {string} text */
    sendMessage: (text) => running?.post("send", { text }),
    reset: () => running?.post("reset"),
    destroy() { running?.end(); running = null; },
    /** @param {string} name @param {Function} listener */
    on: (name, listener) => listeners.set(name, (listeners.get(name) ?? new Set()).add(listener)),
    /** @param {string} name @param {Function} listener */
    off: (name, listener) => listeners.get(name)?.delete(listener),
    /** @param {any[]} call */
    push: ([name, ...rest]) => own(api, name) && api[name](...rest),
  };
  const early = view.kefu, settings = view.kefuSettings;
  if (early?.boot) return; // a second script tag
  view.kefu = api;
  // An element of that name is no settings object.
  const plain = settings && Object.getPrototypeOf(settings) == Object.prototype ? settings : {};
  const all = { ...script?.dataset, ...plain };
  if (own(all, "bot")) api.boot(all);
  if (Array.isArray(early)) early.forEach(api.push);
})();
