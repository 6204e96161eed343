// @ts-check
/** The options of the widget: what each may be, and what is said about the others. */

/** @typedef {{name: string, label: string, type: string, required: boolean}} Field */
/**
 * @typedef {object} Options
 * @property {string} locale @property {string} dir @property {string} color @property {string} colorScheme
 * @property {string} title @property {string} subtitle @property {string} greeting @property {string} launcherTitle
 * @property {boolean} prechat @property {string} persistence
 * @property {Record<string, any> | null} texts @property {Record<string, unknown> | null} context
 */

const NUMBER = (/** @type {unknown} */ value) => Number.isFinite(Number(value)) && String(value).trim() !== "";
const TEXT = (/** @type {unknown} */ value) => typeof value == "string" && value.length <= 500;
const SWITCH = (/** @type {unknown} */ value) => /^(true|false)$/.test(String(value));
const BAG = (/** @type {unknown} */ value) => typeof value == "object" && value !== null && !Array.isArray(value);
/** @param {RegExp} pattern */
const ONE_OF = (pattern) => (/** @type {unknown} */ value) => typeof value == "string" && pattern.test(value);

/** @type {Record<string, (value: any) => boolean>} What each option may be. */
const ALLOWED = {
  bot: ONE_OF(/^[\w-]{1,64}$/),
  host: ONE_OF(/^https?:/),
  locale: ONE_OF(/^(auto|[a-z]{2,3}(-[a-z0-9]{2,8})*)$/i),
  dir: ONE_OF(/^(auto|ltr|rtl)$/),
  position: ONE_OF(/^(left|right)$/),
  offsetX: NUMBER,
  offsetY: NUMBER,
  width: NUMBER,
  height: NUMBER,
  zIndex: NUMBER,
  color: ONE_OF(/^#([\da-f]{3}){1,2}$/i),
  colorScheme: ONE_OF(/^(auto|light|dark)$/),
  launcher: SWITCH,
  launcherTitle: TEXT,
  trigger: TEXT,
  open: SWITCH,
  title: TEXT,
  subtitle: TEXT,
  greeting: TEXT,
  prechat: SWITCH,
  persistence: ONE_OF(/^(local|session|none)$/),
  texts: BAG,
  context: BAG,
  user: (value) => value === null || typeof value == "string",
};

/** @type {Options} */
const STANDARD = {
  locale: "auto", dir: "auto", color: "#2f54eb", colorScheme: "auto", title: "", subtitle: "", greeting: "", launcherTitle: "",
  prechat: true, persistence: "local", texts: null, context: null,
};

export const NAMES = Object.keys(ALLOWED);

/**
 * The options in force, and one line about those that are not: "" where all are well.
 *
 * @param {Record<string, unknown>} given From settings, or all strings from data attributes and addresses.
 * @returns {{options: Options, complaint: string}}
 */
export function readOptions(given) {
  /** @type {Record<string, unknown>} */
  const options = { ...STANDARD };
  const wrong = [];
  for (const [name, value] of Object.entries(given)) {
    const read = unpacked(name, value);
    if (!Object.hasOwn(ALLOWED, name)) wrong.push(`unknown option "${name}"${nearest(name)}`);
    else if (!ALLOWED[name](read)) wrong.push(`option "${name}" cannot be ${JSON.stringify(value)}`);
    else if (Object.hasOwn(STANDARD, name)) options[name] = read;
  }
  const complaint = wrong.length ? `kefu: ${wrong.join("; ")}. Options: ${NAMES.join(", ")}.` : "";
  return { options: /** @type {Options} */ (/** @type {unknown} */ (options)), complaint };
}

/** An attribute can only hold a string; these hold JSON in it. @param {string} name @param {unknown} value */
function unpacked(name, value) {
  if (typeof value != "string" || !["prechat", "texts", "context"].includes(name)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** @param {string} name */
function nearest(name) {
  const plain = name.toLowerCase().replace("colour", "color").replace(/[^a-z]/g, "");
  const found = NAMES.find((known) => known.toLowerCase() == plain) ?? NAMES.find((known) => known.toLowerCase().startsWith(plain.slice(0, 4)));
  return found ? ` (did you mean "${found}"?)` : "";
}
