// @ts-check
/** Server-sent events, read from the body of a fetch: EventSource can neither post nor send a token. */

/** @typedef {{event: string, data: string, id: string}} ServerEvent */

/** Takes text in any pieces, gives whole events. */
export class EventParser {
  #rest = "";

  /** @param {string} piece @returns {ServerEvent[]} */
  push(piece) {
    const text = this.#rest + piece;
    const half = text.endsWith("\r") ? "\r" : ""; // its line feed may come with the next piece
    const blocks = text.slice(0, text.length - half.length).replace(/\r\n?/g, "\n").split("\n\n");
    this.#rest = (blocks.pop() ?? "") + half;
    return blocks.map(readBlock).filter((found) => found !== null);
  }
}

/** @param {string} block @returns {ServerEvent | null} */
function readBlock(block) {
  const found = { event: "message", data: "", id: "" };
  /** @type {string[]} */
  const data = [];
  for (const line of block.split("\n")) {
    const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? []; // a line that begins with a colon keeps the connection alive
    if (name == "data") data.push(value);
    else if (name == "event" || name == "id") found[name] = value;
  }
  return data.length ? { ...found, data: data.join("\n") } : null;
}

/** @param {ReadableStream<Uint8Array>} body @param {number} silence_ms Longer without a byte, and the stream counts as dead. */
export async function* readEvents(body, silence_ms) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new EventParser();
  try {
    while (true) {
      const { done, value } = await within(silence_ms, reader.read());
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

/** @template T @param {number} limit_ms @param {Promise<T>} promise @returns {Promise<T>} */
function within(limit_ms, promise) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Promise<never>} */
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new TypeError("The connection fell silent.")), limit_ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
