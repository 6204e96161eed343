// @ts-check
/** What a conversation holds, as values: the server's turns, and what has not become one yet. */

/** @typedef {{title: string, text: string, url: string | null}} Citation */
/**
 * @typedef {object} Turn
 * @property {string} id @property {number} sequence @property {string} decision @property {string} language
 * @property {{text: string, sent_at: string}} message
 * @property {{text: string, citations: Citation[], quick_replies: string[], finish: string}} reply
 * @property {string} [html] The reply, rendered and cleaned. @property {"up" | "down" | null} [feedback]
 */
/** @typedef {{key: string, text: string, at: number, failed?: string}} Letter A message that waits for its turn. */

/** The turns with one more, each once, in the server's order. @param {Turn[]} turns @param {Turn} turn @returns {Turn[]} */
export function withTurn(turns, turn) {
  return [...turns.filter((known) => known.id != turn.id), turn].sort((a, b) => a.sequence - b.sequence);
}

/** How many replies came after the last one that was seen. @param {Turn[]} turns @param {number} read */
export function unreadOf(turns, read) {
  return turns.filter((turn) => turn.sequence > read).length;
}

/** The last place in the conversation. @param {Turn[]} turns */
export function lastSequence(turns) {
  return turns.at(-1)?.sequence ?? 0;
}

/**
 * Letters that are to be shown. One whose turn was stored just before the page was loaded anew is in the history
 * already, until sending it once more tells so.
 *
 * @param {Letter[]} letters @param {Turn[]} turns
 */
export function shownLetters(letters, turns) {
  const last = turns.at(-1);
  return letters.filter((letter) => {
    const same = last && last.message.text.trim() == letter.text.trim();
    return letter.failed || !same || Math.abs(Date.parse(last.message.sent_at) - letter.at) > 120_000;
  });
}

/** Buttons below the last reply; none while something is under way. @param {Turn[]} turns @param {Letter[]} letters
 * @param {string[]} suggestions Questions to begin with. @returns {string[]} */
export function choices(turns, letters, suggestions) {
  if (letters.some((letter) => !letter.failed)) return [];
  return turns.at(-1)?.reply.quick_replies ?? suggestions;
}

/** The day of a turn where it differs from the day of the one before, else "".
 * @param {Turn} turn @param {Turn | undefined} before @param {string} locale */
export function newDay(turn, before, locale) {
  const day = (/** @type {Turn} */ one) => new Date(one.message.sent_at).toLocaleDateString(locale, { month: "long", day: "numeric" });
  if (before) return day(before) == day(turn) ? "" : day(turn);
  return new Date(turn.message.sent_at).toDateString() == new Date().toDateString() ? "" : day(turn);
}
