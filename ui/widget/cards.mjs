// @ts-check
/** Small forms among the messages: why an answer did not help, how the chat was, an address, what to know first. */
import { h, icon } from "./dom.mjs";

/** @typedef {import("./texts.mjs").Texts} Texts */
/** @typedef {import("./options.mjs").Field} Field */

let count = 0;

/**
 * A form with a heading; Escape leaves it.
 *
 * @param {{title: string, submit: string, cancel?: string, send: (form: FormData) => void, leave?: () => void}} what
 * @param {...(Node | null)} content
 */
export function card({ title, submit, cancel, send, leave }, ...content) {
  const id = `card-${++count}`;
  const buttons = h("div", { class: "buttons" }, h("button", { class: "main", type: "submit", text: submit }));
  if (cancel && leave) buttons.append(h("button", { class: "quiet", type: "button", text: cancel, onclick: leave }));
  const form = h("form", { class: "card", "aria-labelledby": id }, h("h2", { id, text: title }), ...content, buttons);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(new FormData(form));
  });
  form.addEventListener("keydown", (event) => {
    if (event.key != "Escape" || !leave) return;
    event.stopPropagation();
    leave();
  });
  return form;
}

/** @param {Texts} texts @param {(reasons: string[], comment: string) => void} send @param {() => void} leave */
export function reasonCard(texts, send, leave) {
  const chips = texts.reasons.map((/** @type {string} */ reason) =>
    h("label", { class: "chip" }, h("input", { type: "checkbox", name: "reason", value: reason }), h("span", { text: reason })),
  );
  return card(
    { title: texts.why, submit: texts.submit, cancel: texts.skip, leave, send: (form) => send(form.getAll("reason").map(String), read(form, "comment")) },
    h("div", { class: "chips", role: "group", "aria-label": texts.why }, ...chips),
    area("comment", texts.comment),
  );
}

/** @param {Texts} texts @param {(score: number, comment: string) => void} send @param {() => void} leave */
export function csatCard(texts, send, leave) {
  const scores = [0, 1, 2, 3, 4].map((at) =>
    h("label", { class: "score", title: texts.scores[at] },
      h("input", { type: "radio", name: "score", value: at + 1, required: true, "aria-label": texts.scores[at] }),
      h("span", {}, icon(`face${at}`))),
  );
  return card(
    { title: texts.csat, submit: texts.submit, cancel: texts.skip, leave, send: (form) => send(Number(form.get("score")), read(form, "comment")) },
    h("div", { class: "scores", role: "radiogroup", "aria-label": texts.csat }, ...scores),
    area("comment", texts.csat_comment),
  );
}

/** @param {Texts} texts @param {(email: string) => void} send @param {() => void} leave */
export function emailCard(texts, send, leave) {
  return card(
    { title: texts.email, submit: texts.email_send, cancel: texts.cancel, leave, send: (form) => send(read(form, "email")) },
    line({ name: "email", label: texts.email_label, type: "email", required: true }, ""),
  );
}

/** @param {Texts} texts @param {Field[]} fields @param {(fields: Record<string, string>) => void} send @param {(() => void) | undefined} leave */
export function prechatCard(texts, fields, send, leave) {
  const gather = (/** @type {FormData} */ form) => send(Object.fromEntries(fields.map(({ name }) => [name, read(form, name)])));
  const lines = fields.map((field) => line(field, field.required ? "" : ` (${texts.optional})`));
  return card({ title: texts.prechat, submit: texts.start, cancel: texts.skip, leave, send: gather }, ...lines);
}

/** @param {FormData} form @param {string} name */
function read(form, name) {
  return String(form.get(name) ?? "").trim();
}

/** @param {string} name @param {string} label */
function area(name, label) {
  return h("label", {}, h("span", { text: label }), h("textarea", { name, rows: 2, maxlength: 2000 }));
}

/** @param {Field} field @param {string} mark */
function line({ name, label, type, required }, mark) {
  const plain = ["text", "email", "tel", "number", "date"].includes(type) ? type : "text";
  /** @type {Record<string, string>} */
  const known = { email: "email", tel: "tel", name: "name" };
  const input = h("input", { name, type: plain, required, maxlength: 200, autocomplete: known[name] ?? known[plain] ?? "off" });
  return h("label", {}, h("span", { text: (label || name) + mark }), input);
}
