// @ts-check
/** Elements made by hand: text is text, nothing is ever parsed as markup. */

/** @typedef {Record<string, unknown>} Props */
/** @typedef {Node | string | null | undefined | false} Child */

/**
 * An element; `on…` are listeners, `text` its text, true and false attributes that are there or not.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {Props} [props] @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name == "text") made.textContent = String(value);
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, String(value));
  }
  for (const child of children) if (child) made.append(child);
  return made;
}

/** @type {Record<string, string>} Paths of icons on a 24 × 24 grid, drawn as lines. */
export const ICONS = {
  close: "M5 9l7 7 7-7",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  send: "M5 12h14M13 6l6 6-6 6",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c0-4 4-6 8-6s8 2 8 6",
  up: "M7 11v9H4v-9zM7 11l4-8c2 0 3 1 2.600 3L13 9h6l-1.500 10q-.3 1-1.500 1H7",
  face0: "M8 9h.01M16 9h.01M7 18q5-7 10 0",
  face1: "M8 9h.01M16 9h.01M8 17q4-3 8 0",
  face2: "M8 9h.01M16 9h.01M8 16h8",
  face3: "M8 9h.01M16 9h.01M8 15q4 3 8 0",
  face4: "M8 9h.01M16 9h.01M7 14q5 7 10 0z",
  down: "M17 13V4h3v9zM17 13l-4 8c-2 0-3-1-2.600-3l.6-3H5L6.500 5Q6.800 4 8 4h9",
};

/** @param {string} name */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const path = document.createElementNS(space, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** What can have the keyboard's focus inside, in order. @param {ParentNode} root @returns {HTMLElement[]} */
export function focusable(root) {
  /** @type {NodeListOf<HTMLElement>} */
  const found = root.querySelectorAll("a[href], button:not([disabled]), input, textarea, select, summary, [tabindex='0']");
  return [...found].filter((element) => element.checkVisibility({ visibilityProperty: true }) && element.tabIndex >= 0);
}
