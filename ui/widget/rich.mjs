// @ts-check
/**
 * Answers have a few marks of layout. The server made them from Markdown and cleaned them (nh3); here they are
 * built once more from a short list, so that nothing else can come through whatever the server sent.
 */

const KEPT = new Set(
  "P BR STRONG B EM I DEL CODE PRE UL OL LI BLOCKQUOTE TABLE THEAD TBODY TR TH TD HR".split(" "),
);
const DROPPED = new Set("SCRIPT STYLE TEMPLATE NOSCRIPT IFRAME OBJECT EMBED SVG MATH TITLE TEXTAREA SELECT".split(" "));
const SAFE_LINK = /^(https?:\/\/|mailto:|tel:)[^\s]+$/i;

/** A link's target when it is one that may be followed, else "". @param {unknown} url */
export function safeLink(url) {
  return typeof url == "string" && SAFE_LINK.test(url) ? url : "";
}

/** @param {string} html @returns {DocumentFragment} */
export function rich(html) {
  const parsed = new DOMParser().parseFromString(html, "text/html"); // inert: loads and runs nothing
  const built = document.createDocumentFragment();
  copyChildren(parsed.body, built, 0);
  return built;
}

/** @param {Node} from @param {Node} to @param {number} depth */
function copyChildren(from, to, depth) {
  if (depth > 30) return;
  for (const node of from.childNodes) {
    if (node instanceof Text) to.appendChild(document.createTextNode(node.data));
    else if (node instanceof Element && !DROPPED.has(node.tagName.toUpperCase())) {
      copyChildren(node, to.appendChild(copyOf(node)), depth + 1);
    }
  }
}

/** @param {Element} element @returns {Node} */
function copyOf(element) {
  const tag = element.tagName;
  if (KEPT.has(tag)) return document.createElement(tag);
  if (/^H[1-6]$/.test(tag)) return document.createElement("strong");
  const url = tag == "A" ? safeLink(element.getAttribute("href")) : "";
  if (!url) return document.createElement("span");
  const link = document.createElement("a");
  link.href = url;
  link.target = "_blank";
  link.rel = "noopener noreferrer nofollow";
  return link;
}
